package cis

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// shape is how an operation writes its errors; contract/cis §4.
type shape int

const (
	numeric  shape = iota // B: {message, error_code: status, ts_error_code}
	symbolic              // C: {error_code: name, message}
	textual               // D: {error_code: status in a text, message}
	webauthn              // C, in the words of contract/cis §1.11
)

type numericBody struct {
	Message    any    `json:"message"` // a text, or a list of them for a malformed request
	ErrorCode  int    `json:"error_code"`
	Name       string `json:"ts_error_code,omitempty"`
	ResetToken string `json:"reset_token,omitempty"`
}

type symbolicBody struct {
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
}

func writeError(w *httpx.Response, err error, s shape) {
	var invalid *httpx.Invalid
	var fault httpx.Fault
	switch {
	case errors.As(err, &invalid):
		writeInvalid(w, invalid, s)
	case errors.Is(err, httpx.ErrInternal):
		writeWire(w, wireOf(auth.CodeInternal), s, "")
	case errors.As(err, &fault):
		status := httpx.StatusOf(err)
		w.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
		reply(w, status, numericBody{Message: http.StatusText(status), ErrorCode: status})
	default:
		writeCode(w, err, s)
	}
	w.Cause = err
}

func writeCode(w *httpx.Response, err error, s shape) {
	refusal := auth.RefusalOf(err)
	w.Code = refusal.Code.String()
	entry := wireOf(refusal.Code)
	httpx.Refused(w.Header(), entry.status, refusal.RetryAfter, refusal.Limits)
	switch entry.name {
	case "unauthorized_request":
		w.Header().Set("WWW-Authenticate", `Bearer realm="countersign", error="invalid_token"`)
	case "invalid_dpop_proof":
		w.Header().Set("WWW-Authenticate", `DPoP realm="countersign", error="invalid_dpop_proof"`)
	}
	if refusal.Field != "" && entry.name == "system_invalid_input" && refusal.Code != auth.CodeInvalidTarget {
		entry.message = fieldName(refusal.Field) + ": " + strings.ToLower(entry.message[:1]) + entry.message[1:]
	}
	writeWire(w, entry, s, refusal.Token)
}

// fieldName is the contract's name of a field of the domain.
func fieldName(field string) string {
	if field == string(auth.ByPhone) {
		return "phone_number"
	}
	return field
}

// symbolicIn reports whether a refusal has a symbolic form in a shape.
func (e wire) symbolicIn(s shape) bool {
	switch e.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
		return (s == symbolic || s == webauthn) && e.name != ""
	case http.StatusUnauthorized:
		return s == webauthn && e.name == "no_credentials_registered"
	}
	return false
}

// writeWire answers in an operation's shape. Only refusals of the operation itself have a symbolic form; what can befall any request, and
// the client's own token, is numeric everywhere.
func writeWire(w *httpx.Response, entry wire, s shape, resetToken string) {
	if entry.symbolicIn(s) {
		if s == webauthn && entry.name == "system_invalid_input" {
			entry.name, entry.message = "invalid_request", "Invalid request: "+entry.message
		}
		reply(w, entry.status, symbolicBody{entry.name, entry.message})
		return
	}
	if s == textual {
		switch entry.status {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
			reply(w, entry.status, symbolicBody{strconv.Itoa(entry.status), entry.message})
			return
		}
	}
	var message any = entry.message
	if entry.listed() {
		message = []string{entry.message}
	}
	reply(w, entry.status, numericBody{message, entry.status, entry.name, resetToken})
}

// listed reports whether the message is a list in the numeric shape, though only one thing is wrong: what is wrong with a member of the
// request is one, whoever found it, since clients decode it as a list (contract/cis §4).
func (e wire) listed() bool {
	return e.status == http.StatusBadRequest && (e.name == "system_invalid_input" || strings.HasPrefix(e.name, "auth_password_"))
}

func writeInvalid(w *httpx.Response, e *httpx.Invalid, s shape) {
	w.Code = "invalid_request"
	list := []string{e.Message}
	if len(e.Fields) > 0 {
		list = nil
	}
	for _, f := range e.Fields {
		list = append(list, f.Detail)
	}
	switch {
	case e.Status != http.StatusBadRequest:
		reply(w, e.Status, numericBody{Message: e.Message, ErrorCode: e.Status})
	case s == symbolic:
		reply(w, e.Status, symbolicBody{"system_invalid_input", strings.Join(list, "; ")})
	case s == webauthn:
		for i := range list { // the contract's own words
			if name, missing := strings.CutSuffix(list[i], " is required"); missing {
				list[i] = name + " should not be null or undefined"
			}
		}
		reply(w, e.Status, symbolicBody{"invalid_request", "Invalid request: " + strings.Join(list, "; ")})
	case s == textual:
		reply(w, e.Status, symbolicBody{strconv.Itoa(e.Status), strings.Join(list, "; ")})
	default:
		reply(w, e.Status, numericBody{Message: list, ErrorCode: e.Status, Name: "system_invalid_input"})
	}
}

// reply writes a body of ours, which always encodes; a connection that broke has nobody left to tell.
func reply(w *httpx.Response, status int, body any) { _ = w.JSON(status, body) }
