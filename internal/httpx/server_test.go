package httpx_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"countersign/internal/httpx"
)

// serveOne serves one request with one handler for POST /multi/{id} and
// returns the answer and the log.
func serveOne(t *testing.T, r *http.Request, h httpx.Handler) (*httptest.ResponseRecorder, string) {
	t.Helper()
	var log bytes.Buffer
	now := time.Unix(0, 0)
	m := &httpx.Mux{}
	m.Handle("POST", "/multi/{id}", h)
	m.Prefix("/multi", dialect("multi"))
	cfg := httpx.Config{
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    func() time.Time { now = now.Add(1500 * time.Microsecond); return now },
	}
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(http.ErrAbortHandler) {
				t.Errorf("the shell let a panic through: %v", v)
			} else if v != nil {
				rec.Header().Set("Test-Aborted", "yes")
			}
		}()
		m.Handler(cfg).ServeHTTP(rec, r)
	}()
	return rec, log.String()
}

// line parses the one line of a log.
func line(t *testing.T, log string) map[string]any {
	t.Helper()
	var m map[string]any
	if strings.Count(log, "\n") != 1 {
		t.Fatalf("got %d lines, want 1:\n%s", strings.Count(log, "\n"), log)
	}
	if err := json.Unmarshal([]byte(log), &m); err != nil {
		t.Fatalf("%v in %s", err, log)
	}
	return m
}

func TestTheLogLine(t *testing.T) {
	r := httptest.NewRequest("POST", "/multi/path-canary?q=query-canary", strings.NewReader("body-canary"))
	r.Header.Set("Authorization", "header-canary")
	r.Header.Set("User-Agent", "agent-canary")
	rec, log := serveOne(t, r, func(w *httpx.Response, r *http.Request) error {
		w.Tenant, w.Actor = "ten_1", "usr_2"
		return fmt.Errorf("verify password: %w", errors.New("private reason"))
	})
	got := line(t, log)
	delete(got, "time")
	want := map[string]any{
		"level": "ERROR", "msg": "request", "method": "POST", "route": "/multi/{id}", "status": 500.0, "dur_us": 1500.0,
		"bytes": float64(rec.Body.Len()), "request": rec.Header().Get("request-ref"), "client": "192.0.2.1",
		"tenant": "ten_1", "actor": "usr_2", "code": "coded", "cause": "verify password: private reason",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if strings.Contains(log, "canary") {
		t.Errorf("the log repeats the request: %s", log)
	}
	if strings.Contains(rec.Body.String(), "private") {
		t.Errorf("the answer tells the cause: %s", rec.Body)
	}
}

func TestTheLogOfRequestsWithoutRoute(t *testing.T) {
	for target, want := range map[string]string{"/path-canary": "/*", "/multi/path-canary/x?query-canary": "/multi/*", "/multi/%00canary": "/multi/*"} {
		_, log := serveOne(t, httptest.NewRequest("CANARY", target, nil), nil)
		got := line(t, log)
		if got["route"] != want || got["method"] != "other" || got["level"] != "INFO" {
			t.Errorf("%s: got %v, want route %s, method other, level INFO", target, got, want)
		}
		if strings.Contains(strings.ToLower(log), "canary") {
			t.Errorf("the log repeats the request: %s", log)
		}
	}
}

func TestTheLogCannotBeForged(t *testing.T) {
	_, log := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(w *httpx.Response, r *http.Request) error {
		w.Actor = "a\r\nlevel=ERROR\x1b[31m\u202e\x9b\u0085\"}"
		w.Tenant = strings.Repeat("t", 1<<20)
		return errors.New(strings.Repeat("ü", 1<<20) + "\n")
	})
	got := line(t, log)
	if want := `a\r\nlevel=ERROR\x1b[31m\u202e\x9b\u0085"}`; got["actor"] != want {
		t.Errorf("actor is %q, want %q", got["actor"], want)
	}
	if len(log) > 4096 {
		t.Errorf("the line has %d bytes, want a bounded one", len(log))
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	for name, f := range map[string]func(){
		"own value":     func() { panic("secret-canary") },
		"error":         func() { panic(errors.New("secret-canary")) },
		"runtime error": func() { none := []string{}; panic(none[len(none)]) },
		"nil":           func() { panic(nil) },
	} {
		rec, log := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(*httpx.Response, *http.Request) error { f(); return nil })
		if got, want := rec.Body.String(), `"multi: internal"`; rec.Code != 500 || got != want {
			t.Errorf("%s: got %d %s, want 500 %s", name, rec.Code, got, want)
		}
		l := line(t, log)
		if stack, _ := l["stack"].(string); !strings.Contains(stack, "server_test.go") || l["level"] != "ERROR" {
			t.Errorf("%s: no stack or not an ERROR: %v", name, l)
		}
		if strings.Contains(log, "canary") {
			t.Errorf("%s: the log tells the value: %s", name, log)
		}
	}
}

