package oidc

import (
	"net/http"
	"net/url"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// introspection is RFC 7662 §2.2 with RFC 9470 §6.2. Of a token that is not active there is nothing but that.
type introspection struct {
	Active    bool     `json:"active"`
	TokenType string   `json:"token_type,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  string   `json:"aud,omitempty"`
	ID        string   `json:"jti,omitempty"`
	IssuedAt  int64    `json:"iat,omitzero"`
	ExpiresAt int64    `json:"exp,omitzero"`
	AuthTime  int64    `json:"auth_time,omitzero"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	Session   string   `json:"sid,omitempty"`
	Tenant    string   `json:"tid,omitempty"`
	Org       string   `json:"org_id,omitempty"`

	Confirmation *confirmation `json:"cnf,omitempty"`
}

// confirmation is the key that a token is bound to (RFC 9449 §6.2).
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

// introspect is the introspection endpoint (RFC 7662 §2.1).
func (a *API) introspect(w *httpx.Response, r *http.Request) error {
	by, token, err := a.aboutToken(w, r, false)
	if err != nil {
		return err
	}
	t, err := a.auth.Introspect(r.Context(), by, token)
	if err != nil {
		return err
	}
	if !t.Active {
		return w.JSON(http.StatusOK, introspection{})
	}
	out := introspection{
		Active: true, TokenType: t.Type, Scope: t.Scope, ClientID: string(t.Client), Issuer: a.auth.Issuer(), Subject: t.Subject,
		Audience: t.Audience, ID: t.ID, IssuedAt: t.IssuedAt.Unix(), ExpiresAt: t.ExpiresAt.Unix(), ACR: t.ACR, AMR: t.AMR,
		Session: string(t.Session), Tenant: string(t.Tenant), Org: t.Org,
	}
	if t.Key != "" {
		out.Confirmation = &confirmation{t.Key}
	}
	if !t.AuthAt.IsZero() {
		out.AuthTime = t.AuthAt.Unix()
	}
	return w.JSON(http.StatusOK, out)
}

// revoke is the revocation endpoint (RFC 7009 §2.1): 200 whatever the token was, unless we could not write it down.
func (a *API) revoke(w *httpx.Response, r *http.Request) error {
	by, token, err := a.aboutToken(w, r, true)
	if err != nil {
		return err
	}
	a.allowOriginOf(w, r, by)
	if err := a.auth.Revoke(r.Context(), by, token); err != nil {
		return err
	}
	w.Empty(http.StatusOK)
	return nil
}

// aboutToken reads a request of a client about a token; a public client may end its own (RFC 7009 §2.1), and is told nothing of any. Tokens say by themselves what they are: token_type_hint helps nobody here.
func (a *API) aboutToken(w *httpx.Response, r *http.Request, public bool) (by auth.Actor, token string, err error) {
	form, err := readForm(r)
	if err != nil {
		return by, "", err
	}
	if by, err = a.admit(w, r, form, public); err != nil {
		return by, "", err
	}
	if token = form.Get("token"); token == "" {
		return by, "", &oauthError{http.StatusBadRequest, "invalid_request", "token is missing"}
	}
	return by, token, nil
}

// readTokenForm reads the form of a POST that may have one. Another body is none of a form's business.
func readTokenForm(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	if media, err := httpx.MediaType(r); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, err
	}
	return readForm(r)
}
