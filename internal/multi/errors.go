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

// wire is what the contract says for one code of the domain.
type wire struct {
	status int
	form   form
	code   string
}

// wireOf is the dialect's table. What must not be told apart is merged here: an unknown user, a wrong password, no password and a
// suspended user are one answer.
func wireOf(c auth.Code) wire {
	switch c {
	case auth.CodeUnknownKey, auth.CodeInvalidToken, auth.CodeUnknownClient, auth.CodeInvalidRefresh, auth.CodeReusedRefresh,
		auth.CodeSessionNotFound, auth.CodeSessionForeign:
		return wire{http.StatusUnauthorized, coded, "UNAUTHORIZED"}
	case auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended:
		return wire{http.StatusForbidden, empty, ""}
	case auth.CodeForeignIdentity, auth.CodeWrongTokenKind, auth.CodeClientRefused, auth.CodeNotMember, auth.CodeNotPermitted,
		auth.CodeIdentitySuspended, auth.CodeRedirectInvalid, auth.CodePushedInvalid, auth.CodeGrantOff,
		auth.CodeRequestInvalid, auth.CodeResponseType, auth.CodeLoginRequired,
		auth.CodeWrongAssertion, auth.CodeKeyMalformed, auth.CodeKeyWeak, auth.CodeKeyExists, auth.CodeKeyLimit,
		auth.CodeFactorsUnmet, auth.CodeAccessDenied, auth.CodeInvalidCode, auth.CodeReusedCode, auth.CodeFormInvalid,
		auth.CodeTicketInvalid, auth.CodeKeyInvalid, auth.CodePushInvalid, auth.CodeNameInvalid, auth.CodeDeviceBound,
		auth.CodeDeviceLimit, auth.CodeDeviceBlocked, auth.CodeAssertionInvalid, auth.CodeNumberWrong,
		auth.CodePasskeyInvalid, auth.CodePasskeyMissing,
		auth.CodePasskeyForeign, auth.CodePasskeyLimit, auth.CodeUserInactive, auth.CodeInsufficientScope:
		return wire{http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"}
	case auth.CodeStepUpRequired:
		return wire{http.StatusForbidden, coded, "STEP_UP_REQUIRED"}
	case auth.CodeAccessTokenRequired:
		return wire{http.StatusForbidden, coded, "ACCESS_TOKEN_REQUIRED"}
	case auth.CodeLocked:
		return wire{http.StatusLocked, empty, ""}
	case auth.CodeBusy, auth.CodeThrottled:
		return wire{http.StatusTooManyRequests, empty, ""}
	case auth.CodeOverloaded, auth.CodeMaintenance:
		return wire{http.StatusServiceUnavailable, empty, ""}
	case auth.CodePasswordExpired, auth.CodePasswordTemp:
		return wire{http.StatusConflict, token, ""}
	case auth.CodeIdentityRequired:
		return wire{http.StatusBadRequest, fields, "REQUIRED"}
	case auth.CodeInputTooLong:
		return wire{http.StatusBadRequest, fields, "SIZE"}
	case auth.CodeLinkEmpty:
		return wire{http.StatusBadRequest, fields, "AT_LEAST"}
	case auth.CodeLinkInvalid, auth.CodeIdentifierInvalid, auth.CodeIdentifierRequired, auth.CodeInvalidTarget, auth.CodeInvalidScope,
		auth.CodeSearchInvalid, auth.CodePrimaryIdentifier, auth.CodeOrganizationExists, auth.CodeMemberExists, auth.CodeAppNotFound:
		return wire{http.StatusBadRequest, fields, "REGEX"}
	case auth.CodeUserNotFound, auth.CodeNotFound, auth.CodeAppExists, auth.CodeClientNotFound, auth.CodeLastClient, auth.CodeSecretless,
		auth.CodeResourceNotFound, auth.CodeResourceExists,
		auth.CodeResourceInUse, auth.CodeAppRoleNotFound, auth.CodeAppRoleExists, auth.CodeAppRoleInUse, auth.CodeEntityNotFound,
		auth.CodeValueInvalid:
		return wire{http.StatusNotFound, general, "NOT_FOUND"}
	case auth.CodeInternal, auth.CodeReplayed: // a replay is answered before it comes here
		return wire{http.StatusInternalServerError, empty, ""}
	}
	if word := conflicts[c]; word != "" {
		return wire{http.StatusConflict, coded, word}
	}
	return wire{}
}

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
	refusal := &auth.Error{Code: auth.CodeOf(err)}
	errors.As(err, &refusal)
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
