package auth_test

import (
	"context"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// browserScenes are what a user does in the browser: the login page, and a login that a client's own page has taken. They are scenes of
// TestEveryFaultOfTheStoreFailsClosed.
func browserScenes() []scene {
	return []scene{
		{
			"front login",
			func(t *testing.T, e *authtest.Env) string { fail(t, e, "ada", 2); return "" },
			func(ctx context.Context, s *auth.Service, _ string) (any, error) {
				return s.LoginFront(ctx, auth.Via{}, frontLogin())
			},
			func(t *testing.T, e *authtest.Env, _ string, got any, err error) {
				if err == nil {
					if out, err := e.Enter(t.Context(), got.(auth.Entry), noCookies(), auth.Via{}); err != nil || out.Code == "" {
						t.Errorf("the entry of a success: %+v, %v", out, err)
					}
				}
				failuresAgree(t, e, err, 2, 0)
			},
		},
		{
			"enter",
			func(t *testing.T, e *authtest.Env) string {
				entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin())
				if err != nil {
					t.Fatal(err)
				}
				return entry.Text
			},
			func(ctx context.Context, s *auth.Service, text string) (any, error) {
				return s.Enter(ctx, auth.Entry{Client: "app", Text: text}, noCookies(), auth.Via{})
			},
			func(t *testing.T, e *authtest.Env, text string, got any, err error) {
				entered := browserAgrees(t, e, got, err)
				again, no := e.Enter(t.Context(), auth.Entry{Client: "app", Text: text}, noCookies(), auth.Via{})
				if entered && (codeOf(no) != auth.CodeLoginRequired || again.Code+again.Session != "") {
					t.Errorf("an entry that was used: got %+v, %v", again, no)
				}
				if !entered && (no != nil || again.Code == "") {
					t.Errorf("an entry that was not used: got %+v, %v", again, no)
				}
			},
		},
		{
			"login page",
			func(t *testing.T, e *authtest.Env) string {
				fail(t, e, "ada", 2)
				at, err := e.Authorize(t.Context(), asking([]string{"openid"}), new(tab).cookies(), auth.Via{})
				if err != nil {
					t.Fatal(err)
				}
				return at.Form
			},
			func(ctx context.Context, s *auth.Service, form string) (any, error) {
				in := auth.PageAnswer{Form: form, Identifier: "ada", Password: seal.NewSecret(authtest.Password)}
				return s.Answer(ctx, in, new(tab).cookies(), auth.Via{})
			},
			func(t *testing.T, e *authtest.Env, _ string, got any, err error) {
				failuresAgree(t, e, err, 2, 0)
				browserAgrees(t, e, got, err)
			},
		},
	}
}

// browserAgrees checks that a browser has a session of Ada's if and only if the events say so, and a code that gives tokens after a success;
// it reports whether there is a session.
func browserAgrees(t *testing.T, e *authtest.Env, got any, err error) bool {
	t.Helper()
	sessions, bad := e.FrontSessions(t.Context(), e.App(), authtest.Ada)
	if bad != nil {
		t.Fatal(bad)
	}
	if n := count(events(t, e), "token_issued "+string(auth.TokenBrowser)); n != len(sessions) || n > 1 {
		t.Errorf("answer %v: %d sessions, and %d by the events", err, len(sessions), n)
	}
	at, _ := got.(auth.Authorization)
	if err != nil {
		if at.Code != "" {
			t.Errorf("a failure with a code: %+v", at)
		}
		return len(sessions) == 1
	}
	in := auth.Redemption{Code: at.Code, RedirectURI: frontCallback, Verifier: verifier}
	if at.Challenge == "" {
		in.Verifier = ""
	}
	if _, err := e.Redeem(t.Context(), e.App(), in); err != nil || len(sessions) != 1 || at.Session == "" {
		t.Errorf("a success with %d sessions: %+v, %v", len(sessions), at, err)
	}
	return true
}
