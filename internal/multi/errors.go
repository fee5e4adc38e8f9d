package multi

import (
	"errors"
	"net/http"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// form is the shape of an error body; contract/multi §1.4.
type form int

const (
	empty   form = iota // 423, 429, 500, 503; 403 of the login calls
	coded               // {errorCode, message}: 403 and 409, and our 401
	fields              // {message, syntaxErrors}: 400
	general             // {code, message}: everything the contract leaves to "default"
	token               // {token}: the 409 of a login
)

type codedBody struct {
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message,omitempty"` // the same value, for readers of either; a 401 has none
}

type generalBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type badRequestBody struct {
	Message      string       `json:"message"`
	SyntaxErrors syntaxErrors `json:"syntaxErrors,omitzero"` // none when no field can be named
}

type syntaxErrors struct {
	InvalidFields []invalidField `json:"invalidFields"`
}

type invalidField struct {
	Params    []string `json:"params"`
	FieldName string   `json:"fieldName"`
	Error     string   `json:"error"`
}

// writeError answers with an error. bare403 is for the calls whose 403 has no body in the contract.
func writeError(w *httpx.Response, err error, bare403 bool) {
	var invalid *httpx.Invalid
	var fault httpx.Fault
	switch {
	case errors.As(err, &invalid):
		writeInvalid(w, invalid)
	case errors.As(err, &fault):
		writeStatus(w, httpx.StatusOf(err), err.Error())
	default:
		writeCode(w, err, bare403)
	}
	w.Cause = err
}

func writeCode(w *httpx.Response, err error, bare403 bool) {
	refusal := auth.RefusalOf(err)
	if refusal.Replay != nil {
		replay(w, refusal.Replay)
		return
	}
	entry := wireOf(refusal.Code)
	w.Code = refusal.Code.String()
	httpx.Refused(w.Header(), entry.status, refusal.RetryAfter, refusal.Limits)
	if body := entry.body(refusal, bare403); body != nil {
		reply(w, entry.status, body)
		return
	}
	w.Empty(entry.status)
}

// body is what an answer to a refusal holds; nil: nothing.
func (entry wire) body(refusal *auth.Error, bare403 bool) any {
	if entry.status == http.StatusForbidden && bare403 {
		entry.form = empty
	}
	switch entry.form {
	case coded:
		if entry.status == http.StatusUnauthorized {
			return codedBody{ErrorCode: entry.code}
		}
		return codedBody{entry.code, entry.code}
	case general:
		return generalBody{entry.code, strings.ToLower(strings.ReplaceAll(entry.code, "_", " "))}
	case token:
		return tokenResponse{refusal.Token}
	case fields:
		f := invalidField{Params: []string{}, FieldName: fieldName(refusal.Field), Error: entry.code}
		if refusal.Code == auth.CodeIdentityRequired {
			f.FieldName = "identity"
		}
		if refusal.Code == auth.CodeLinkEmpty { // of its members, one
			f.Params = []string{"1"}
		}
		if refusal.Code == auth.CodeInputTooLong {
			f.Params = []string{"1", "1024"}
		}
		return badRequestBody{"the request is not valid", syntaxErrors{[]invalidField{f}}}
	}
	return nil
}

// fieldName is the contract's name of a field of the domain.
func fieldName(field string) string {
	switch field {
	case "password", "oldPassword", "newPassword":
		return field + ".value"
	}
	return field
}

func writeInvalid(w *httpx.Response, e *httpx.Invalid) {
	if e.Status != http.StatusBadRequest {
		writeStatus(w, e.Status, e.Message)
		return
	}
	body := badRequestBody{Message: e.Message}
	for _, f := range e.Fields {
		if f.Name == "" { // the body as a whole
			body.Message = f.Detail
			continue
		}
		params := f.Params
		if params == nil {
			params = []string{}
		}
		body.SyntaxErrors.InvalidFields = append(body.SyntaxErrors.InvalidFields, invalidField{params, f.Name, f.Code})
	}
	w.Code = "invalid_request"
	reply(w, e.Status, body)
}

// writeStatus answers with what the contract leaves to "default"; a 500 says nothing.
func writeStatus(w *httpx.Response, status int, message string) {
	w.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	if status >= http.StatusInternalServerError {
		w.Empty(status)
		return
	}
	reply(w, status, generalBody{strings.ToUpper(w.Code), message})
}

// reply writes a body of ours, which always encodes; a connection that broke has nobody left to tell.
func reply(w *httpx.Response, status int, body any) { _ = w.JSON(status, body) }
