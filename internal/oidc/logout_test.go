package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

const (
	bye       = "https://app.example/bye"
	endPath   = "/cis/oidc/session/end"
	leavePath = "/cis/oidc/session/end/confirm"
	cookie    = "__Host-countersign-session-demo"
)

// leaving gives the clients what a logout needs.
func leaving(s *auth.Setup) {
	registered(s)
	c := s.Tenants[0].Clients
	c[0].Logout = auth.ClientLogout{RedirectURIs: []string{bye, "https://app.example/bye?a=1"}, URI: "https://app.example/logout"}
	c[1].Logout = auth.ClientLogout{RedirectURIs: []string{"https://other.example/bye"}, URI: "https://other.example/logout"}
}

func (b *browser) leave(params ...string) *httptest.ResponseRecorder {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return b.do("GET", endPath+"?"+q.Encode(), nil)
}

// loggedIn reports whether a browser still has a session.
func (b *browser) loggedIn() bool {
	b.t.Helper()
	return returned(b.t, b.ask("prompt", "none")).Get("code") != ""
}

// idToken logs in and returns the ID token that the client gets.
func (s *server) idToken(t *testing.T, b *browser) string {
	t.Helper()
	return s.redeem(t, code(t, b.logIn(b.ask("prompt", "login")))).IDToken
}

func wantGone(t *testing.T, b *browser, r *httptest.ResponseRecorder, to string) {
	t.Helper()
	if r.Code != http.StatusSeeOther || r.Header().Get("Location") != to {
		t.Errorf("got %d to %q %s, want %q", r.Code, r.Header().Get("Location"), r.Body, to)
	}
	for _, c := range r.Result().Cookies() {
		if c.Name == cookie && c.MaxAge >= 0 {
			t.Errorf("the cookie stays: %v", c)
		}
	}
	if b.loggedIn() {
		t.Error("the session is alive")
	}
}

// TestLogoutByHint: an ID token of the user whose session it is ends it at once, for all browsers of the user; also one that has expired
// (A-111, OIDC RP-Initiated Logout §2).
func TestLogoutByHint(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving, authtest.Settings(func(x *auth.Settings) {
		x.BrowserSession = auth.SessionPolicy{IdleLimit: 9 * time.Hour, AbsoluteLimit: 9 * time.Hour}
	}))
	b, second := s.browser(t), s.browser(t)
	hint := s.idToken(t, b)
	code(t, second.logIn(second.ask()))
	wantGone(t, b, b.leave("id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "a b&c"), bye+"?state=a+b%26c")
	if second.loggedIn() {
		t.Error("the session of the user's other browser is alive")
	}
	// The client may be named besides, the address may have a query, and the token may be old.
	hint = s.idToken(t, b)
	s.Clock.Advance(3 * time.Hour)
	r := b.leave("id_token_hint", hint, "client_id", "app", "post_logout_redirect_uri", "https://app.example/bye?a=1", "state", "s")
	wantGone(t, b, r, "https://app.example/bye?a=1&state=s")
	// Without an address a page says that it is done.
	hint = s.idToken(t, b)
	wantPage(t, b.leave("id_token_hint", hint), 200, "You are signed out")
	if b.loggedIn() {
		t.Error("the session is alive")
	}
	// Who has no session any more goes on as well.
	wantGone(t, b, b.leave("id_token_hint", hint, "post_logout_redirect_uri", bye), bye)
	// A lock does not keep anybody from logging out.
	hint = s.idToken(t, b)
	for range 5 {
		b.send(b.ask("prompt", "login"), "identifier", "ada", "password", "wrong")
	}
	kept := b.cookies[cookie]
	wantGone(t, b, b.leave("id_token_hint", hint, "post_logout_redirect_uri", bye), bye)
	s.Clock.Advance(31 * time.Minute)
	if b.cookies[cookie] = kept; b.loggedIn() {
		t.Error("the session is alive after the lock")
	}
}

// TestLogoutAsks: without the user's own ID token nothing ends before the user says so, in the same browser (B-49).
func TestLogoutAsks(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	charles := s.browser(t)
	foreign := s.redeem(t, code(t, charles.send(charles.ask(), "identifier", "charles", "password", authtest.Password)))
	for name, params := range map[string][]string{
		"nothing":              {},
		"a client":             {"client_id", "app"},
		"a made-up token":      {"client_id", "app", "id_token_hint", "made.up.token"},
		"another user's token": {"id_token_hint", foreign.IDToken},
		"an access token":      {"client_id", "app", "id_token_hint", foreign.AccessToken},
	} {
		b, thief := s.browser(t), s.browser(t)
		s.idToken(t, b)
		page := b.leave(params...)
		wantPage(t, page, 200, "Sign out?")
		if !b.loggedIn() {
			t.Fatalf("%s: ended before it was asked", name)
		}
		thief.ask()
		thief.cookies[cookie] = b.cookies[cookie]
		wantPage(t, thief.sendTo(leavePath, page), 400, `role="alert"`) // another browser's form
		wantPage(t, b.sendTo(leavePath, page, "stay", "yes"), 200, "You are still signed in")
		if !b.loggedIn() {
			t.Errorf("%s: ended although the user stays", name)
		}
		// A session that came after the page is not the one that it asked about.
		kept := page
		s.idToken(t, b)
		b.sendTo(leavePath, kept)
		if !b.loggedIn() {
			t.Errorf("%s: an old page ended a new session", name)
		}
		wantPage(t, b.sendTo(leavePath, b.leave(params...)), 200, "You are signed out")
		if b.loggedIn() {
			t.Errorf("%s: alive after it", name)
		}
	}
	b := s.browser(t)
	s.idToken(t, b)
	page := b.leave("client_id", "app", "post_logout_redirect_uri", bye, "state", "s")
	if policy := page.Header().Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://app.example") {
		t.Errorf("got %q", policy)
	}
	wantGone(t, b, b.sendTo(leavePath, page), bye+"?state=s")
	wantPage(t, b.leave(), 200, "You are signed out")
	s.Clock.Advance(30 * time.Minute)
	wantPage(t, b.sendTo(leavePath, page), 400, `role="alert"`)
}

