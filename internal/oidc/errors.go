package oidc

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// oauthError is a refusal that only this dialect knows (RFC 6749 §5.2).
type oauthError struct {
	status      int
	code        string
	description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

// errorBody says the same to readers of RFC 6749 and of the vendor's contract.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	ErrorCode   int    `json:"error_code"`
}

func writeError(w *httpx.Response, err error) {
	var own *oauthError
	var invalid *httpx.Invalid
	var fault httpx.Fault
	refusal := auth.RefusalOf(err)
	w.Code = refusal.Code.String()
	var bearer *bearerError
	if errors.As(err, &bearer) {
		own = bearer.refusal()
	}
	switch {
	case own != nil:
		w.Code = own.code
	case errors.As(err, &own):
		w.Code = own.code
	case errors.As(err, &invalid):
		own = &oauthError{invalid.Status, "invalid_request", invalid.Message}
		w.Code = own.code
	case errors.As(err, &fault) && fault != httpx.ErrInternal:
		own = &oauthError{httpx.StatusOf(err), "invalid_request", http.StatusText(httpx.StatusOf(err))}
		w.Code = own.code
	default:
		own = wireOf(refusal.Code)
	}
	header(w.Header(), own, refusal)
	if bearer != nil {
		challenge(w.Header(), own, bearer)
	}
	// The body always encodes; a connection that broke has nobody left to tell.
	_ = w.JSON(own.status, errorBody{own.code, own.description, own.description, own.status})
}

func header(h http.Header, e *oauthError, refusal *auth.Error) {
	switch e.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="countersign"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		httpx.RetryAfter(h, cmp.Or(refusal.RetryAfter, time.Minute))
	}
}
