package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
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
	"countersign/internal/oidc"
)

// TestCodeFlow goes through the flow once, and looks at all that it gives (OIDC Core §3.1; security ).
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	page := b.ask("login_hint", "ada@example.com")
	wantPage(t, page, 200, `<label for="password">`)
	wantPage(t, page, 200, `value="ada@example.com"`)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := page.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	policy := page.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://app.example"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy: got %q, want %q in it", policy, want)
		}
	}
	if text := page.Body.String(); strings.Contains(text, "<script") || strings.Contains(text, "://") {
		t.Errorf("the page needs a script or another origin:\n%s", text)
	}
	done := b.logIn(page)
	for _, c := range append(page.Result().Cookies(), done.Result().Cookies()...) {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie: got %s", c)
		}
	}
	if got := returned(t, done).Get("state"); got != "a state" {
		t.Errorf("state: got %q", got)
	}
	set := s.redeem(t, code(t, done))
	if set.RefreshToken != "" || set.Scope != "openid" {
		t.Errorf("got scope %q and a refresh token %t, want openid alone", set.Scope, set.RefreshToken != "")
	}
	sum := sha256.Sum256([]byte(set.AccessToken))
	id, access := payload(t, set.IDToken), payload(t, set.AccessToken)
	for name, want := range map[string]any{
		"iss": authtest.Issuer, "sub": "1001", "aud": "app", "nonce": "a nonce", "acr": "pwd", "auth_time": float64(authtest.Start().Unix()),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	} {
		if id[name] != want {
			t.Errorf("%s: got %v, want %v", name, id[name], want)
		}
	}
	if got := fmt.Sprintf("%v %v %v %v", id["amr"], access["acr"], access["scope"], access["aud"]); got != "[pwd] pwd openid userid-api" {
		t.Errorf("got %s", got)
	}
}

// TestCookiesOfLoopback: without TLS a browser takes no Secure cookie, and no name of one.
func TestCookiesOfLoopback(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	mux := &httpx.Mux{}
	oidc.New(s.Service, "http://127.0.0.1:8080").Mount(mux)
	s.Handler = mux.Handler(httpx.Config{})
	b := s.browser(t)
	for _, c := range append(b.logIn(b.ask()).Result().Cookies(), b.ask("prompt", "login").Result().Cookies()...) {
		if strings.HasPrefix(c.Name, "__Host-") || c.Secure || !c.HttpOnly {
			t.Errorf("cookie: got %s", c)
		}
	}
}

// TestRefusedRequests are refusals that the client is told (RFC 6749 §4.1.2.1; security, B-42).
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, tt := range []struct {
		title, want string
		params      []string
	}{
		{"no response_type", "invalid_request", []string{"response_type", ""}},
		{"implicit", "unsupported_response_type", []string{"response_type", "id_token token"}},
		{"hybrid", "unsupported_response_type", []string{"response_type", "code id_token"}},
		{"another response_mode", "invalid_request", []string{"response_mode", "form_post"}},
		{"no PKCE", "invalid_request", []string{"code_challenge", "", "code_challenge_method", ""}},
		{"no challenge", "invalid_request", []string{"code_challenge", ""}},
		{"no method, which means plain", "invalid_request", []string{"code_challenge_method", ""}},
		{"plain", "invalid_request", []string{"code_challenge_method", "plain"}},
		{"a challenge that is no hash", "invalid_request", []string{"code_challenge", verifier + "A"}},
		{"a short challenge", "invalid_request", []string{"code_challenge", verifier[:42]}},
		{"no scope", "invalid_scope", []string{"scope", ""}},
		{"no openid", "invalid_scope", []string{"scope", "email"}},
		{"an unknown prompt", "invalid_request", []string{"prompt", "create"}},
		{"none and another prompt", "invalid_request", []string{"prompt", "none login"}},
		{"none without a session", "login_required", []string{"prompt", "none"}},
		{"max_age that is no number", "invalid_request", []string{"max_age", "-1"}},
		{"a long nonce", "invalid_request", []string{"nonce", strings.Repeat("n", 513)}},
		{"a foreign resource", "invalid_target", []string{"resource", "https://other.example"}},
		{"a broken claims", "invalid_request", []string{"claims", "{"}},
		{"a request object", "request_not_supported", []string{"request", "x.y.z"}},
		{"a request by reference", "invalid_request_uri", []string{"request_uri", "https://app.example/r"}},
		{"a registration", "registration_not_supported", []string{"registration", "{}"}},
	} {
		r := s.browser(t).ask(tt.params...)
		wantError(t, r, tt.want)
		if got := returned(t, r).Get("state"); got != "a state" {
			t.Errorf("%s: state: got %q", tt.title, got)
		}
	}
	two := asked()
	two["resource"] = []string{authtest.Resource, authtest.Resource}
	wantError(t, s.browser(t).do("GET", authPath+"?"+two.Encode(), nil), "invalid_target")
}

