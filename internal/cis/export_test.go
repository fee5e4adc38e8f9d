package cis

import (
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// StatusOf is the table's status for a code, 0 when it has none.
func StatusOf(c auth.Code) int { return wireOf(c).status }

// WriteError answers with an error, in the shape of the calls that set a password if symbolic.
func WriteError(w *httpx.Response, err error, names bool) {
	s := numeric
	if names {
		s = symbolic
	}
	writeError(w, err, s)
}

// MessageOf is the table's message for a code.
func MessageOf(c auth.Code) string { return wireOf(c).message }

// Managed reports whether a call is for clients of kind management alone.
func Managed(path string) bool { return managed(path) }

// Needs are the permissions that a call needs one of.
func Needs(method, path string) string { return needs(method, path) }
