package cis

import (
	"net/http"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

// resetRequest is what every call that begins a reset, or proves one, says of its user; contract/cis §1.3.
type resetRequest struct {
	Email       string      `json:"email"`
	Username    string      `json:"username"`
	PhoneNumber string      `json:"phone_number"`
	RedirectURI string      `json:"redirect_uri"`
	Passcode    string      `json:"passcode"`
	Password    seal.Secret `json:"password"`
	ClientID    string      `json:"client_id"`
	Previous    string      `json:"prev_reset_token"`
	IgnoreMFA   bool        `json:"ignore_mfa"`
}

// anyName are the members that name a user where all may be used; a link by e-mail is not for a number.
const (
	anyName  = "username, email and phone_number"
	linkName = "username and email"
)

// identifier reads who is meant: exactly one way must be used, of the members that the call has.
func (in resetRequest) identifier(members string) (auth.IdentifierKind, string, error) {
	var kind auth.IdentifierKind
	value, ways := "", 0
	for k, v := range map[auth.IdentifierKind]string{
		auth.ByEmail: in.Email, auth.ByUsername: in.Username, auth.ByPhone: in.PhoneNumber,
	} {
		if v != "" {
			kind, value, ways = k, v, ways+1
		}
	}
	if ways != 1 {
		return "", "", oneWay(ways, members)
	}
	return kind, value, nil
}

// resetOf decodes a request that names a user in one of several ways.
func (c *call) resetOf(members string) (resetRequest, auth.ResetRequest, error) {
	var in resetRequest
	if err := c.decode(&in); err != nil {
		return in, auth.ResetRequest{}, err
	}
	kind, value, err := in.identifier(members)
	return in, auth.ResetRequest{
		Kind: kind, Identifier: value, Redirect: in.RedirectURI, Previous: in.Previous, Trusted: in.IgnoreMFA,
	}, err
}

// sendResetLink is POST /v1/auth/password/reset/email/link of contract/cis §1.3.
func (a *API) sendResetLink(c *call) error {
	_, in, err := c.resetOf(linkName)
	if err != nil {
		return err
	}
	in.Channel = auth.ChannelEmail
	if err := a.auth.StartReset(c.r.Context(), c.by, in); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, message{"Reset password email sent"})
}

// makeResetLink is POST /v1/auth/password/reset/link of contract/cis §1.3.
func (a *API) makeResetLink(c *call) error {
	_, in, err := c.resetOf(linkName)
	if err != nil {
		return err
	}
	link, err := a.auth.MakeResetLink(c.r.Context(), c.by, in)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, struct {
		ResetLink string `json:"reset_link"`
	}{link})
}

// sendResetEmail is POST /v1/auth/password/reset/email/otp of contract/cis §1.3.
func (a *API) sendResetEmail(c *call) error {
	var in resetRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return a.sendResetCode(c, in, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: in.Email}, "Email Sent")
}

// sendResetSMS is POST /v1/auth/password/reset/sms/otp of contract/cis §1.3.
func (a *API) sendResetSMS(c *call) error {
	var in resetRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return a.sendResetCode(c, in, auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: in.PhoneNumber}, "SMS Sent")
}

func (a *API) sendResetCode(c *call, given resetRequest, in auth.ResetRequest, done string) error {
	in.Previous, in.Trusted = given.Previous, given.IgnoreMFA
	if err := a.auth.StartReset(c.r.Context(), c.by, in); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, message{done})
}

// validateResetEmail is POST /v1/auth/password/reset/email/otp/validate of contract/cis §1.3.
func (a *API) validateResetEmail(c *call) error {
	var in resetRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return a.proveReset(c, auth.ResetProof{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: in.Email, Code: in.Passcode})
}

// validateResetSMS is POST /v1/auth/password/reset/sms/otp/validate of contract/cis §1.3.
func (a *API) validateResetSMS(c *call) error {
	var in resetRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return a.proveReset(c, auth.ResetProof{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: in.PhoneNumber, Code: in.Passcode})
}

func (a *API) proveReset(c *call, in auth.ResetProof) error {
	token, err := a.auth.ProveReset(c.r.Context(), c.by, in)
	if err != nil {
		return err
	}
	return c.resetToken(token)
}

// resetToken answers with a reset token, and says whether it takes another factor.
func (c *call) resetToken(t auth.ResetToken) error {
	return c.w.JSON(http.StatusOK, struct {
		Result      string `json:"result"`
		MFARequired bool   `json:"mfa_required,omitzero"`
	}{t.Text, t.More})
}

// validateOldPassword is POST /v1/auth/password/reset/password/validate of contract/cis §1.3. It is for apps: they have no client token.
func (a *API) validateOldPassword(c *call) error {
	in, who, err := c.resetOf(anyName)
	if err != nil {
		return err
	}
	token, err := a.auth.ProveOldPassword(c.r.Context(), c.via(), auth.ClientID(in.ClientID), auth.PasswordLogin{
		Kind: who.Kind, Identifier: who.Identifier, Password: in.Password,
	}, in.Previous)
	if err != nil {
		return err
	}
	return c.resetToken(token)
}

type newPasswordRequest struct {
	frontRequest
	ResetToken  string      `json:"reset_token"`
	NewPassword seal.Secret `json:"new_password"`
}

// resetPassword is POST /v1/auth/password/reset of contract/cis §1.3. The token is the authority.
func (a *API) resetPassword(c *call) error {
	var in newPasswordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var email, next string
	var err error
	if in.RedirectURI == "" {
		email, err = a.auth.ResetPassword(c.r.Context(), c.via(), in.ResetToken, in.NewPassword)
	} else {
		var entry auth.Entry
		email, entry, err = a.auth.ResetAndEnter(c.r.Context(), c.via(), in.ResetToken, in.NewPassword, in.front())
		next = a.entryURL(entry)
	}
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, struct {
		message
		URL   string `json:"url,omitempty"`
		Email string `json:"email,omitempty"`
	}{message{"Password changed successfully"}, next, email})
}