// TestLogoutRefusals: nobody goes to an address that is not the client's own, and one client's token is none of another's (A-094, B-41).
func TestLogoutRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	hint := s.idToken(t, b)
	access := s.redeem(t, code(t, b.ask())).AccessToken
	for _, params := range [][]string{
		{"id_token_hint", hint, "client_id", "other"},
		{"id_token_hint", hint, "client_id", "rival-app"},
		{"client_id", "stranger"},
		{"post_logout_redirect_uri", bye},
		{"id_token_hint", "made.up.token", "post_logout_redirect_uri", bye},
		{"id_token_hint", access, "post_logout_redirect_uri", bye},
		{"id_token_hint", hint, "post_logout_redirect_uri", "https://other.example/bye"},
		{"id_token_hint", hint, "post_logout_redirect_uri", callback},
		{"id_token_hint", hint, "post_logout_redirect_uri", bye + "/"},
		{"id_token_hint", hint, "post_logout_redirect_uri", bye + "?b=1"},
		{"id_token_hint", hint, "post_logout_redirect_uri", "https://app.example.evil/bye"},
		{"id_token_hint", hint, "post_logout_redirect_uri", "https://app.example@evil.example/bye"},
		{"id_token_hint", hint, "post_logout_redirect_uri", "HTTPS://app.example/bye"},
		{"id_token_hint", hint, "post_logout_redirect_uri", "//app.example/bye"},
	} {
		r := b.leave(params...)
		wantPage(t, r, 400, `role="alert"`)
		if to := r.Header().Get("Location"); to != "" || !b.loggedIn() {
			t.Errorf("%v: to %q", params, to)
		}
	}
	wantPage(t, b.leave("id_token_hint", strings.Repeat("x", 9000)), 400, `role="alert"`)
	// By a form it is the same, asked by GET.
	r := b.do("POST", endPath, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}})
	if to := r.Header().Get("Location"); r.Code != http.StatusSeeOther || !strings.HasPrefix(to, endPath+"?") || !b.loggedIn() {
		t.Errorf("got %d to %q", r.Code, to)
	} else {
		wantGone(t, b, b.do("GET", to, nil), bye)
	}
	wantPage(t, b.do("POST", endPath, url.Values{"id_token_hint": {strings.Repeat("x", 8190)}}), 413, `role="alert"`)
}

// TestLogoutOfADisabledClient: it neither ends sessions nor sends browsers anywhere.
func TestLogoutOfADisabledClient(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	hint := s.idToken(t, b)
	if err := s.DisableClient(t.Context(), authtest.Demo, "app"); err != nil {
		t.Fatal(err)
	}
	for _, params := range [][]string{
		{"client_id", "app"},
		{"client_id", "app", "post_logout_redirect_uri", bye},
		{"id_token_hint", hint},
		{"id_token_hint", hint, "post_logout_redirect_uri", bye},
	} {
		r := b.leave(params...)
		wantPage(t, r, 400, `role="alert"`)
		if to := r.Header().Get("Location"); to != "" {
			t.Errorf("%v: to %q", params, to)
		}
	}
	code(t, b.ask("client_id", "other", "prompt", "none"))
}

