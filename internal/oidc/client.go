package oidc

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/seal"
)

// assertionType is client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authMethods are the ways in which a client may prove itself, by their registered names: a secret goes two ways.
func authMethods() []string {
	return []string{"client_secret_basic", "client_secret_post", string(auth.ClientAuthKey), string(auth.ClientAuthNone)}
}

// names are those of algorithms.
func names[T ~string](algs []T) []string {
	var list []string
	for _, alg := range algs {
		list = append(list, string(alg))
	}
	return list
}

// anyClient lets a client in, also a public one, which proves nothing.
func (a *API) anyClient(w *httpx.Response, r *http.Request, form url.Values) (auth.Actor, error) {
	return a.admit(w, r, form, true)
}

// admit is anyClient; where public clients have no business they are refused.
func (a *API) admit(w *httpx.Response, r *http.Request, form url.Values, public bool) (auth.Actor, error) {
	in, err := a.credentials(r, form)
	if err != nil {
		return auth.Actor{}, err
	}
	in.Public = public
	by, err := a.auth.AuthenticateClient(r.Context(), in, a.via(w, r))
	w.Tenant = string(by.Tenant)
	if err == nil {
		w.Actor = by.String()
	}
	return by, err
}

// credentials reads the one way in which a client proves itself: HTTP Basic, a secret in the body, or an assertion (RFC 6749 §2.3, RFC 7521
// §4.2).
func (a *API) credentials(r *http.Request, form url.Values) (auth.ClientCredentials, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	in := auth.ClientCredentials{
		ID: auth.ClientID(id), Secret: seal.NewSecret(secret), Assertion: form.Get("client_assertion"),
		Audiences: []string{a.base + tokenPath, a.base + "/cis" + tokenPath},
	}
	kind := form.Get("client_assertion_type")
	signed := kind != "" || in.Assertion != ""
	if r.Header.Get("Authorization") != "" {
		basicID, basicSecret, ok := basic(httpx.Credentials(r, "Basic"))
		switch {
		case !ok || basicSecret == "":
			return in, auth.CodeUnknownClient
		case secret != "" || signed || (id != "" && id != basicID):
			return in, twoWays()
		}
		in.ID, in.Secret = auth.ClientID(basicID), seal.NewSecret(basicSecret)
		return in, nil
	}
	switch {
	case signed && secret != "":
		return in, twoWays()
	case signed && (kind != assertionType || in.Assertion == ""):
		return in, auth.CodeUnknownClient
	}
	return in, nil
}

func twoWays() error {
	return &oauthError{http.StatusBadRequest, "invalid_request", "The client authenticates in two ways"}
}

// basic reads HTTP Basic credentials, which OAuth form-encodes first (RFC 6749 §2.3.1).
func basic(encoded string) (id, secret string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || encoded == "" {
		return "", "", false
	}
	user, pass, found := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	return id, secret, found && err1 == nil && err2 == nil
}

// via is how a request came to us, with the key that it proves.
func (a *API) via(w *httpx.Response, r *http.Request) auth.Via {
	text, scheme := httpx.Proof(r)
	return auth.Via{Address: w.Client, Request: httpx.RequestID(r), Proof: auth.KeyProof{
		Text: text, Method: r.Method, URL: a.base + r.URL.EscapedPath(), Scheme: scheme,
	}}
}
