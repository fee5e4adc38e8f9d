package device

import (
	"errors"
	"net/http"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

type problemBody struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"` // for programs
	Detail string `json:"detail,omitzero"`
}

// writeProblem answers with an RFC 9457 document.
func writeProblem(w *httpx.Response, _ *http.Request, err error) {
	w.Cause = err
	var invalid *httpx.Invalid
	known := auth.RefusalOf(err)
	status, code, detail := httpx.StatusOf(err), "", ""
	switch {
	case errors.As(err, &invalid):
		status, code, detail = invalid.Status, "invalid_request", invalid.Detail()
		if status != http.StatusBadRequest {
			code = codeName(status)
		}
	case known.Code != auth.CodeInternal:
		entry := refusalOf(known.Code)
		status, code, detail = entry.status, known.Code.String(), entry.detail
		if status == http.StatusInternalServerError {
			code = codeName(status)
		}
		httpx.Refused(w.Header(), status, known.RetryAfter, known.Limits)
	default:
		code = codeName(status)
	}
	w.Code = code
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	// The body always encodes, and there is no one left to tell of a connection that broke.
	_ = w.JSON(status, problemBody{http.StatusText(status), status, code, detail})
}
