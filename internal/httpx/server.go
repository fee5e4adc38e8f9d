package httpx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Config holds what a server shell needs from outside. Its zero value works:
// it logs nothing and trusts no proxy.
type Config struct {
	// Logger takes one line for each request.
	Logger *slog.Logger
	// Now is the clock that durations in the log are measured with, so it must
	// run on while the domain's clock stands. The default is time.Now.
	Now func() time.Time
	// TrustedProxies are the networks whose X-Forwarded-For is believed. An
	// empty list believes nobody.
	TrustedProxies []netip.Prefix
	// RequestIDHeader is the header of every answer that holds its request id.
	// The default is "request-ref".
	RequestIDHeader string
}

// Handler returns the server shell around the routes.
//
// It gives each request an id and a client address, recovers from panics,
// hands errors to the [ErrorFunc] of their prefix and logs one line at the
// end: the pattern of the route, never the path or query (they hold e-mail
// addresses), and no header or body.
func (m *Mux) Handler(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.RequestIDHeader == "" {
		cfg.RequestIDHeader = "request-ref"
	}
	proxies := newProxies(cfg.TrustedProxies)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := cfg.Now()
		id := rand.Text()
		w := &Response{ResponseWriter: rw, Client: proxies.client(r), head: r.Method == http.MethodHead}
		rw.Header().Set(cfg.RequestIDHeader, id)
		careful(rw.Header())
		r = r.WithContext(withRequestID(r.Context(), id))

		complete := m.answer(w, r)
		logRequest(cfg.Logger, w, r, id, cfg.Now().Sub(start))
		if !complete {
			panic(http.ErrAbortHandler) // cuts the connection, so that half an answer is not taken for a whole
		}
	})
}

// answer serves a request and its error, and reports whether the client was
// sent a complete answer.
func (m *Mux) answer(w *Response, r *http.Request) bool {
	err := protect(w, func() error { return m.serve(w, r) })
	if err == nil {
		return true
	}
	if w.Cause == nil {
		w.Cause = err
	}
	p := m.errorFunc(r)
	if w.route == "" {
		w.route = p.path + "/*"
	}
	switch {
	case w.status != 0 || errors.Is(err, http.ErrAbortHandler):
		return false
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		// The client hung up: neither its error nor ours. 499 is nginx's name.
		w.Code = "client_gone"
		w.WriteHeader(499)
		return true
	}
	if again := protect(w, func() error { p.onError(w, r, err); return nil }); again != nil {
		w.Cause = errors.Join(w.Cause, again)
	}
	if w.status == 0 {
		Problem(w, r, ErrInternal)
	}
	return true
}

// protect turns a panic of f into an error.
func protect(w *Response, f func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			w.stack = string(debug.Stack())
			err = fmt.Errorf("%w: panic: %w", ErrInternal, v)
		default:
			if v == any(http.ErrAbortHandler) {
				err = http.ErrAbortHandler
				return
			}
			// The value could hold anything, a secret too; its type and the
			// stack say where to look.
			w.stack = string(debug.Stack())
			err = fmt.Errorf("%w: panic with a %T", ErrInternal, v)
		}
	}()
	return f()
}

// StatusOf returns the HTTP status of the errors that this package raises, and
// 500 for all others.
func StatusOf(err error) int {
	var invalid *Invalid
	switch {
	case errors.As(err, &invalid):
		return invalid.Status
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrMethod):
		return http.StatusMethodNotAllowed
	}
	return http.StatusInternalServerError
}

func logRequest(l *slog.Logger, w *Response, r *http.Request, id string, took time.Duration) {
	level := slog.LevelInfo
	if w.status >= 500 {
		level = slog.LevelError
	}
	if !l.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", knownMethod(r.Method)),
		slog.String("route", w.route),
		slog.Int("status", w.status),
		slog.Int64("dur_us", took.Microseconds()),
		slog.Int64("bytes", w.bytes),
		slog.String("request", id))
	if w.Client.IsValid() {
		attrs = append(attrs, slog.String("client", w.Client.String()))
	}
	text := func(key, value string, limit int) {
		if value != "" {
			attrs = append(attrs, slog.String(key, printable(value, limit)))
		}
	}
	text("tenant", w.Tenant, 64)
	text("actor", w.Actor, 128)
	text("code", w.Code, 64)
	if w.Cause != nil {
		text("cause", w.Cause.Error(), 1024)
	}
	text("stack", w.stack, 16<<10)
	l.LogAttrs(r.Context(), level, "request", attrs...)
}

// knownMethod keeps what a client made up out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "other"
}

// printable returns s with all that is not printable escaped, cut to about
// limit bytes. A log handler escapes what its own syntax needs; a terminal
// needs more.
func printable(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	clean := true
	for i := range len(s) {
		clean = clean && s[i] >= ' ' && s[i] < 0x7f
	}
	if clean && !cut {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// maxHeader is how large the head of a request may be, in bytes, before its dialect refuses it.
const maxHeader = 16 << 10

// headerSize returns about how large the head of a request was.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	return size
}

// NewServer returns a server with the limits that keep slow and oversized
// requests from holding it up. What net/http itself has to say (refused
// handshakes, malformed requests) goes to the logger at debug level.
func NewServer(h http.Handler, l *slog.Logger) *http.Server {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    4 * maxHeader, // beyond which net/http itself answers 431, in plain text
		ErrorLog:          slog.NewLogLogger(l.Handler(), slog.LevelDebug),
	}
}
