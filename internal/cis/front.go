package cis

import (
	"net/http"
	"net/url"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

// frontRequest is what a client asks for a user who goes on in the browser; contract/cis §1.3. State and PKCE are ours.
type frontRequest struct {
	grantRequest
	RedirectURI     string `json:"redirect_uri"`
	RequireMFA      bool   `json:"require_mfa"`
	State           string `json:"state"`
	Challenge       string `json:"code_challenge"`
	ChallengeMethod string `json:"code_challenge_method"`
}

func (in frontRequest) front() auth.FrontGrant {
	g := in.grant()
	return auth.FrontGrant{
		RedirectURI: in.RedirectURI, State: in.State, Challenge: in.Challenge, ChallengeMethod: in.ChallengeMethod, Resource: g.Resource,
		Claims: g.Claims, OrgID: g.OrgID, MFA: in.RequireMFA,
	}
}

// entryURL is where the browser goes with an entry.
func (a *API) entryURL(e auth.Entry) string {
	return a.auth.PublicURL() + "/cis/oidc/auth?" + url.Values{"client_id": {string(e.Client)}, "entry": {e.Text}}.Encode()
}

type frontLoginRequest struct {
	frontRequest
	Email       string      `json:"email"`
	Username    string      `json:"username"`
	PhoneNumber string      `json:"phone_number"`
	Password    seal.Secret `json:"password"`
	ClientID    string      `json:"client_id"`
}

// loginPassword is POST /v1/auth/password/login of contract/cis §1.3. It is for apps: they have no client token.
func (a *API) loginPassword(c *call) error {
	var in frontLoginRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	kind, value, err := resetRequest{Email: in.Email, Username: in.Username, PhoneNumber: in.PhoneNumber}.identifier(anyName)
	if err != nil {
		return err
	}
	entry, err := a.auth.LoginFront(c.r.Context(), c.via(), auth.FrontLogin{
		PasswordLogin: auth.PasswordLogin{Kind: kind, Identifier: value, Password: in.Password},
		FrontGrant:    in.front(), Client: auth.ClientID(in.ClientID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{struct {
		URL string `json:"url"`
	}{a.entryURL(entry)}})
}

type codeRequest struct {
	Code         string      `json:"code"`
	ClientID     string      `json:"client_id"`
	ClientSecret seal.Secret `json:"client_secret"`
}

type codeTokens struct {
	IDToken      string `json:"id_token"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Created      bool   `json:"is_user_created"` // never: nobody is created by a login here
}

// redeemCode is POST /v1/token of contract/cis §1.3, which is deprecated there.
func (a *API) redeemCode(c *call) error {
	var in codeRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	by, err := a.auth.AuthenticateClient(c.r.Context(), auth.ClientCredentials{ID: auth.ClientID(in.ClientID), Secret: in.ClientSecret}, c.via())
	if err != nil {
		return err
	}
	c.w.Tenant, c.w.Actor = string(by.Tenant), by.String()
	set, err := a.auth.Redeem(c.r.Context(), by, auth.Redemption{Code: in.Code, AnyRedirect: true})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, codeTokens{set.IDToken, set.AccessToken, set.RefreshToken, false})
}

type registerRequest struct {
	Username string      `json:"username"`
	Password seal.Secret `json:"password"`
}

// registerPassword is POST /v1/auth/password/register of contract/cis §1.2, which is deprecated there: a user with a temporary password.
func (a *API) registerPassword(c *call) error {
	var in registerRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	_, err := a.auth.CreateUser(c.r.Context(), c.by, auth.NewUser{
		Username: in.Username, Password: &auth.NewPassword{Value: in.Password, Temporary: true},
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, message{"Password registered"})
}