// TestRequestsThatGoNowhere: without a registered redirect URI nobody but the user is told (B-41, A-094). TestRedirectCorpus has the URIs.
func TestRequestsThatGoNowhere(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, params := range [][]string{
		{"client_id", ""}, {"client_id", "stranger"}, {"client_id", "admin"}, {"redirect_uri", ""},
	} {
		r := s.browser(t).ask(append(params, "prompt", "none")...)
		wantPage(t, r, 400, `role="alert"`)
		if to := r.Header().Get("Location"); to != "" {
			t.Errorf("%q: sent to %q", params, to)
		}
	}
	wantPage(t, s.browser(t).ask("state", strings.Repeat("s", 4000)), 400, "too long")
	// Who does not ask for a page gets JSON.
	r := httpxtest.Call{Method: "GET", Path: authPath}.Do(s)
	if err := httpxtest.Conforms(s.doc, "GET", authPath, r); err != nil || r.Code != 400 {
		t.Errorf("got %d %s: %v", r.Code, r.Body, err)
	}
	// A registered URI with a query keeps it.
	q := s.browser(t).ask("redirect_uri", "https://app.example/query?a=1", "prompt", "none")
	if to := q.Header().Get("Location"); !strings.HasPrefix(to, "https://app.example/query?a=1&error=login_required") {
		t.Errorf("got %q", to)
	}
}

// TestNativeClient: a native client may listen on any port of the user's machine, and nothing else is loosened (RFC 8252 §7.3).
func TestNativeClient(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.Native = true }))
	for uri, want := range map[string]int{
		"http://127.0.0.1/native": 303, "http://127.0.0.1:49152/native": 303, "http://127.0.0.1:0/native": 400, "http://127.0.0.1:65536/native": 400,
		"http://127.0.0.1:x/native": 400, "http://127.0.0.1:/native": 400, "http://127.0.0.1:1/other": 400, "http://127.0.0.1:1": 400,
		"http://[::1]:1/native": 400, "http://localhost:1/native": 400, "http://127.0.0.1:1@evil.example/native": 400,
		"http://127.0.0.1.evil.example/native": 400, "https://127.0.0.1:1/native": 400, "https://app.example:1/cb": 400, "http://127.0.0.1:+1/native": 400,
	} {
		if r := s.browser(t).ask("redirect_uri", uri, "prompt", "none"); r.Code != want {
			t.Errorf("%s: got %d, want %d", uri, r.Code, want)
		}
	}
}

// TestSingleSignOn: a session of the browser is enough until the client or time says otherwise (OIDC Core §3.1.2.1; A-102).
func TestSingleSignOn(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	first := payload(t, s.redeem(t, code(t, b.logIn(b.ask()))).IDToken)
	s.Clock.Advance(10 * time.Minute)
	for _, params := range [][]string{
		{}, {"prompt", "none"}, {"prompt", "none", "max_age", "3600"}, {"max_age", "600"}, {"prompt", "none", "acr_values", "pwd"},
		{"unknown", "parameter", "display", "page", "ui_locales", "fr"}, {"claims", `{"id_token":{"sub":{"value":"1001"}}}`},
	} {
		id := payload(t, s.redeem(t, code(t, b.ask(params...))).IDToken)
		if id["auth_time"] != first["auth_time"] || id["sub"] != "1001" {
			t.Errorf("%q: got %v, want the authentication there was", params, id)
		}
	}
	other := s.redeem(t, code(t, b.ask("client_id", "other")), "client_id", "other", "client_secret", "test secret of other")
	if got := payload(t, other.IDToken)["aud"]; got != "other" {
		t.Errorf("another client: aud %v", got)
	}
	for _, params := range [][]string{
		{"prompt", "login"}, {"prompt", "select_account"}, {"max_age", "0"}, {"max_age", "599"}, {"claims", `{"id_token":{"sub":{"value":"1002"}}}`},
		{"client_id", "rival-app"}, // another tenant's
	} {
		wantPage(t, b.ask(params...), 200, "Sign in")
	}
	for _, params := range [][]string{{"max_age", "599"}, {"client_id", "rival-app"}, {"claims", `{"id_token":{"sub":{"value":"1002"}}}`}} {
		wantError(t, b.ask(append(params, "prompt", "none")...), "login_required")
	}
	again := payload(t, s.redeem(t, code(t, b.logIn(b.ask("max_age", "599")))).IDToken)
	if got, want := again["auth_time"], float64(authtest.Start().Add(10*time.Minute).Unix()); got != want {
		t.Errorf("auth_time after max_age: got %v, want %v", got, want)
	}
	s.Clock.Advance(30*time.Minute - time.Second)
	code(t, b.ask()) // which is activity
	s.Clock.Advance(30 * time.Minute)
	wantError(t, b.ask("prompt", "none"), "login_required") // the idle limit
	code(t, b.logIn(b.ask()))
	for range 24 {
		s.Clock.Advance(29 * time.Minute)
		code(t, b.ask("prompt", "none"))
	}
	s.Clock.Advance(29 * time.Minute)
	wantError(t, b.ask("prompt", "none"), "login_required") // the absolute limit
}

