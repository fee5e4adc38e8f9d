package httpx

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A Mux routes requests to handlers by method and path. It stands on
// [http.ServeMux], whose pattern syntax it takes, but it never redirects:
// several slashes in a row count as one and a slash at the end is ignored.
// A percent-encoded slash does not separate segments, so the address in
// /users/email/a%2Fb arrives whole in PathValue. HEAD follows GET.
//
// The zero Mux is ready to use. Add all routes and prefixes before serving.
type Mux struct {
	mux      http.ServeMux
	after    http.ServeMux // what gives way to it
	routes   []Route
	prefixes []prefix
	before   Handler
}

// A Route is one line of a dialect's list.
type Route struct {
	Method string
	Path   string // in the syntax of http.ServeMux, as it was given to Handle
}

type prefix struct {
	path    string // without a slash at the end; "" is all paths
	onError ErrorFunc
}

// A route is what the ServeMux holds. It does not serve, it is found: the
// ServeMux sets the path values of a request only on its way to a handler.
type route struct {
	path string
	h    Handler
}

func (rt *route) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if c, ok := w.(*catch); ok {
		c.route = rt
	}
}

// Handle adds a route. The path has no slash at the end, and may have
// wildcards: /multi/users/{user_id}, or {rest...} as its last segment, which
// then matches nothing, too. Like [http.ServeMux.Handle] it panics when the
// pattern is wrong or collides with another: routes are code, not input.
func (m *Mux) Handle(method, path string, h Handler) { m.handle(&m.mux, method, path, h) }

// HandleAfter adds a route that gives way to those of [Mux.Handle] where a path
// fits both: /users/{user_id}/groups to /users/email/{email}, which
// http.ServeMux would not have beside each other.
func (m *Mux) HandleAfter(method, path string, h Handler) { m.handle(&m.after, method, path, h) }

func (m *Mux) handle(mux *http.ServeMux, method, path string, h Handler) {
	if method == "" || !strings.HasPrefix(path, "/") || path != "/" && strings.HasSuffix(path, "/") {
		panic("httpx: malformed route " + method + " " + path)
	}
	m.routes = append(m.routes, Route{Method: method, Path: path})
	rt := &route{path: path, h: h}
	if strings.HasSuffix(path, "...}") {
		// Without this, ServeMux would redirect /docs to /docs/.
		mux.Handle(method+" "+exactly(path[:strings.LastIndexByte(path, '/')]), rt)
	}
	mux.Handle(method+" "+exactly(path), rt)
}

// exactly returns the pattern for a path: a bare slash would match them all.
func exactly(path string) string {
	if path == "" || path == "/" {
		return "/{$}"
	}
	return path
}

// Prefix says which dialect answers errors at and below a path, among them
// paths that have no route ([ErrNotFound]) and methods that these do not have
// ([ErrMethod]). The longest prefix of whole segments wins; a path below none
// is answered by [Problem].
func (m *Mux) Prefix(path string, onError ErrorFunc) {
	m.prefixes = append(m.prefixes, prefix{strings.TrimRight(path, "/"), onError})
}

// Before sets a handler that sees each well-formed request before its route
// does, whether it has one or not. Once it has written something, or returned
// an error, the route is not asked.
func (m *Mux) Before(h Handler) { m.before = h }

// Routes returns all routes in the order in which they were added.
func (m *Mux) Routes() []Route { return append([]Route(nil), m.routes...) }

// errorFunc returns the prefix that a request is below, and its ErrorFunc.
func (m *Mux) errorFunc(r *http.Request) prefix {
	best := prefix{onError: Problem}
	for _, p := range m.prefixes {
		rest, ok := strings.CutPrefix(r.URL.Path, p.path)
		if ok && (rest == "" || rest[0] == '/') && len(p.path) >= len(best.path) {
			best = p
		}
	}
	return best
}

// serve runs the handler of a request.
func (m *Mux) serve(w *Response, r *http.Request) error {
	if err := clean(r); err != nil {
		return err
	}
	if headerSize(r) > maxHeader {
		return invalid(http.StatusRequestHeaderFieldsTooLarge, "the header is too large")
	}
	rt, err := m.find(w, r)
	if rt != nil {
		w.route = rt.path
	}
	if m.before != nil {
		if err := m.before(w, r); err != nil || w.status != 0 {
			return err
		}
	}
	if err != nil {
		return err
	}
	if name, found := credentialInQuery(r); found {
		return invalid(http.StatusBadRequest, name+" must not stand in the query: addresses are kept in logs and histories")
	}
	if err := rt.h(w, r); err != nil {
		return err
	}
	if w.status == 0 {
		// The empty 200 that net/http would send could be taken for consent.
		return fmt.Errorf("%w: the handler returned without an answer", ErrInternal)
	}
	return nil
}

// find returns the route of a request and sets the request's path values.
func (m *Mux) find(w *Response, r *http.Request) (*route, error) {
	var allow []string
	for _, mux := range []*http.ServeMux{&m.mux, &m.after} {
		var c catch
		mux.ServeHTTP(&c, r)
		if c.route != nil {
			return c.route, nil
		}
		if c.status == http.StatusMethodNotAllowed {
			allow = append(allow, c.header["Allow"]...)
		}
	}
	if allow == nil {
		return nil, ErrNotFound
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return nil, ErrMethod
}

// A catch is served by the ServeMux in place of the real answer: it notes the
// route that was found, or swallows the ServeMux's own 404, 405 or redirect.
type catch struct {
	route  *route
	status int
	header http.Header
}

func (c *catch) Header() http.Header {
	if c.header == nil {
		c.header = make(http.Header)
	}
	return c.header
}

func (c *catch) Write(p []byte) (int, error) { return len(p), nil }
func (c *catch) WriteHeader(status int)      { c.status = status }

// clean brings the path of a request into the one form that is routed, and
// refuses what no client has a reason to send.
func clean(r *http.Request) error {
	path := r.URL.EscapedPath()
	if plain(path) {
		return nil
	}
	if !strings.HasPrefix(path, "/") {
		return ErrNotFound // CONNECT, OPTIONS *
	}
	var err error
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	decoded := make([]string, len(segments))
	for i, s := range segments {
		// net/http has decoded the path before, so this cannot fail.
		d, _ := url.PathUnescape(s)
		decoded[i] = d
		switch {
		case !utf8.ValidString(d) || strings.ContainsRune(d, 0):
			err = &Invalid{Status: http.StatusBadRequest, Message: "the path is not valid UTF-8 text"}
		case err == nil && (d == "." || d == ".."):
			err = ErrNotFound
		}
	}
	u := *r.URL
	u.Path = "/" + strings.Join(decoded, "/")
	u.RawPath = "/" + strings.Join(segments, "/")
	r.URL = &u // the request is the Handler's own copy; the URL was not
	return err
}

// plain reports whether a path is clean as it stands, which nearly all are.
func plain(path string) bool {
	if path == "/" {
		return true
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '%' || c >= utf8.RuneSelf:
			return false
		case c == '/' && (i+1 == len(path) || path[i+1] == '/' || path[i+1] == '.'):
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}
