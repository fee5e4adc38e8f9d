package sandbox_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/sandbox"
)

// serve mounts the sandbox beside two endpoints that answer 200.
func serve(t *testing.T, c sandbox.Config) http.Handler {
	t.Helper()
	h, _ := mounted(t, c, nil)
	return h
}

func mounted(t *testing.T, c sandbox.Config, log *slog.Logger) (http.Handler, *httpx.Mux) {
	t.Helper()
	if c.Clock == nil {
		c.Clock = &sandbox.Clock{}
	}
	if c.Render == nil {
		c.Render = func(m auth.Message) (string, string) { return "about " + string(m.Template), "your code is " + m.Code }
	}
	s, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := &httpx.Mux{}
	if err := s.Mount(mux); err != nil {
		t.Fatal(err)
	}
	return sandbox.Mark(mux.Handler(httpx.Config{Logger: log})), mux
}

// hashSource is how a content security policy names a text.
func hashSource(text string) string {
	hash := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(hash[:])
}

// decoded reads an answer that has to have a status.
func decoded[T any](t *testing.T, r *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	if r.Code != status {
		t.Fatalf("got %d %s, want %d", r.Code, r.Body, status)
	}
	if err := json.Unmarshal(r.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

func TestDocumentsAndRoutesAgree(t *testing.T) {
	t.Parallel()
	_, mux := mounted(t, sandbox.Config{}, nil)
	described := map[httpx.Route]bool{}
	for _, requests := range [][]byte{api.SandboxRequests(), api.SimulateRequests()} {
		doc, err := httpx.OpenDoc(requests)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range doc.Operations() {
			described[httpx.Route{Method: op.Method, Path: op.Path}] = true
		}
	}
	for _, route := range mux.Routes() {
		if !described[route] {
			t.Errorf("%s %s is served and not described", route.Method, route.Path)
		}
		delete(described, route)
	}
	for route := range described {
		t.Errorf("%s %s is described and not served", route.Method, route.Path)
	}
}

// TestEveryAnswerSaysSandbox is A-066, for refusals and unknown paths too.
func TestEveryAnswerSaysSandbox(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	for _, path := range []string{"/sandbox/clock", "/sandbox/nothing", "/nowhere", "/sandbox/%ff"} {
		r := httpxtest.Call{Method: "GET", Path: path}.Do(h)
		if got := r.Header().Get("countersign-mode"); got != "sandbox" {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

// TestNoOtherPagePressesButtons: a web page that is open beside the sandbox changes nothing in it.
func TestNoOtherPagePressesButtons(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	for _, tt := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"a program", nil, http.StatusOK},
		{"our own page", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusOK},
		{"our own page, in an old browser", map[string]string{"Origin": "http://example.com"}, http.StatusOK}, // httptest's Host
		{"another page", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"another port of this machine", map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{"another page, in an old browser", map[string]string{"Origin": "http://evil.example"}, http.StatusForbidden},
		{"a page of nowhere", map[string]string{"Origin": "null"}, http.StatusForbidden},
	} {
		r := httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `{"advance":"1s"}`, Header: tt.header}.Do(h)
		if r.Code != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, r.Code, r.Body, tt.status)
		}
	}
}

// TestMistakesAreExplained: whoever writes a test reads in the answer what is wrong with it.
func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	for _, tt := range []struct {
		call   httpxtest.Call
		status int
		detail string
	}{
		{httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `{"advanced":"1h"}`}, 400, "unknown member"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `{"advance":1}`}, 400, "advance must be of type string"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `{"advance":"1 hour"}`}, 400, "such as 30m"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `advance=1h`}, 400, "not valid JSON"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/clock", Body: `advance=1h`,
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "not application/json"},
		{httpxtest.Call{Method: "GET", Path: "/sandbox/in-box"}, 404, "/docs/sandbox.yaml"},
		{httpxtest.Call{Method: "GET", Path: "/sandbox/inbox?refresh=off"}, 400, "refresh must be one of on"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/phone/demo/12", Body: `{"decision":"accept"}`}, 400, "approve, deny, fail, expire"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/phone/demo/12", Body: `decision=accept`,
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 400, "approve, deny, fail, expire"},
		{httpxtest.Call{Method: "POST", Path: "/sandbox/phone/demo/x", Body: `{"decision":"deny"}`}, 400, "challenge"},
	} {
		r := tt.call.Do(h)
		if got := r.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s %s: got %s", tt.call.Path, tt.call.Body, got)
		}
		p := decoded[struct {
			Title, Detail string
			Status        int
		}](t, r, tt.status)
		if !strings.Contains(p.Detail, tt.detail) || p.Status != tt.status || p.Title == "" {
			t.Errorf("%s %s: got %s, want %q", tt.call.Path, tt.call.Body, r.Body, tt.detail)
		}
	}
}
