package httpx

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/go-json-experiment/json"
)

// A Handler answers one request, or returns why it could not. After an error
// it must not have written anything; the [ErrorFunc] of the route's prefix
// writes the answer.
type Handler func(w *Response, r *http.Request) error

// An ErrorFunc turns an error into the bytes of one dialect. It is called with
// [ErrNotFound], [ErrMethod] and [ErrInternal] (test with errors.Is), with
// [*Invalid] (errors.As), and with whatever the handlers below its prefix
// return. It sets w.Code to what the dialect calls the error; the cause is
// already noted. An error it does not know is a 500 whose text stays private.
type ErrorFunc func(w *Response, r *http.Request, err error)

// A Fault is an error that the package itself raises.
type Fault string

const (
	// ErrNotFound: no route has this path. 404.
	ErrNotFound Fault = "no such path"
	// ErrMethod: a route has this path, but not with this method. 405; the
	// Allow header is already set (RFC 9110 §15.5.6).
	ErrMethod Fault = "method not allowed"
	// ErrInternal: a handler panicked or returned without answering. 500.
	ErrInternal Fault = "internal error"
)

func (f Fault) Error() string { return string(f) }

// Response is the [http.ResponseWriter] of one request, and the notes for its
// one log line. Its zero value around a ResponseWriter is ready to use.
type Response struct {
	http.ResponseWriter

	Tenant string // on whose behalf, once known
	Actor  string // who asked, once known: an id, never a secret or an e-mail address
	Code   string // the dialect's word for the outcome, if it is an error
	Cause  error  // why, for the log alone; defaults to the handler's error

	// Client is the address the request came from, as far as the proxies we
	// trust can tell. It is the zero Addr if the connection has none.
	Client netip.Addr

	head   bool // the request is a HEAD: no body goes out
	status int  // 0 until the header is written
	bytes  int64
	route  string
	stack  string
}

// Status returns the status that was written, or 0.
func (w *Response) Status() int { return w.status }

// Unwrap lets [http.ResponseController] reach the connection.
func (w *Response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader writes the header. Only the first final status counts.
func (w *Response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body. The answer to a HEAD has none.
func (w *Response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(p), nil
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// JSON answers with v. Nothing is written when v cannot be encoded, so that
// the caller's error can still be answered. Headers that the handler has set
// are kept: the content type is application/json and the answer is not stored
// by caches unless it said otherwise.
//
// The encoding is that of JSON v2: nil slices and maps are [] and {}, and
// "omitempty" leaves out what encodes as empty text, array, object or null
// (for numbers and booleans it is "omitzero").
func (w *Response) JSON(status int, v any) error {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	return w.Bytes(status, body)
}

// Bytes answers with JSON that is encoded already.
func (w *Response) Bytes(status int, body []byte) error {
	h := w.Header()
	careful(h)
	setDefault(h, "Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write reply: %w", err)
	}
	return nil
}

// Empty answers with a status alone.
func (w *Response) Empty(status int) {
	careful(w.Header())
	w.WriteHeader(status)
}

// careful sets the headers that every answer has unless its handler knows
// better: most answers hold a token or personal data, and none is to be
// guessed at by a browser.
func careful(h http.Header) {
	setDefault(h, "Cache-Control", "no-store")
	setDefault(h, "X-Content-Type-Options", "nosniff")
}

func setDefault(h http.Header, key, value string) {
	if _, ok := h[key]; !ok {
		h[key] = []string{value}
	}
}

// Problem is the [ErrorFunc] for paths that belong to no dialect: an RFC 9457
// document that holds the status and its name, and nothing else.
func Problem(w *Response, _ *http.Request, err error) {
	status := StatusOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	// The value below always encodes, and there is no one left to tell of a
	// connection that broke.
	_ = w.JSON(status, struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
	}{http.StatusText(status), status})
}

// RequestID returns the id of the request, which is also in the header of its
// answer and in its log line: 26 letters and digits that hold 128 random bits.
// It is empty outside of [Mux.Handler].
func RequestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}