// TestSessionsEnd: what ends a user's sessions ends the browser's, and a code that was not redeemed yet.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	pending := code(t, b.logIn(b.ask()))
	former := b.cookies["__Host-countersign-session-demo"]
	code(t, b.logIn(b.ask("prompt", "login")))
	if b.cookies["__Host-countersign-session-demo"] == former {
		t.Error("the secret of the session is the same after a new login")
	}
	stolen := &browser{t: t, handler: s, cookies: map[string]string{"__Host-countersign-session-demo": former}}
	wantError(t, stolen.ask("prompt", "none"), "login_required")
	if got := s.redeem(t, pending); got.Error != "invalid_grant" {
		t.Errorf("a code of a session that ended: got %+v", got)
	}
	pending = code(t, b.ask())
	if err := s.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
		t.Fatal(err)
	}
	wantError(t, b.ask("prompt", "none"), "login_required")
	if got := s.redeem(t, pending); got.Error != "invalid_grant" {
		t.Errorf("a code of a suspended user: got %+v", got)
	}
}

// TestLockedUsersGetNoCode: a session that is alive is of no use while its user is locked, and neither is a code of before.
func TestLockedUsersGetNoCode(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, authtest.Settings(func(x *auth.Settings) {
		x.BrowserSession = auth.SessionPolicy{IdleLimit: time.Hour, AbsoluteLimit: time.Hour}
	}))
	b, thief := s.browser(t), s.browser(t)
	code(t, b.logIn(b.ask()))
	pending := code(t, b.ask())
	for range 5 {
		thief.send(thief.ask(), "identifier", "ada", "password", "wrong")
	}
	wantError(t, b.ask("prompt", "none"), "login_required")
	if got := s.redeem(t, pending); got.Error == "" || got.AccessToken != "" {
		t.Errorf("a code of before: got %+v", got)
	}
	s.Clock.Advance(31 * time.Minute)
	code(t, b.ask("prompt", "none"))
}

// TestHint: an ID token says who it has to be (OIDC Core §3.1.2.1).
func TestHint(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	ada, charles := s.browser(t), s.browser(t)
	hint := s.redeem(t, code(t, ada.logIn(ada.ask()))).IDToken
	code(t, charles.send(charles.ask(), "identifier", "charles", "password", authtest.Password))
	code(t, ada.ask("prompt", "none", "id_token_hint", hint))
	wantError(t, charles.ask("prompt", "none", "id_token_hint", hint), "login_required")
	page := charles.ask("id_token_hint", hint)
	wantPage(t, page, 200, "Sign in")
	wantError(t, charles.send(page, "identifier", "charles", "password", authtest.Password), "login_required")
}

// TestPostedRequest: a form of another site brings no cookies, so the browser asks again by GET (OIDC Core §3.1.2.1).
func TestPostedRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	code(t, b.logIn(b.ask()))
	r := b.do("POST", authPath, asked("prompt", "none"))
	if to := r.Header().Get("Location"); r.Code != 303 || !strings.HasPrefix(to, authPath+"?") {
		t.Fatalf("got %d to %q", r.Code, to)
	}
	code(t, b.do("GET", r.Header().Get("Location"), nil))
	wantPage(t, b.do("POST", authPath, url.Values{"state": {strings.Repeat("s", 4000)}}), 400, "too long")
}

