package httpx_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"countersign/internal/httpx"
)

// echo answers with the name of its route and the path values it got.
func echo(name string, values ...string) httpx.Handler {
	return func(w *httpx.Response, r *http.Request) error {
		out := name
		for _, v := range values {
			out += "|" + r.PathValue(v)
		}
		return w.JSON(200, out)
	}
}

// dialect answers errors with its name and what it was told.
func dialect(name string) httpx.ErrorFunc {
	return func(w *httpx.Response, _ *http.Request, err error) {
		w.Code = "coded"
		kind := "other"
		var invalid *httpx.Invalid
		switch {
		case errors.Is(err, httpx.ErrNotFound):
			kind = "not found"
		case errors.Is(err, httpx.ErrMethod):
			kind = "method"
		case errors.Is(err, httpx.ErrInternal):
			kind = "internal"
		case errors.As(err, &invalid):
			kind = "invalid"
		}
		if err := w.JSON(httpx.StatusOf(err), name+": "+kind); err != nil {
			w.Cause = err
		}
	}
}

func testMux() *httpx.Mux {
	m := &httpx.Mux{}
	m.Handle("GET", "/", echo("root"))
	m.Handle("GET", "/multi/users/{user_id}", echo("user", "user_id"))
	m.Handle("PATCH", "/multi/users/{user_id}", echo("patch", "user_id"))
	m.Handle("POST", "/multi/users/me", echo("me"))
	m.Handle("GET", "/multi/users/email/{email}", echo("email", "email"))
	m.Handle("GET", "/multi/docs/{rest...}", echo("docs", "rest"))
	m.Handle("GET", "/.well-known/jwks.json", echo("jwks"))
	m.Handle("GET", "/multi/v2/x", echo("v2"))
	m.Prefix("/multi/v2/", dialect("v2"))
	m.Prefix("/multi", dialect("multi"))
	return m
}

// request sends a request as the wire would have it: the target unparsed.
func request(method, target string) *http.Request { return httptest.NewRequest(method, target, nil) }

func TestRouting(t *testing.T) {
	h := testMux().Handler(httpx.Config{})
	const problem404 = `{"title":"Not Found","status":404}`
	for _, tt := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/", 200, `"root"`},
		{"GET", "//", 200, `"root"`},
		{"GET", "/multi/users/12", 200, `"user|12"`},
		{"GET", "/multi/users/12/", 200, `"user|12"`},
		{"GET", "//multi///users/12//", 200, `"user|12"`},
		{"GET", "/multi/users/12?a=b", 200, `"user|12"`},
		{"GET", "/multi/users/me", 200, `"user|me"`},
		{"GET", "/mul%74i/users/m%C3%A9", 200, `"user|mé"`},
		{"GET", "/multi/users/email/a%2Fb@example.com", 200, `"email|a/b@example.com"`},
		{"GET", "/multi/users/email//a%2fb/", 200, `"email|a/b"`},
		{"GET", "/multi/users/email/a%2F..%2Fb", 200, `"email|a/../b"`},
		{"GET", "/multi/users/email/a+b%2Bc%20d", 200, `"email|a+b+c d"`},
		{"GET", "/multi/users/email/100%25", 200, `"email|100%"`},
		{"GET", "/multi/docs", 200, `"docs|"`},
		{"GET", "/multi/docs/", 200, `"docs|"`},
		{"GET", "/multi/docs/a/b", 200, `"docs|a/b"`},
		{"GET", "/.well-known/jwks.json", 200, `"jwks"`},
		{"GET", "/multi/v2/x", 200, `"v2"`},
		{"HEAD", "/multi/users/12", 200, ``},

		{"GET", "/nothing", 404, problem404},
		{"GET", "/multitude", 404, problem404},
		{"GET", "/multi", 404, `"multi: not found"`},
		{"GET", "/multi/", 404, `"multi: not found"`},
		{"GET", "//multi//nothing", 404, `"multi: not found"`},
		{"GET", "/multi/v2", 404, `"v2: not found"`},
		{"GET", "/multi/v22", 404, `"multi: not found"`},
		{"GET", "/multi/users/%2F", 404, `"multi: not found"`},
		{"GET", "/multi/users/../users/12", 404, `"multi: not found"`},
		{"GET", "/multi/users/%2e%2E/users/12", 404, `"multi: not found"`},
		{"GET", "/multi/./users/12", 404, `"multi: not found"`},
		{"GET", "/multi/users/12/..", 404, `"multi: not found"`},
		{"GET", "/multi/users/a%00b", 400, `"multi: invalid"`},
		{"GET", "/multi/users/%ff", 400, `"multi: invalid"`},
		{"GET", "/multi/users/%c0%ae%c0%ae/x", 400, `"multi: invalid"`},
		{"DELETE", "/multi/users/12", 405, `"multi: method"`},
		{"BREW", "/multi/users/12", 405, `"multi: method"`},
		{"POST", "/", 405, `{"title":"Method Not Allowed","status":405}`},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, request(tt.method, tt.target))
		if rec.Code != tt.status || rec.Body.String() != tt.body {
			t.Errorf("%s %s: got %d %s, want %d %s", tt.method, tt.target, rec.Code, rec.Body, tt.status, tt.body)
		}
		if got := rec.Header().Get("Location"); got != "" {
			t.Errorf("%s %s redirects to %s", tt.method, tt.target, got)
		}
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	h := testMux().Handler(httpx.Config{})
	for target, want := range map[string]string{
		"/multi/users/12":  "GET, HEAD, PATCH",
		"/multi/users/me/": "GET, HEAD, PATCH, POST",
		"/":                "GET, HEAD",
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, request("DELETE", target))
		if got := rec.Header().Get("Allow"); got != want {
			t.Errorf("%s: Allow is %q, want %q", target, got, want)
		}
	}
}

