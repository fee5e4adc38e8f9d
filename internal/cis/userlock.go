package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

type authenticator struct {
	ID         string                   `json:"id"`
	Type       string                   `json:"type"`
	Name       string                   `json:"name,omitempty"`
	Status     string                   `json:"status"`
	UserID     string                   `json:"user_id"`
	Registered time.Time                `json:"registered_at"`
	Succeeded  *time.Time               `json:"last_successful_authentication,omitzero"`
	Failed     *time.Time               `json:"last_failed_authentication,omitzero"`
	ExtraData  *passwordOfAuthenticator `json:"extra_data,omitzero"`
}

type passwordOfAuthenticator struct {
	AppID       string     `json:"app_id"`
	AppName     string     `json:"app_name,omitempty"`
	UpdatedAt   time.Time  `json:"updated_at"`
	Expired     bool       `json:"expired"`
	Temporary   bool       `json:"temporary"`
	ExpiresIn   *time.Time `json:"expires_in,omitzero"` // a time, despite the contract's name for it
	CreatedAt   time.Time  `json:"created_at"`
	Email       string     `json:"email,omitempty"`
	PhoneNumber string     `json:"phone_number,omitempty"`
	Username    string     `json:"username,omitempty"`
}

// authenticatorType is the contract's name of a kind.
func authenticatorType(k auth.AuthenticatorKind) string {
	switch k {
	case auth.AuthenticatorPassword:
		return "password"
	case auth.AuthenticatorEmail:
		return "email_otp"
	case auth.AuthenticatorSMS:
		return "sms_otp"
	case auth.AuthenticatorTOTP:
		return "totp"
	case auth.AuthenticatorPasskey:
		return "webauthn"
	}
	return "mobile_biometric"
}

func authenticatorStatus(st auth.AuthenticatorState) string {
	switch {
	case st.Locked:
		return "Locked"
	case st.Status == auth.AuthenticatorPending:
		return "Registered"
	case st.Status == auth.AuthenticatorInactive:
		return "Deactivated"
	}
	return "Active"
}

func (a *API) authenticatorOf(c *call, account auth.Account, st auth.AuthenticatorState) authenticator {
	out := authenticator{
		ID: st.ID, Type: authenticatorType(st.Kind), Name: st.Name, Status: authenticatorStatus(st), UserID: string(account.User.ID),
		Registered: st.CreatedAt, Succeeded: timeOrNone(st.Attempts.SucceededAt), Failed: timeOrNone(st.Attempts.FailedAt),
	}
	if st.Kind == auth.AuthenticatorPassword {
		u, pw, client := account.User, a.auth.PasswordFor(c.by, account.Password), a.auth.Client(c.by)
		out.ExtraData = &passwordOfAuthenticator{
			AppID: string(client.AppID), AppName: client.AppName, UpdatedAt: pw.SetAt, Expired: pw.Expired, Temporary: pw.Temporary,
			ExpiresIn: timeOrNone(pw.ExpiresAt), CreatedAt: pw.SetAt, Email: u.Email, PhoneNumber: u.Phone, Username: u.Username,
		}
	}
	return out
}

// listAuthenticators is GET /v1/users/{user_id}/authenticators of contract/cis §1.6: a bare list.
func (a *API) listAuthenticators(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	account, all, err := a.auth.UserAuthenticators(c.r.Context(), c.by, c.userID())
	if err != nil {
		return err
	}
	list := make([]authenticator, len(all))
	for i, st := range all {
		list[i] = a.authenticatorOf(c, account, st)
	}
	return c.w.JSON(http.StatusOK, list)
}

// lockAuthenticator is POST …/authenticators/{authenticator_id}/lock.
func (a *API) lockAuthenticator(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent,
		a.auth.LockAuthenticator(c.r.Context(), c.by, c.userID(), c.r.PathValue("authenticator_id")))
}

// unlockAuthenticator is POST …/authenticators/{authenticator_id}/unlock.
func (a *API) unlockAuthenticator(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent,
		a.auth.UnlockAuthenticator(c.r.Context(), c.by, c.userID(), c.r.PathValue("authenticator_id")))
}

type unlockRequest struct {
	UnlockType string `json:"unlock_type"`
}

// unlockKind is POST …/authenticators/types/{authenticator_type}/unlock. A type that users do not have here is one that this user does not
// have.
func (a *API) unlockKind(c *call) error {
	var in unlockRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	which := auth.UnlockAny
	if in.UnlockType != "" {
		which = auth.Unlocking(in.UnlockType)
	}
	var kinds []auth.AuthenticatorKind
	for _, k := range []auth.AuthenticatorKind{
		auth.AuthenticatorPassword, auth.AuthenticatorEmail, auth.AuthenticatorSMS, auth.AuthenticatorDevice, auth.AuthenticatorKey,
		auth.AuthenticatorTOTP, auth.AuthenticatorPasskey,
	} {
		if authenticatorType(k) == c.r.PathValue("authenticator_type") {
			kinds = append(kinds, k)
		}
	}
	return c.done(http.StatusNoContent, a.auth.UnlockKinds(c.r.Context(), c.by, c.userID(), kinds, which))
}