// TestCodes redeems codes as it may not be done. Each single mismatch is refused (B-42, B-43, A-091).
func TestCodes(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	good := code(t, b.logIn(b.ask()))
	other := "A" + good[1:]
	if other == good {
		other = "B" + good[1:]
	}
	rest := []string{"client_id", "other", "client_secret", "test secret of other"}
	for title, params := range map[string][]string{
		"another client":            rest,
		"another tenant's client":   {"client_id", "rival-app", "client_secret", "test secret of rival-app"},
		"another redirect_uri":      {"redirect_uri", "https://app.example/query?a=1"},
		"no verifier":               {"code_verifier", ""},
		"another verifier":          {"code_verifier", strings.Replace(verifier, "d", "e", 1)},
		"the challenge as verifier": {"code_verifier", asked().Get("code_challenge")},
		"a verifier of 42":          {"code_verifier", verifier[:42]},
		"a verifier of 129":         {"code_verifier", strings.Repeat("a", 129)},
		"a verifier of other text":  {"code_verifier", verifier[:42] + "+"},
		"another code":              {"code", other},
		"a made-up code":            {"code", "made-up"},
	} {
		if got := s.redeem(t, good, params...); got.Error != "invalid_grant" {
			t.Errorf("%s: got %+v", title, got)
		}
	}
	for _, name := range []string{"code", "redirect_uri"} {
		if got := s.redeem(t, good, name, ""); got.Error != "invalid_request" {
			t.Errorf("no %s: got %+v", name, got)
		}
	}
	if got := s.redeem(t, good, "client_secret", "wrong"); got.Error != "invalid_client" {
		t.Errorf("a wrong secret: got %+v", got)
	}
	if got := s.redeem(t, good); got.IDToken == "" {
		t.Errorf("the code itself: got %+v", got)
	}
	old := code(t, b.ask())
	s.Clock.Advance(time.Minute)
	if got := s.redeem(t, old); got.Error != "invalid_grant" {
		t.Errorf("after a minute: got %+v", got)
	}
	late := code(t, b.ask())
	s.Clock.Advance(time.Minute - time.Microsecond)
	basicCall := redemption(late, "client_id", "", "client_secret", "")
	basicCall.Header["Authorization"] = basic("app", "test+secret+of+app", "").Header["Authorization"]
	if got := basicCall.Do(s); got.Code != 200 {
		t.Errorf("by Basic, within the minute: got %d %s", got.Code, got.Body)
	}
}

// offline logs in and allows a refresh token.
func offline(t *testing.T, b *browser) string {
	t.Helper()
	page := b.ask("scope", "openid email offline_access", "prompt", "login consent")
	wantPage(t, page, 200, "Sign in")
	consent := b.logIn(page)
	wantPage(t, consent, 200, "keep this access when you are away")
	return code(t, b.send(consent))
}

// TestCodeReuse: a code that comes back, at once or later, ends what it gave (RFC 6749 §4.1.2; A-091).
func TestCodeReuse(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 30 * time.Second, time.Hour} {
		s := serve(t, registered)
		b := s.browser(t)
		text := offline(t, b)
		set := s.redeem(t, text)
		if set.Scope != "openid email offline_access" || set.RefreshToken == "" {
			t.Fatalf("got %+v", set)
		}
		s.Clock.Advance(after)
		if got := s.redeem(t, text, "client_id", "other", "client_secret", "test secret of other"); got.Error != "invalid_grant" {
			t.Errorf("another client: got %+v", got)
		}
		if got := s.redeem(t, text); got.Error != "invalid_grant" {
			t.Errorf("after %s: got %+v", after, got)
		}
		if s.refreshes(t, set.RefreshToken) {
			t.Errorf("after %s the refresh token is good", after)
		}
		if after < time.Minute {
			code(t, b.ask("prompt", "none")) // the user stays logged in
		}
	}
}

// TestRefreshOfACode keeps what the ID token says, but for the nonce.
func TestRefreshOfACode(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	set := s.redeem(t, offline(t, s.browser(t)))
	s.Clock.Advance(7 * 24 * time.Hour) // long after the browser's session
	r := form(asApp + "grant_type=refresh_token&refresh_token=" + set.RefreshToken).Do(s)
	next := decoded(t, r)
	before, after := payload(t, set.IDToken), payload(t, next.IDToken)
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "acr", "amr", "sid"} {
		if fmt.Sprint(before[name]) != fmt.Sprint(after[name]) {
			t.Errorf("%s: got %v, want %v", name, after[name], before[name])
		}
	}
	if _, there := after["nonce"]; there || next.Scope != set.Scope {
		t.Errorf("got scope %q and nonce %v", next.Scope, after["nonce"])
	}
}

// TestParallelRedemptions: of twenty one gets tokens, and those are revoked when the others come.
func TestParallelRedemptions(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	text := offline(t, s.browser(t))
	var mu sync.Mutex
	var won []tokens
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r := redemption(text).Do(s); r.Code == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, decoded(t, r))
			}
		})
	}
	all.Wait()
	if len(won) != 1 || s.refreshes(t, won[0].RefreshToken) {
		t.Errorf("got %d successes, want one, and that revoked", len(won))
	}
}

func decoded(t *testing.T, r *httptest.ResponseRecorder) tokens {
	t.Helper()
	var out tokens
	if err := jsonOf(r, &out); err != nil {
		t.Errorf("%d %s: %v", r.Code, r.Body, err)
	}
	return out
}