func TestRequestTargetsWithoutPath(t *testing.T) {
	h := testMux().Handler(httpx.Config{})
	r := request("OPTIONS", "/")
	r.RequestURI, r.URL.Path = "*", "*"
	connect := request("GET", "/")
	connect.Method, connect.URL.Path, connect.URL.Host = "CONNECT", "", "example.com:443"
	for _, r := range []*http.Request{r, connect} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if got, want := rec.Code, 404; got != want {
			t.Errorf("%s: got %d, want %d", r.Method, got, want)
		}
	}
}

func TestTheURLOfTheCallerIsNotChanged(t *testing.T) {
	r := request("GET", "//multi/users/12/")
	before := fmt.Sprint(r.URL)
	testMux().Handler(httpx.Config{}).ServeHTTP(httptest.NewRecorder(), r)
	if got := fmt.Sprint(r.URL); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
}

func TestRoutesAreListed(t *testing.T) {
	got := testMux().Routes()[:3]
	want := []httpx.Route{{Method: "GET", Path: "/"}, {Method: "GET", Path: "/multi/users/{user_id}"}, {Method: "PATCH", Path: "/multi/users/{user_id}"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMalformedRoutesPanic(t *testing.T) {
	for _, tt := range []httpx.Route{{"", "/a"}, {"GET", "a"}, {"GET", ""}, {"GET", "/a/"}, {"GET", "/multi/users/{id}"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%q, %q) did not panic", tt.Method, tt.Path)
				}
			}()
			testMux().Handle(tt.Method, tt.Path, echo("x"))
		}()
	}
}

// TestRoutesThatGiveWay: a path that fits two routes is that of Handle, and Allow names the methods of both.
func TestRoutesThatGiveWay(t *testing.T) {
	m := &httpx.Mux{}
	m.Handle("GET", "/users/email/{email}", echo("email"))
	m.Handle("GET", "/users/count", echo("count"))
	m.HandleAfter("GET", "/users/{id}/groups", echo("groups"))
	m.HandleAfter("PUT", "/users/{id}", echo("put"))
	for _, tt := range []struct {
		method, path string
		status       int
		want         string // of the body, or of Allow
	}{
		{"GET", "/users/7/groups", 200, "groups"},
		{"GET", "/users/email/groups", 200, "email"},
		{"PUT", "/users/count", 200, "put"},
		{"DELETE", "/users/count", 405, "GET, HEAD, PUT"},
		{"DELETE", "/users/7/groups", 405, "GET, HEAD"},
		{"GET", "/users/7/other", 404, ""},
	} {
		r := httptest.NewRecorder()
		m.Handler(httpx.Config{}).ServeHTTP(r, request(tt.method, tt.path))
		got := r.Body.String()
		if r.Code != 200 {
			got = r.Header().Get("Allow")
		}
		if r.Code != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s: got %d %q, want %d %q", tt.method, tt.path, r.Code, got, tt.status, tt.want)
		}
	}
}

// TestBefore: it sees every well-formed request, found or not, and its answer or error takes the place of the route's.
func TestBefore(t *testing.T) {
	m := testMux()
	refused := errors.New("refused")
	m.Before(func(w *httpx.Response, r *http.Request) error {
		switch r.URL.Path {
		case "/multi/users/1", "/multi/nothing":
			return w.JSON(299, r.Method)
		case "/multi/users/2":
			return refused
		}
		return nil
	})
	h := m.Handler(httpx.Config{})
	for _, tt := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "//multi/users/1/", 299, `"GET"`},
		{"DELETE", "/multi/users/1", 299, `"DELETE"`},
		{"GET", "/multi/nothing", 299, `"GET"`},
		{"GET", "/multi/users/2", 500, `"multi: other"`},
		{"GET", "/multi/users/3", 200, `"user|3"`},
		{"DELETE", "/multi/users/3", 405, `"multi: method"`},
		{"GET", "/multi/users/%ff", 400, `"multi: invalid"`},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, request(tt.method, tt.target))
		if rec.Code != tt.status || rec.Body.String() != tt.body {
			t.Errorf("%s %s: got %d %s, want %d %s", tt.method, tt.target, rec.Code, rec.Body, tt.status, tt.body)
		}
	}
}
