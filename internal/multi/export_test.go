package multi

import (
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// RepeatedRoutes are those that take the header idempotency-ref.
func RepeatedRoutes() map[httpx.Route]bool {
	all := make(map[httpx.Route]bool)
	for _, r := range routes() {
		if r.trait == once {
			all[httpx.Route{Method: r.method, Path: r.path}] = true
		}
	}
	return all
}

// StatusOf is the table's status for a code, 0 when it has none.
func StatusOf(c auth.Code) int { return wireOf(c).status }

func WriteError(w *httpx.Response, err error, bare403 bool) { writeError(w, err, bare403) }
