package oidc

import (
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// StatusOf is the table's status for a code, 0 when it has none.
func StatusOf(c auth.Code) int {
	if e := wireOf(c); e != nil {
		return e.status
	}
	return 0
}

func WriteError(w *httpx.Response, err error) { writeError(w, err) }

func ReadClaims(text string) (in auth.AuthorizationRequest, ok bool) {
	ok = readClaims(text, &in)
	return in, ok
}