func TestPanicInTheMiddleOfAnAnswerCutsIt(t *testing.T) {
	for name, v := range map[string]any{"panic": "x", "abort": http.ErrAbortHandler} {
		rec, log := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(w *httpx.Response, _ *http.Request) error {
			io.WriteString(w, "half")
			panic(v)
		})
		if rec.Header().Get("Test-Aborted") == "" || rec.Body.String() != "half" {
			t.Errorf("%s: got %q, want half an answer and an abort", name, rec.Body)
		}
		if got := line(t, log); got["status"] != 200.0 || got["cause"] == nil {
			t.Errorf("%s: got %v, want status 200 with a cause", name, got)
		}
	}
}

func TestPanicOfTheErrorFunc(t *testing.T) {
	m := &httpx.Mux{}
	m.Prefix("/", func(*httpx.Response, *http.Request, error) { panic("x") })
	rec := httptest.NewRecorder()
	m.Handler(httpx.Config{}).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if got, want := rec.Body.String(), `{"title":"Internal Server Error","status":500}`; rec.Code != 500 || got != want {
		t.Errorf("got %d %s, want 500 %s", rec.Code, got, want)
	}
}

func TestSilenceIsNotConsent(t *testing.T) {
	rec, _ := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(*httpx.Response, *http.Request) error { return nil })
	if rec.Code != 500 {
		t.Errorf("a handler that did not answer: got %d, want 500", rec.Code)
	}
}

func TestReplyThatCannotBeEncoded(t *testing.T) {
	rec, log := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(w *httpx.Response, _ *http.Request) error {
		return w.JSON(200, map[string]any{"a": make(chan int)})
	})
	if rec.Code != 500 || rec.Body.String() != `"multi: other"` {
		t.Errorf("got %d %s, want a 500 of the dialect", rec.Code, rec.Body)
	}
	if got, _ := line(t, log)["cause"].(string); !strings.HasPrefix(got, "encode reply") {
		t.Errorf("cause is %q", got)
	}
}

func TestClientThatHungUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest("POST", "/multi/1", nil).WithContext(ctx)
	_, log := serveOne(t, r, func(_ *httpx.Response, r *http.Request) error {
		cancel()
		return fmt.Errorf("query: %w", r.Context().Err())
	})
	if got := line(t, log); got["level"] != "INFO" || got["status"] != 499.0 || got["code"] != "client_gone" {
		t.Errorf("got %v, want an INFO line with status 499", got)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	m := testMux()
	m.Handle("GET", "/empty", func(w *httpx.Response, _ *http.Request) error { w.Empty(204); return nil })
	m.Handle("GET", "/cached", func(w *httpx.Response, _ *http.Request) error {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "application/jwk-set+json")
		return w.JSON(200, nil)
	})
	h := m.Handler(httpx.Config{RequestIDHeader: "X-Request"})
	ids := make(map[string]bool)
	for target, want := range map[string][2]string{
		"/":               {"no-store", "application/json"},
		"/multi/users/12": {"no-store", "application/json"},
		"/multi/none":     {"no-store", "application/json"},
		"/none":           {"no-store", "application/problem+json"},
		"/empty":          {"no-store", ""},
		"/cached":         {"max-age=60", "application/jwk-set+json"},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", target, nil))
		got := [2]string{rec.Header().Get("Cache-Control"), rec.Header().Get("Content-Type")}
		if got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
		if got := rec.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options is %q", target, got)
		}
		ids[rec.Header().Get("X-Request")] = true
	}
	if len(ids) != 6 || ids[""] {
		t.Errorf("6 requests got the ids %v", ids)
	}
}