// TestLogoutWithoutAClient ends the sessions with every tenant that the browser is logged in to, and no other's.
func TestLogoutWithoutAClient(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	s.idToken(t, b)
	rival := []string{"client_id", "rival-app"}
	code(t, b.logIn(b.ask(rival...)))
	page := b.leave("client_id", "rival-app")
	wantPage(t, b.sendTo(leavePath, page), 200, "You are signed out")
	wantError(t, b.ask(append(rival, "prompt", "none")...), "login_required")
	if !b.loggedIn() {
		t.Fatal("a logout from one tenant is one from another")
	}
	code(t, b.logIn(b.ask(rival...)))
	wantPage(t, b.sendTo(leavePath, b.leave()), 200, "You are signed out")
	wantError(t, b.ask(append(rival, "prompt", "none")...), "login_required")
	if b.loggedIn() {
		t.Error("alive")
	}
}

// sendTo fills the form of a page, the first of its forms, and sends it to another address than the login page's.
func (b *browser) sendTo(path string, page *httptest.ResponseRecorder, fields ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	m := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(page.Body.String())
	if m == nil {
		b.t.Fatalf("no form in %d %s", page.Code, page.Body)
	}
	form := url.Values{"form": {m[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", path, form)
}

// told claims what clients are to be told, and returns the clients with the sessions that it is about.
func (s *server) told(t *testing.T) (clients []string, sids []string) {
	t.Helper()
	all, err := s.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelLogout}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		claims := payload(t, d.Token.Reveal())
		if claims["sub"] != string(authtest.Ada) || claims["aud"] != string(d.Logout.Client) || d.URI == "" {
			t.Errorf("got %v to %s", claims, d.URI)
		}
		clients, sids = append(clients, string(d.Logout.Client)), append(sids, claims["sid"].(string))
	}
	slices.Sort(clients)
	return clients, sids
}

// TestEveryEndIsTold: whatever ends a user's session in the browser is told to each client that got tokens in it, once, and to no other
//
func TestEveryEndIsTold(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, end := range map[string]func(*server, *browser, string) error{
		"logout": func(_ *server, b *browser, hint string) error { b.leave("id_token_hint", hint); return nil },
		"the client ends them": func(s *server, _ *browser, _ string) error {
			n, err := s.EndFrontSessions(ctx, s.App(), authtest.Ada)
			if n != 3 {
				t.Errorf("ended %d, want 3", n)
			}
			return err
		},
		"suspension": func(s *server, _ *browser, _ string) error { return s.Suspend(ctx, authtest.Demo, authtest.Ada) },
		"deletion":   func(s *server, _ *browser, _ string) error { return s.DeleteUser(ctx, s.Admin(), authtest.Ada) },
		"detachment": func(s *server, _ *browser, _ string) error { return s.DetachUser(ctx, s.App(), authtest.Ada) },
		"new password": func(s *server, _ *browser, _ string) error {
			return s.ReplacePassword(ctx, s.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
		},
		"another user": func(s *server, b *browser, _ string) error {
			code(t, b.send(b.ask("prompt", "login"), "identifier", "charles", "password", authtest.Password))
			return nil
		},
		"another user, while the one before is locked": func(s *server, b *browser, _ string) error {
			thief := s.browser(t)
			for range 5 {
				thief.send(thief.ask(), "identifier", "ada@example.com", "password", "wrong")
			}
			code(t, b.send(b.ask("prompt", "login"), "identifier", "charles", "password", authtest.Password))
			return nil
		},
	} {
		s := serve(t, leaving)
		b, stranger := s.browser(t), s.browser(t)
		hint := s.idToken(t, b)
		other := s.redeem(t, code(t, b.ask("client_id", "other")), "client_id", "other", "client_secret", "test secret of other").IDToken
		s.redeem(t, code(t, stranger.send(stranger.ask(), "identifier", "charles", "password", authtest.Password)))
		if err := end(s, b, hint); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		clients, sids := s.told(t)
		if !slices.Equal(clients, []string{"app", "other"}) {
			t.Errorf("%s: told %v", name, clients)
		}
		for _, token := range []string{hint, other} {
			if sid := payload(t, token)["sid"].(string); !slices.Contains(sids, sid) {
				t.Errorf("%s: told of %v, want %s among them", name, sids, sid)
			}
		}
		if !strings.HasPrefix(name, "another user") && name != "suspension" && name != "deletion" && name != "new password" {
			b.leave("id_token_hint", s.idToken(t, b))
			if clients, _ := s.told(t); !slices.Equal(clients, []string{"app"}) {
				t.Errorf("%s: told %v of the next session", name, clients)
			}
		}
	}
}

// TestSameUserAgain: who proves their password once more in the same browser has not logged out; their clients hear of the end of the
// session that goes on.
func TestSameUserAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	s.idToken(t, b)
	hint := s.idToken(t, b)
	if clients, _ := s.told(t); len(clients) > 0 {
		t.Errorf("told %v", clients)
	}
	b.leave("id_token_hint", hint)
	if clients, _ := s.told(t); !slices.Equal(clients, []string{"app", "app"}) { // two logins, two sids
		t.Errorf("told %v", clients)
	}
}
