package multi

import (
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// onceHeader names a call that takes effect at most once; contract/multi §1.2.
const onceHeader = "idempotency-ref"

// once is what the call asks of its repetition; nil when it carries no idempotency-ref. What the same ref is repeated with must be the same
// method, path, query, body and bearer.
func (c *call) once() (*auth.Once, error) {
	ref := c.r.Header.Values(onceHeader)
	if len(ref) != 1 { // more than one is refused by the document
		return nil, nil
	}
	body, err := httpx.PeekBody(c.r, c.op.MaxBody)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(c.r.URL.RawQuery), []byte(c.bearer()), body} {
		fmt.Fprintf(sum, "%d:%s,", len(part), part)
	}
	return &auth.Once{
		Operation: c.r.Method + " " + c.r.URL.Path, Ref: ref[0], Digest: [32]byte(sum.Sum(nil)), Encode: encode(nil),
	}, nil
}

// encode makes the answer that a call is given again. body turns the result of the domain into the body; nil: there is none, and the
// answer is 204.
func encode(body func(result any) any) func(any, *auth.Error) (int, []byte) {
	return func(result any, refusal *auth.Error) (int, []byte) {
		status, wire := http.StatusNoContent, any(nil)
		switch {
		case refusal != nil:
			entry := wireOf(refusal.Code)
			status, wire = entry.status, entry.body(refusal, false)
		case body != nil:
			status, wire = http.StatusOK, body(result)
		}
		if wire == nil {
			return status, nil
		}
		text, err := json.Marshal(wire, json.Deterministic(true))
		if err != nil {
			return http.StatusInternalServerError, nil // a wire struct of ours always encodes
		}
		return status, text
	}
}

// answering tells how the result of a call is told again, for a call whose answer has a body. It returns the actor of the call.
func answering[R any](c *call, body func(R) any) auth.Actor {
	if c.by.Once != nil {
		c.by.Once.Encode = encode(func(result any) any { return body(result.(R)) })
	}
	return c.by
}

// replay answers as the call was answered before.
func replay(w *httpx.Response, r *auth.Replay) {
	w.Code = auth.CodeReplayed.String()
	if len(r.Body) == 0 {
		w.Empty(r.Status)
		return
	}
	_ = w.Bytes(r.Status, r.Body)
}