func TestOnlyTheFirstStatusCounts(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &httpx.Response{ResponseWriter: rec}
	w.Empty(204)
	w.WriteHeader(500)
	if w.Status() != 204 || rec.Code != 204 {
		t.Errorf("got %d, sent %d; want 204", w.Status(), rec.Code)
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		t.Errorf("the connection is out of reach: %v", err)
	}
}

func TestRequestIDReachesTheHandler(t *testing.T) {
	var got string
	rec, _ := serveOne(t, httptest.NewRequest("POST", "/multi/1", nil), func(w *httpx.Response, r *http.Request) error {
		got = httpx.RequestID(r)
		w.Empty(204)
		return nil
	})
	if want := rec.Header().Get("Request-Ref"); got != want || !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(got) {
		t.Errorf("got %q, want %q, 26 characters of base32", got, want)
	}
	if got := httpx.RequestID(httptest.NewRequest("GET", "/", nil)); got != "" {
		t.Errorf("outside of a server the id is %q", got)
	}
}

func TestClientAddress(t *testing.T) { // B-62
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:172.16.0.0/108"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name, peer string
		trusted    []netip.Prefix
		header     []string
		want       string
	}{
		{"no proxy", "192.0.2.1:5", trusted, nil, "192.0.2.1"},
		{"peer is not trusted", "192.0.2.1:5", trusted, []string{"198.51.100.1"}, "192.0.2.1"},
		{"nobody is trusted", "10.0.0.1:5", nil, []string{"198.51.100.1"}, "10.0.0.1"},
		{"one proxy", "10.0.0.1:5", trusted, []string{"198.51.100.1"}, "198.51.100.1"},
		{"forged entries", "10.0.0.1:5", trusted, []string{"10.9.9.9, 1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"forged garbage", "10.0.0.1:5", trusted, []string{"<script>,,, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:5", trusted, []string{"1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"lines in order", "10.0.0.1:5", trusted, []string{"1.1.1.1", "198.51.100.1,10.0.0.3", "10.0.0.2"}, "198.51.100.1"},
		{"only proxies", "10.0.0.1:5", trusted, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage that counts", "10.0.0.1:5", trusted, []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:5", trusted, []string{"198.51.100.1, x, 10.0.0.2"}, "10.0.0.1"},
		{"empty", "10.0.0.1:5", trusted, []string{""}, "10.0.0.1"},
		{"empty entry", "10.0.0.1:5", trusted, []string{"198.51.100.1,"}, "10.0.0.1"},
		{"with port", "10.0.0.1:5", trusted, []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6 with port", "10.0.0.1:5", trusted, []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"mapped", "10.0.0.1:5", trusted, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"mapped peer", "[::ffff:10.0.0.1]:5", trusted, []string{"198.51.100.1"}, "198.51.100.1"},
		{"mapped network", "172.16.0.1:5", trusted, []string{"198.51.100.1"}, "198.51.100.1"},
		{"zone of the peer", "[fe80::1%eth0]:5", trusted, []string{"198.51.100.1"}, "fe80::1"},
		{"zone of a hop", "10.0.0.1:5", trusted, []string{"fe80::1%x\"y"}, "fe80::1"},
		{"zone of a proxy", "[fd00::1%eth0]:5", trusted, []string{"198.51.100.1"}, "198.51.100.1"},
		{"list bomb", "10.0.0.1:5", trusted, []string{strings.Repeat("1.1.1.1,", 1<<10) + "198.51.100.1"}, "198.51.100.1"},
		{"socket", "@", trusted, []string{"198.51.100.1"}, "invalid IP"},
	} {
		var got netip.Addr
		m := &httpx.Mux{}
		m.Handle("GET", "/", func(w *httpx.Response, _ *http.Request) error { got = w.Client; w.Empty(204); return nil })
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.header
		for _, h := range []string{"Forwarded", "X-Real-IP", "X_Forwarded_For", "True-Client-IP", "CF-Connecting-IP"} {
			r.Header.Set(h, "203.0.113.9")
		}
		m.Handler(httpx.Config{TrustedProxies: tt.trusted}).ServeHTTP(httptest.NewRecorder(), r)
		if got.String() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, got, tt.want)
		}
	}
}

