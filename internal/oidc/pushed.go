package oidc

import (
	"errors"
	"net/http"
	"net/url"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

type pushedResponse struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int    `json:"expires_in"`
}

// push is the pushed authorization request endpoint (RFC 9126 §2, contract/cis §1.5). It answers 201 as the RFC has it, without which client
// libraries take the answer for a refusal, and not the 200 of the contract.
func (a *API) push(w *httpx.Response, r *http.Request) error {
	form, err := readForm(r, "resource")
	if err != nil {
		return err
	}
	by, err := a.anyClient(w, r, form)
	if err != nil {
		return err
	}
	if by, err = a.auth.ProveKey(r.Context(), by); err != nil {
		return err
	}
	if no := unserved(form, "request", "registration"); no != nil {
		return no
	}
	if form.Has("request_uri") { // RFC 9126 §2.1
		return &oauthError{http.StatusBadRequest, "invalid_request", "A pushed request has no request_uri"}
	}
	for _, name := range []string{"client_secret", "client_assertion_type", "client_assertion"} {
		form.Del(name)
	}
	if len(form.Encode()) > maxQuery {
		return tooLong()
	}
	in := requestOf(form)
	if in.Client == "" {
		in.Client = by.Client // who has said so by Basic or in an assertion
	}
	uri, err := a.auth.Push(r.Context(), by, in)
	if err != nil {
		return told(w, err)
	}
	w.Header().Set("Pragma", "no-cache")
	return w.JSON(http.StatusCreated, pushedResponse{uri, int(auth.PushedFor.Seconds())})
}

// unserved refuses the first of the parameters that is there: none of them is served, and nothing that one points to is ever fetched.
func unserved(params url.Values, names ...string) *oauthError {
	for _, name := range names {
		if params.Has(name) {
			return &oauthError{http.StatusBadRequest, name + "_not_supported", name + " is not served"}
		}
	}
	return nil
}

// told gives a refusal of an authorization request the words that help its client; another error stays as it is.
func told(w *httpx.Response, err error) error {
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.Code != auth.CodeRequestInvalid {
		return err
	}
	w.Cause = err
	own := *wireOf(refusal.Code)
	own.description = "The parameter " + refusal.Field + " is missing or not valid"
	return &own
}
