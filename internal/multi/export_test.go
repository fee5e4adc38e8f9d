package multi

import (
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// StatusOf is the table's status for a code, 0 when it has none.
func StatusOf(c auth.Code) int { return wireOf(c).status }

func WriteError(w *httpx.Response, err error, bare403 bool) { writeError(w, err, bare403) }
