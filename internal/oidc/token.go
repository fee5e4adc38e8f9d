package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/seal"
)

// maxForm is the longest body of a token request, in bytes; api/cis.yaml says the same.
const maxForm = 8192

type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// token is the token endpoint (RFC 6749 §3.2): every grant first authenticates its client here, and then does only what is its own.
func (a *API) token(w *httpx.Response, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	by, err := a.anyClient(w, r, form)
	if err != nil {
		return err
	}
	a.allowOriginOf(w, r, by)
	if by, err = a.auth.ProveKey(r.Context(), by); err != nil {
		return err
	}
	switch grant := form.Get("grant_type"); grant {
	case "authorization_code":
		return a.authorizationCode(w, r, by, form)
	case "client_credentials":
		return a.clientCredentials(w, r, by, form)
	case "refresh_token":
		return a.refreshToken(w, r, by, form)
	case "password":
		return a.passwordGrant(w, r, by, form)
	case "":
		return &oauthError{http.StatusBadRequest, "invalid_request", "grant_type is missing"}
	default:
		return &oauthError{http.StatusBadRequest, "unsupported_grant_type", "This grant_type is not served"}
	}
}

// readForm takes a form and nothing else, with no parameter twice.
func readForm(r *http.Request, repeatable ...string) (url.Values, error) {
	body, err := httpx.ReadBody(r, maxForm)
	if err != nil {
		return nil, err
	}
	media, err := httpx.MediaType(r)
	if err != nil {
		return nil, err
	}
	if media != "application/x-www-form-urlencoded" {
		return nil, &oauthError{http.StatusBadRequest, "invalid_request", "The content type must be application/x-www-form-urlencoded"}
	}
	return httpx.DecodeForm(body, repeatable...)
}

func (a *API) clientCredentials(w *httpx.Response, r *http.Request, by auth.Actor, form url.Values) error {
	t, err := a.auth.ClientToken(r.Context(), by, form.Get("resource"))
	if err != nil {
		return err
	}
	return reply(w, by, tokenResponse{AccessToken: t.AccessToken, ExpiresIn: int(t.ExpiresIn.Seconds()), Scope: t.Scope})
}

// authorizationCode is RFC 6749 §4.1.3 with RFC 7636 §4.5.
func (a *API) authorizationCode(w *httpx.Response, r *http.Request, by auth.Actor, form url.Values) error {
	for _, name := range []string{"code", "redirect_uri"} {
		if form.Get(name) == "" {
			return &oauthError{http.StatusBadRequest, "invalid_request", name + " is missing"}
		}
	}
	set, err := a.auth.Redeem(r.Context(), by, auth.Redemption{
		Code: form.Get("code"), RedirectURI: form.Get("redirect_uri"), Verifier: form.Get("code_verifier"),
	})
	if err != nil {
		return err
	}
	return reply(w, by, tokenResponse{
		AccessToken: set.AccessToken, ExpiresIn: int(set.ExpiresIn.Seconds()), Scope: set.Scope, IDToken: set.IDToken,
		RefreshToken: set.RefreshToken,
	})
}

func (a *API) refreshToken(w *httpx.Response, r *http.Request, by auth.Actor, form url.Values) error {
	token := form.Get("refresh_token")
	if token == "" {
		return &oauthError{http.StatusBadRequest, "invalid_request", "refresh_token is missing"}
	}
	set, err := a.auth.Refresh(r.Context(), by, token, strings.Fields(form.Get("scope"))...)
	if err != nil {
		return err
	}
	return reply(w, by, tokenResponse{
		AccessToken: set.AccessToken, ExpiresIn: int(set.ExpiresIn.Seconds()), Scope: set.Scope, IDToken: set.IDToken,
		RefreshToken: set.RefreshToken,
	})
}

// passwordGrant is RFC 6749 §4.3.2 with the contract's username_type; it is there for tenants that turned it on.
func (a *API) passwordGrant(w *httpx.Response, r *http.Request, by auth.Actor, form url.Values) error {
	kind, known := map[string]auth.IdentifierKind{
		"": auth.ByUsername, "username": auth.ByUsername, "email": auth.ByEmail, "phone_number": auth.ByPhone, "user_id": auth.ByUserID,
	}[form.Get("username_type")]
	login := auth.PasswordLogin{Kind: kind, Identifier: form.Get("username"), Password: seal.NewSecret(form.Get("password"))}
	if a.auth.Settings(by).PasswordGrant {
		switch {
		case login.Identifier == "" || login.Password.IsZero():
			return &oauthError{http.StatusBadRequest, "invalid_request", "username or password is missing"}
		case !known:
			return &oauthError{http.StatusBadRequest, "invalid_request", "username_type is not served"}
		}
	}
	set, err := a.auth.PasswordGrant(r.Context(), by, login, strings.Fields(form.Get("scope")))
	if err != nil {
		return err
	}
	return reply(w, by, tokenResponse{
		AccessToken: set.AccessToken, ExpiresIn: int(set.ExpiresIn.Seconds()), Scope: set.Scope, IDToken: set.IDToken,
		RefreshToken: set.RefreshToken,
	})
}

func reply(w *httpx.Response, by auth.Actor, t tokenResponse) error {
	t.TokenType = "Bearer"
	if by.Holds != "" {
		t.TokenType = "DPoP" // RFC 9449 §5
	}
	w.Header().Set("Pragma", "no-cache") // RFC 6749 §5.1; Cache-Control: no-store is on every answer
	return w.JSON(http.StatusOK, t)
}
