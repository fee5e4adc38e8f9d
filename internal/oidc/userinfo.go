package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// userInfo is the UserInfo endpoint (OIDC Core §5.3, contract/cis §1.5): what the bearer of a user's access token may know of the user.
func (a *API) userInfo(w *httpx.Response, r *http.Request) error {
	token, err := bearerToken(r)
	if err != nil {
		return &bearerError{err}
	}
	by, claims, err := a.auth.UserInfo(r.Context(), token, a.via(w, r))
	if by.Tenant != "" {
		w.Tenant, w.Actor = string(by.Tenant), by.String()
	}
	a.allowOriginOf(w, r, by)
	if err != nil {
		return &bearerError{err}
	}
	return w.JSON(http.StatusOK, claims)
}

// errNoToken is for a request that says nothing of who asks: its challenge names no error (RFC 6750 §3.1).
var errNoToken = errors.New("no access token")

// bearerToken finds the access token in the header or, by POST, in a form (RFC 6750 §2.1, §2.2); in one of them alone.
func bearerToken(r *http.Request) (string, error) {
	header := httpx.AccessToken(r)
	form, err := readTokenForm(r)
	if err != nil {
		return "", err
	}
	switch body := form.Get("access_token"); {
	case body != "" && r.Header.Get("Authorization") != "":
		return "", &oauthError{http.StatusBadRequest, "invalid_request", "The access token comes in two ways"}
	case body != "":
		return body, nil
	case header != "":
		return header, nil
	}
	return "", errNoToken
}

// bearerError is why the bearer of an access token gets nothing, in the words of RFC 6750 §3.1.
type bearerError struct{ why error }

func (e *bearerError) Error() string { return e.why.Error() }

func (e *bearerError) Unwrap() error { return e.why }

// refusal is what is said of it, if the table of the token endpoint does not say that.
func (e *bearerError) refusal() *oauthError {
	if errors.Is(e.why, errNoToken) {
		return &oauthError{http.StatusUnauthorized, "invalid_token", "The access token is missing"}
	}
	switch auth.CodeOf(e.why) {
	case auth.CodeProofInvalid:
		return &oauthError{http.StatusUnauthorized, "invalid_dpop_proof", "The proof of the key does not hold, is missing or was used before"}
	case auth.CodeInvalidToken, auth.CodeUnknownClient:
		return &oauthError{http.StatusUnauthorized, "invalid_token", "The access token is unknown, expired, revoked or not for this"}
	}
	return nil
}

// challenge is the header of a refusal (RFC 6750 §3).
func challenge(h http.Header, e *oauthError, why *bearerError) {
	const realm = `Bearer realm="countersign"`
	switch {
	case errors.Is(why.why, errNoToken):
		h.Set("WWW-Authenticate", realm)
	case e.code == "invalid_dpop_proof": // RFC 9449 §7.1
		h.Set("WWW-Authenticate", fmt.Sprintf(`DPoP realm="countersign", error="%s", error_description="%s", algs="%s"`, e.code, e.description,
			strings.Join(names(auth.ProofAlgs()), " ")))
	case e.status == http.StatusForbidden:
		h.Set("WWW-Authenticate", fmt.Sprintf(`%s, error="%s", error_description="%s", scope="openid"`, realm, e.code, e.description))
	case e.status == http.StatusBadRequest, e.status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", fmt.Sprintf(`%s, error="%s", error_description="%s"`, realm, e.code, e.description))
	}
}
