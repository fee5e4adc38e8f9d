package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/jose"
	"countersign/internal/oidc"
)

const pushPath = "/oidc/request"

// push sends the usual authorization request ahead, with some parameters set otherwise.
func (s *server) push(t *testing.T, params ...string) *httptest.ResponseRecorder {
	t.Helper()
	q := asked(append([]string{"client_secret", secret}, params...)...)
	c := form(q.Encode())
	c.Path = pushPath
	r := c.Do(s)
	if err := httpxtest.Conforms(s.doc, "POST", pushPath, r); err != nil {
		t.Error(err)
	}
	return r
}

func (s *server) pushed(t *testing.T, params ...string) string {
	t.Helper()
	r := s.push(t, params...)
	var out struct {
		URI       string `json:"request_uri"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal(r.Body.Bytes(), &out); err != nil || r.Code != http.StatusCreated || out.ExpiresIn != 60 {
		t.Fatalf("got %d %s", r.Code, r.Body)
	}
	return out.URI
}

// follow sends the browser with a request_uri, and what else is given.
func (b *browser) follow(uri string, params ...string) *httptest.ResponseRecorder {
	q := url.Values{"client_id": {"app"}, "request_uri": {uri}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return b.do("GET", authPath+"?"+q.Encode(), nil)
}

// TestPushedRequest goes through the flow with one, beside which no other parameter counts (RFC 9126; A-109).
func TestPushedRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	uri := s.pushed(t, "nonce", "a pushed nonce", "login_hint", "ada@example.com")
	page := b.follow(uri, "redirect_uri", "https://evil.example/", "scope", "email", "nonce", "another", "state", "another", "prompt", "none",
		"response_type", "token", "code_challenge", "x")
	wantPage(t, page, 200, `value="ada@example.com"`)
	done := b.logIn(page)
	if got := returned(t, done).Get("state"); got != "a state" {
		t.Errorf("state: got %q", got)
	}
	if got := payload(t, s.redeem(t, code(t, done)).IDToken)["nonce"]; got != "a pushed nonce" {
		t.Errorf("nonce: got %v", got)
	}
	if got := s.push(t).Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q", got)
	}
	code(t, b.do("GET", b.do("POST", authPath, url.Values{"client_id": {"app"}, "request_uri": {s.pushed(t)}}).Header().Get("Location"), nil))
}

// TestPushedRequestsAreGoodOnce: once, for a minute, for one client, on any node (RFC 9126 §2.2, §7; A-109).
func TestPushedRequestsAreGoodOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	code(t, b.logIn(b.ask()))
	used, old, foreign := s.pushed(t), s.pushed(t), s.pushed(t)
	code(t, b.follow(used))
	wantPage(t, b.follow(used), 400, `role="alert"`)
	wantError(t, b.follow(used, "redirect_uri", callback), "invalid_request_uri") // who can be told is told
	wantPage(t, b.follow(foreign, "client_id", "other"), 400, `role="alert"`)
	wantPage(t, b.follow(foreign, "client_id", "rival-app"), 400, `role="alert"`)
	wantPage(t, b.follow(foreign, "client_id", ""), 400, `role="alert"`)
	code(t, b.follow(foreign)) // and was not used up by them
	s.Clock.Advance(time.Minute - time.Microsecond)
	code(t, b.follow(s.pushed(t)))
	s.Clock.Advance(time.Microsecond)
	wantPage(t, b.follow(old), 400, `role="alert"`)

	mux := &httpx.Mux{}
	oidc.New(s.Another(t, nil), "https://auth.example").Mount(mux)
	nodes := []http.Handler{s, mux.Handler(httpx.Config{})}
	crowd := s.pushed(t)
	var mu sync.Mutex
	var all sync.WaitGroup
	won := 0
	for i := range 20 {
		all.Go(func() {
			r := httpxtest.Call{Method: "GET", Path: authPath + "?client_id=app&request_uri=" + url.QueryEscape(crowd)}.Do(nodes[i%2])
			if r.Code == http.StatusOK { // the login page, for it brings no cookies
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("of twenty at once: got %d, want 1", won)
	}
}

// TestForeignRequestURIs: nothing is fetched, whatever the URI says.
func TestForeignRequestURIs(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	var asked []string
	var mu sync.Mutex
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
	}))
	t.Cleanup(elsewhere.Close)
	good := s.pushed(t)
	altered := good[:len(good)-8] + "A" + good[len(good)-7:]
	if altered == good {
		altered = good[:len(good)-8] + "B" + good[len(good)-7:]
	}
	for _, uri := range []string{
		elsewhere.URL + "/request", "https://app.example/request", "http://169.254.169.254/latest", "file:///etc/passwd", "urn:other",
		"urn:ietf:params:oauth:request_uri:", "urn:ietf:params:oauth:request_uri:made-up", altered, good + "A", good + "=", strings.ToUpper(good), " " + good,
	} {
		b := s.browser(t)
		wantPage(t, b.follow(uri), 400, `role="alert"`)
		wantError(t, b.ask("request_uri", uri), "invalid_request_uri")
	}
	if len(asked) > 0 {
		t.Errorf("fetched %q", asked)
	}
}

// TestRefusedPushes: what is wrong with a request is told when it is pushed, and nothing is kept (RFC 9126 §2.3).
func TestRefusedPushes(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, tt := range []struct {
		title, want string
		status      int
		params      []string
	}{
		{"a wrong secret", "invalid_client", 401, []string{"client_secret", "wrong"}},
		{"no secret", "invalid_client", 401, []string{"client_secret", ""}},
		{"a stranger", "invalid_client", 401, []string{"client_id", "stranger"}},
		{"another redirect URI", "invalid_request", 400, []string{"redirect_uri", "https://evil.example/"}},
		{"no redirect URI", "invalid_request", 400, []string{"redirect_uri", ""}},
		{"no response_type", "invalid_request", 400, []string{"response_type", ""}},
		{"implicit", "unsupported_response_type", 400, []string{"response_type", "token"}},
		{"no PKCE", "invalid_request", 400, []string{"code_challenge", "", "code_challenge_method", ""}},
		{"plain", "invalid_request", 400, []string{"code_challenge_method", "plain"}},
		{"no openid", "invalid_scope", 400, []string{"scope", "email"}},
		{"a foreign resource", "invalid_target", 400, []string{"resource", "https://other.example"}},
		{"a prompt", "invalid_request", 400, []string{"prompt", "create"}},
		{"broken claims", "invalid_request", 400, []string{"claims", "{"}},
		{"a request object", "request_not_supported", 400, []string{"request", "x.y.z"}},
		{"a registration", "registration_not_supported", 400, []string{"registration", "{}"}},
		{"a request_uri", "invalid_request", 400, []string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}},
		{"too long for the login page", "invalid_request", 400, []string{"state", strings.Repeat("s", 3072)}},
		{"a management client", "invalid_request", 400, []string{"client_id", "admin", "client_secret", "test secret of admin"}},
	} {
		r := s.push(t, tt.params...)
		var body struct{ Error, Message string }
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil || r.Code != tt.status || body.Error != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.title, r.Code, r.Body, tt.status, tt.want)
		}
	}
	if r := s.push(t, "max_age", "x"); !strings.Contains(r.Body.String(), "max_age") {
		t.Errorf("the parameter is not named: %s", r.Body)
	}
	// Who the client is may be said by Basic; another client_id beside it is none.
	q := asked("client_id", "")
	c := basic("app", "test+secret+of+app", q.Encode())
	c.Path = "/cis" + pushPath
	if r := c.Do(s); r.Code != http.StatusCreated {
		t.Errorf("by Basic, below /cis: got %d %s", r.Code, r.Body)
	}
	for _, e := range s.events(t, "app") {
		if e.Kind == auth.EventAuthorized {
			t.Error("a push authorized something")
		}
	}
}

// TestPushedRequestOnly: a client may be held to pushing, and is told so (RFC 9126 §6).
func TestPushedRequestOnly(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.RequirePAR = true }))
	b := s.browser(t)
	r := b.ask()
	wantError(t, r, "invalid_request")
	if got := returned(t, r).Get("error_description"); !strings.Contains(got, "request_uri") {
		t.Errorf("got %q", got)
	}
	code(t, b.logIn(b.follow(s.pushed(t))))
	wantError(t, b.ask("prompt", "none"), "invalid_request")
	code(t, b.ask("client_id", "other")) // which is not held to it
}

// TestPushesOfAnyClient: a public client and one with keys push as they authenticate elsewhere.
func TestPushesOfAnyClient(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, public))
	b := s.browser(t)
	code(t, b.logIn(b.follow(s.pushed(t, "client_secret", ""))))
	k := serveKeyed(t, jose.ES256)
	b = k.browser(t)
	uri := k.pushed(t, "client_secret", "", "client_assertion_type", assertionType, "client_assertion", k.assertion(t, nil))
	code(t, b.logIn(b.follow(uri)))
	spent := k.assertion(t, nil)
	k.pushed(t, "client_secret", "", "client_assertion_type", assertionType, "client_assertion", spent)
	if r := asserted(spent).Do(k); r.Code != http.StatusUnauthorized {
		t.Errorf("an assertion of a push at the token endpoint: got %d", r.Code)
	}
}

// events are those of what a client of the tenant demo did.
func (s *server) events(t *testing.T, id auth.ClientID) (its []auth.Event) {
	t.Helper()
	err := s.Store.View(t.Context(), func(r auth.Reads) error {
		all, err := r.Events(authtest.Demo, "", 1000)
		for _, e := range all {
			if e.Client == id {
				its = append(its, e)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(fmt.Errorf("read events: %w", err))
	}
	return its
}
