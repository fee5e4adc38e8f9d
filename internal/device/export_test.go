package device

import (
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// Doc is the document of the dialect.
func (a *API) Doc() *httpx.Doc { return a.doc }

// WriteProblem writes a refusal.
func WriteProblem(w *httpx.Response, err error) { writeProblem(w, nil, err) }

// StatusOf is the table's status for a code.
func StatusOf(c auth.Code) int { return refusalOf(c).status }