func TestServerLimits(t *testing.T) {
	s := httpx.NewServer(http.NotFoundHandler(), nil)
	got := []any{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout, s.MaxHeaderBytes}
	want := []any{5 * time.Second, 10 * time.Second, 30 * time.Second, 120 * time.Second, 65536}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// start serves on a real socket and returns a connection to it.
func start(t *testing.T, s *http.Server) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSlowBodyIsAnsweredWith408(t *testing.T) {
	o := operation(t, "POST", "/login")
	m := &httpx.Mux{}
	m.Handle("POST", "/login", func(w *httpx.Response, r *http.Request) error {
		if err := o.Decode(w, r, nil); err != nil {
			return err
		}
		w.Empty(204)
		return nil
	})
	s := httpx.NewServer(m.Handler(httpx.Config{}), nil)
	s.ReadTimeout = 20 * time.Millisecond
	c := start(t, s)
	fmt.Fprint(c, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 408 || !res.Close {
		t.Errorf("got %s, close is %t; want 408 on a closing connection", res.Status, res.Close)
	}
}

func TestLargeHeaderIsAnsweredByItsDialect(t *testing.T) {
	m := &httpx.Mux{}
	m.Prefix("/own", func(w *httpx.Response, _ *http.Request, err error) { _ = w.JSON(httpx.StatusOf(err), "own words") })
	m.Handle("GET", "/own", func(w *httpx.Response, _ *http.Request) error { w.Empty(204); return nil })
	for size, want := range map[int]int{15 << 10: 204, 16 << 10: 431, 60 << 10: 431, 100 << 10: 431} {
		c := start(t, httpx.NewServer(m.Handler(httpx.Config{}), nil))
		go fmt.Fprintf(c, "GET /own HTTP/1.1\r\nHost: x\r\nX-Bomb: %s\r\n\r\n", strings.Repeat("x", size))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.StatusCode; got != want {
			t.Errorf("%d bytes: got %d, want %d", size, got, want)
		}
		if got, want := string(body) == `"own words"`, res.StatusCode == 431 && size < 64<<10; got != want {
			t.Errorf("%d bytes: got %q", size, body)
		}
		res.Body.Close()
	}
}

func TestBrokenBodyIsAnsweredWith400(t *testing.T) {
	m := &httpx.Mux{}
	m.Handle("POST", "/", func(w *httpx.Response, r *http.Request) error { _, err := httpx.ReadBody(r, 100); return err })
	c := start(t, httpx.NewServer(m.Handler(httpx.Config{}), nil))
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, want := res.StatusCode, 400; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestServerSpeaksThroughTheLogger(t *testing.T) {
	lines := make(chan string, 1)
	logger := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) { lines <- string(p) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := start(t, httpx.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		w.WriteHeader(204)
	}), logger))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := <-lines; !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "superfluous") {
		t.Errorf("got %q, want what net/http says at debug level", got)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
