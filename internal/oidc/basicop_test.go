package oidc_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx/httpxtest"
)

// TestBasicOP goes through the list of the OpenID Foundation's Basic OP profile, each by the name that it has there. What is a dialect's
// whole surface has tests of its own beside: TestCodeFlow, TestSingleSignOn, TestCodes, TestRedirectCorpus.
func TestBasicOP(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *server, *browser){
		"oidcc-server": func(t *testing.T, s *server, b *browser) {
			id := payload(t, s.redeem(t, code(t, b.logIn(b.ask()))).IDToken)
			if id["sub"] != "1001" || id["aud"] != "app" || id["nonce"] != "a nonce" {
				t.Errorf("got %v", id)
			}
		},
		"oidcc-response-type-missing": func(t *testing.T, _ *server, b *browser) { wantError(t, b.ask("response_type", ""), "invalid_request") },
		"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(t *testing.T, s *server, b *browser) {
			if id := payload(t, s.redeem(t, code(t, b.logIn(b.ask("nonce", "")))).IDToken); id["nonce"] != nil {
				t.Errorf("nonce: got %v", id["nonce"])
			}
		},
		"oidcc-scope-email-phone-all": func(t *testing.T, s *server, b *browser) {
			set := s.redeem(t, code(t, b.logIn(b.ask("scope", "openid profile email address phone"))))
			if set.Scope != "openid email phone" {
				t.Errorf("scope: got %q", set.Scope)
			}
		},
		"oidcc-ensure-other-scope-order-succeeds": func(t *testing.T, s *server, b *browser) {
			if set := s.redeem(t, code(t, b.logIn(b.ask("scope", "email openid")))); set.IDToken == "" {
				t.Errorf("got %+v", set)
			}
		},
		"oidcc-display-page":  func(t *testing.T, _ *server, b *browser) { wantPage(t, b.ask("display", "page"), 200, "Sign in") },
		"oidcc-display-popup": func(t *testing.T, _ *server, b *browser) { wantPage(t, b.ask("display", "popup"), 200, "Sign in") },
		"oidcc-prompt-login": func(t *testing.T, s *server, b *browser) {
			first := payload(t, s.redeem(t, code(t, b.logIn(b.ask()))).IDToken)
			s.Clock.Advance(time.Second)
			page := b.ask("prompt", "login")
			wantPage(t, page, 200, "Sign in")
			second := payload(t, s.redeem(t, code(t, b.logIn(page))).IDToken)
			if second["auth_time"].(float64) != first["auth_time"].(float64)+1 || second["sub"] != first["sub"] {
				t.Errorf("got %v after %v", second, first)
			}
		},
		"oidcc-prompt-none-not-logged-in": func(t *testing.T, _ *server, b *browser) { wantError(t, b.ask("prompt", "none"), "login_required") },
		"oidcc-prompt-none-logged-in": func(t *testing.T, s *server, b *browser) {
			first := payload(t, s.redeem(t, code(t, b.logIn(b.ask()))).IDToken)
			s.Clock.Advance(time.Minute)
			second := payload(t, s.redeem(t, code(t, b.ask("prompt", "none"))).IDToken)
			if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
				t.Errorf("got %v after %v", second, first)
			}
		},
		"oidcc-max-age-1": func(t *testing.T, s *server, b *browser) {
			first := payload(t, s.redeem(t, code(t, b.logIn(b.ask()))).IDToken)
			s.Clock.Advance(2 * time.Second)
			page := b.ask("max_age", "1")
			wantPage(t, page, 200, "Sign in")
			second := payload(t, s.redeem(t, code(t, b.logIn(page))).IDToken)
			if second["auth_time"].(float64) <= first["auth_time"].(float64) {
				t.Errorf("auth_time: got %v after %v", second["auth_time"], first["auth_time"])
			}
		},
		"oidcc-max-age-10000": func(t *testing.T, s *server, b *browser) {
			first := payload(t, s.redeem(t, code(t, b.logIn(b.ask("max_age", "10000")))).IDToken)
			second := payload(t, s.redeem(t, code(t, b.ask("max_age", "10000"))).IDToken)
			if first["auth_time"] == nil || second["auth_time"] != first["auth_time"] {
				t.Errorf("auth_time: got %v after %v", second["auth_time"], first["auth_time"])
			}
		},
		"oidcc-ensure-request-with-unknown-parameter-succeeds": func(t *testing.T, _ *server, b *browser) { code(t, b.logIn(b.ask("extra", "foobar"))) },
		"oidcc-id-token-hint": func(t *testing.T, s *server, b *browser) {
			hint := s.redeem(t, code(t, b.logIn(b.ask()))).IDToken
			id := payload(t, s.redeem(t, code(t, b.ask("prompt", "none", "id_token_hint", hint))).IDToken)
			if id["sub"] != payload(t, hint)["sub"] {
				t.Errorf("sub: got %v", id["sub"])
			}
		},
		"oidcc-login-hint": func(t *testing.T, _ *server, b *browser) {
			wantPage(t, b.ask("login_hint", "buffy@example.com"), 200, "buffy@example.com")
		},
		"oidcc-ui-locales":     func(t *testing.T, _ *server, b *browser) { code(t, b.logIn(b.ask("ui_locales", "se"))) },
		"oidcc-claims-locales": func(t *testing.T, _ *server, b *browser) { code(t, b.logIn(b.ask("claims_locales", "se"))) },
		"oidcc-ensure-request-with-acr-values-succeeds": func(t *testing.T, s *server, b *browser) {
			if id := payload(t, s.redeem(t, code(t, b.logIn(b.ask("acr_values", "1 2 pwd")))).IDToken); id["acr"] != "pwd" {
				t.Errorf("acr: got %v", id["acr"])
			}
		},
		"oidcc-codereuse":           func(t *testing.T, s *server, b *browser) { reuse(t, s, b, 0) },
		"oidcc-codereuse-30seconds": func(t *testing.T, s *server, b *browser) { reuse(t, s, b, 30*time.Second) },
		"oidcc-ensure-registered-redirect-uri": func(t *testing.T, _ *server, b *browser) {
			wantPage(t, b.ask("redirect_uri", callback+"/unregistered"), 400, `role="alert"`)
		},
		"oidcc-ensure-post-request-succeeds": func(t *testing.T, _ *server, b *browser) {
			code(t, b.logIn(b.do("GET", b.do("POST", authPath, asked()).Header().Get("Location"), nil)))
		},
		"oidcc-server-client-secret-post": func(t *testing.T, s *server, b *browser) {
			if set := s.redeem(t, code(t, b.logIn(b.ask())), "client_secret", secret); set.IDToken == "" {
				t.Errorf("got %+v", set)
			}
		},
		"oidcc-server-client-secret-basic": func(t *testing.T, s *server, b *browser) {
			c := redemption(code(t, b.logIn(b.ask())), "client_id", "", "client_secret", "")
			c.Header["Authorization"] = basic("app", "test+secret+of+app", "").Header["Authorization"]
			if r := c.Do(s); r.Code != 200 {
				t.Errorf("got %d %s", r.Code, r.Body)
			}
		},
		"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": func(t *testing.T, _ *server, b *browser) {
			wantError(t, b.ask("request", "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9."), "request_not_supported")
		},
		"oidcc-claims-essential": func(t *testing.T, s *server, b *browser) {
			id := payload(t, s.redeem(t, code(t, b.logIn(b.ask("claims", `{"id_token":{"email":{"essential":true}}}`)))).IDToken)
			if id["email"] != "ada@example.com" {
				t.Errorf("email: got %v", id["email"])
			}
		},
		"oidcc-refresh-token": func(t *testing.T, s *server, b *browser) {
			set := s.redeem(t, offline(t, b))
			next := decoded(t, form(asApp+"grant_type=refresh_token&refresh_token="+set.RefreshToken).Do(s))
			before, after := payload(t, set.IDToken), payload(t, next.IDToken)
			if next.RefreshToken == "" || before["sub"] != after["sub"] || before["iss"] != after["iss"] || before["auth_time"] != after["auth_time"] {
				t.Errorf("got %v after %v", after, before)
			}
			other := form("client_id=other&client_secret=test+secret+of+other&grant_type=refresh_token&refresh_token=" + next.RefreshToken)
			if got := decoded(t, other.Do(s)); got.Error != "invalid_grant" {
				t.Errorf("another client's: got %+v", got)
			}
		},
		"oidcc-ensure-request-with-valid-pkce-succeeds": func(t *testing.T, s *server, b *browser) {
			if set := s.redeem(t, code(t, b.logIn(b.ask()))); set.AccessToken == "" {
				t.Errorf("got %+v", set)
			}
		},
		"oidcc-discovery": func(t *testing.T, s *server, _ *browser) {
			r := httpxtest.Call{Method: "GET", Path: "/cis/oidc/.well-known/openid-configuration"}.Do(s)
			for _, want := range []string{`"issuer":"` + s.Issuer() + `"`, `"S256"`, `"authorization_response_iss_parameter_supported":true`} {
				if !strings.Contains(r.Body.String(), want) {
					t.Errorf("got %s, want %s", r.Body, want)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, registered)
			test(t, s, s.browser(t))
		})
	}
}

// reuse redeems a code twice. The tokens of the first use are revoked (RFC 6749 §4.1.2).
func reuse(t *testing.T, s *server, b *browser, after time.Duration) {
	t.Helper()
	text := offline(t, b)
	set := s.redeem(t, text)
	ended := func() bool {
		t.Helper()
		var live auth.LiveSession
		id := auth.SessionID(payload(t, set.AccessToken)["sid"].(string))
		err := s.Store.View(t.Context(), func(r auth.Reads) (err error) { live, err = r.Session(authtest.Demo, id); return err })
		if err != nil {
			t.Fatal(err)
		}
		return !live.Session.EndedAt.IsZero()
	}
	if ended() {
		t.Fatal("the session of the tokens has ended before")
	}
	s.Clock.Advance(after)
	if got := s.redeem(t, text); got.Error != "invalid_grant" {
		t.Errorf("again: got %+v", got)
	}
	if !ended() {
		t.Error("the session that the access token lives in goes on")
	}
	if s.refreshes(t, set.RefreshToken) {
		t.Error("the refresh token is good")
	}
}

// TestCodesOfAnotherServer: a code goes back to the issuer that gave it, which each answer names; another server knows nothing of it
// (RFC 9207, RFC 9700 §4.4; A-093).
func TestCodesOfAnotherServer(t *testing.T) {
	t.Parallel()
	honest, evil := serve(t, registered), serve(t, registered)
	b := honest.browser(t)
	done := b.logIn(b.ask())
	if got := returned(t, done)["iss"]; len(got) != 1 || got[0] != honest.Issuer() {
		t.Errorf("iss: got %q", got)
	}
	if got := returned(t, b.ask("scope", "email"))["iss"]; len(got) != 1 || got[0] != honest.Issuer() {
		t.Errorf("iss of an error: got %q", got)
	}
	text := code(t, done)
	if got := evil.redeem(t, text); got.Error != "invalid_grant" {
		t.Errorf("got %+v", got)
	}
	if got := honest.redeem(t, text); got.IDToken == "" {
		t.Errorf("got %+v", got)
	}
}

// TestLoginIsNotForged: another site can neither make a browser log in as somebody else nor carry the form over (B-49, RFC 9700 §4.7).
func TestLoginIsNotForged(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	attacker, victim := s.browser(t), s.browser(t)
	page := attacker.ask()
	text := formValue.FindStringSubmatch(page.Body.String())[1]
	credentials := url.Values{"form": {text}, "identifier": {"charles"}, "password": {"Pa55word!"}}
	wantPage(t, victim.do("POST", loginPage, credentials), 400, `role="alert"`)
	victim.ask()
	wantPage(t, victim.do("POST", loginPage, credentials), 400, `role="alert"`)
	if _, there := victim.cookies["__Host-countersign-session-demo"]; there {
		t.Error("the victim is logged in")
	}
	for _, query := range []string{"form=" + url.QueryEscape(text) + "&identifier=charles&password=Pa55word!"} {
		if r := attacker.do("GET", loginPage+"?"+query, nil); r.Code != 405 {
			t.Errorf("by GET: got %d", r.Code)
		}
	}
}
