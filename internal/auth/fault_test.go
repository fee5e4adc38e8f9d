package auth_test

import (
	"context"
	"errors"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// A store whose calls fail, in the words of these tests.
type (
	faultyStore = authtest.FaultyStore
	when        = authtest.When
)

const (
	notAtAll   = authtest.NotAtAll
	rolledBack = authtest.RolledBack
	committed  = authtest.Committed
)

var errFault = authtest.ErrFault

// scene is one operation that is run again and again with another call of the store failing.
type scene struct {
	name    string
	prepare func(t *testing.T, e *authtest.Env) string                            // returns a token
	run     func(ctx context.Context, s *auth.Service, token string) (any, error) // on the failing store
	check   func(t *testing.T, e *authtest.Env, token string, got any, err error) // on the healthy one
}

// TestEveryFaultOfTheStoreFailsClosed is C-05, A-032 and B-29: whichever call of the store fails, and however far it came, nobody is told
// of a success that was not written, the failures of the account are not forgotten, and what was done and what the events say agree.
func TestEveryFaultOfTheStoreFailsClosed(t *testing.T) { // A-129 B-25
	t.Parallel()
	for _, sc := range append(scenes(), browserScenes()...) {
		for mode, name := range map[when]string{notAtAll: "not at all", rolledBack: "rolled back", committed: "committed"} {
			t.Run(sc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				failEachCall(t, sc, mode, withFront)
			})
		}
	}
}

// failEachCall runs a scene with its first call of the store failing, then with its second, until it has no more.
func failEachCall(t *testing.T, sc scene, mode when, setup func(*auth.Setup)) {
	t.Helper()
	for n := 1; ; n++ {
		e := authtest.New(t, setup)
		token := sc.prepare(t, e)
		faulty := &faultyStore{Store: e.Store, When: mode}
		s := e.Another(t, func(c *auth.Config) { c.Store = faulty })
		faulty.Calls, faulty.Fail = 0, []int{n}
		got, err := sc.run(t.Context(), s, token)
		reached := faulty.Calls >= n
		if reached && err != nil && !errors.Is(err, errFault) {
			t.Errorf("call %d: got %v, which tells nothing of the fault", n, err)
		}
		sc.check(t, e, token, got, err)
		if t.Failed() {
			t.Fatalf("the %d. call of the store failed, %v", n, err)
		}
		if !reached {
			if err != nil || n < 3 {
				t.Errorf("without a fault, after %d calls: %v", n-1, err)
			}
			return
		}
	}
}

func scenes() []scene {
	const fresh = "N3w-Pa55word!"
	return []scene{
		{
			"login",
			func(t *testing.T, e *authtest.Env) string { fail(t, e, "ada", 2); return "" },
			func(ctx context.Context, s *auth.Service, _ string) (any, error) {
				return s.LoginPassword(ctx, auth.Actor{Tenant: authtest.Demo, Key: "backend"}, byEmail("ada", authtest.Password))
			},
			func(t *testing.T, e *authtest.Env, _ string, got any, err error) {
				if err == nil {
					if _, err := e.Identities(t.Context(), e.Key(), got.(auth.Login).Token); err != nil {
						t.Errorf("the token of a success: %v", err)
					}
				}
				failuresAgree(t, e, err, 2, 0)
			},
		},
		{
			"join a session",
			func(t *testing.T, e *authtest.Env) string {
				if err := e.EnsureKeys(t.Context(), "ES256"); err != nil {
					t.Fatal(err)
				}
				session := authenticate(t, e, "ada").Session
				fail(t, e, "ada", 2)
				return string(session)
			},
			func(ctx context.Context, s *auth.Service, session string) (any, error) {
				in := backend("ada", authtest.Password)
				in.Session = auth.SessionID(session)
				return s.AuthenticatePassword(ctx, auth.Actor{Tenant: authtest.Demo, Client: "app"}, in)
			},
			func(t *testing.T, e *authtest.Env, _ string, _ any, err error) { failuresAgree(t, e, err, 2, 1) },
		},
		{
			"wrong login",
			func(t *testing.T, e *authtest.Env) string { fail(t, e, "ada", 2); return "" },
			func(ctx context.Context, s *auth.Service, _ string) (any, error) {
				_, err := s.LoginPassword(ctx, auth.Actor{Tenant: authtest.Demo, Key: "backend"}, byEmail("ada", "wrong"))
				if auth.CodeOf(err) == auth.CodeWrongPassword && !errors.Is(err, errFault) {
					err = nil // the answer of a run without a fault
				}
				return nil, err
			},
			func(t *testing.T, e *authtest.Env, _ string, _ any, err error) {
				if a := attempts(t, e, authtest.Ada); err == nil && a.Failures != 3 || a.Failures < 2 {
					t.Errorf("got %+v after %v", a, err)
				}
			},
		},
		{
			"update password",
			func(t *testing.T, e *authtest.Env) string {
				token := login(t, e, "ada").Token
				fail(t, e, "ada", 2)
				return token
			},
			func(ctx context.Context, s *auth.Service, token string) (any, error) {
				return s.UpdatePassword(ctx, auth.Actor{Tenant: authtest.Demo, Key: "backend"}, token,
					seal.NewSecret(authtest.Password), seal.NewSecret(fresh))
			},
			func(t *testing.T, e *authtest.Env, token string, got any, err error) {
				changed := count(events(t, e), "password_changed ACCESS") == 1
				if err == nil && !changed {
					t.Error("a success without a change")
				}
				if failures := attempts(t, e, authtest.Ada).Failures; !changed && failures < 2 {
					t.Errorf("got %d failures, want the 2 of before", failures)
				}
				if _, err := e.Identities(t.Context(), e.Key(), token); (err == nil) == changed {
					t.Errorf("changed: %t, and the session of before: %v", changed, err)
				}
				if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", fresh)); (err == nil) != changed {
					t.Errorf("changed: %t, and a login with the new password: %v", changed, err)
				}
				if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); (err == nil) == changed {
					t.Errorf("changed: %t, and a login with the old password: %v", changed, err)
				}
			},
		},
		{
			"refresh",
			func(t *testing.T, e *authtest.Env) string {
				if err := e.EnsureKeys(t.Context(), "ES256"); err != nil {
					t.Fatal(err)
				}
				return authenticate(t, e, "ada").RefreshToken
			},
			func(ctx context.Context, s *auth.Service, token string) (any, error) {
				return s.Refresh(ctx, auth.Actor{Tenant: authtest.Demo, Client: "app"}, token)
			},
			func(t *testing.T, e *authtest.Env, token string, got any, err error) {
				if err == nil {
					token = got.(auth.TokenSet).RefreshToken
				}
				if _, err := e.Refresh(t.Context(), e.App(), token); err != nil {
					t.Errorf("what the client holds is good no more: %v", err)
				}
				if n := count(events(t, e), "token_revoked reused_refresh"); n != 0 {
					t.Error("the family was revoked")
				}
			},
		},
		{
			"logout",
			func(t *testing.T, e *authtest.Env) string { return login(t, e, "ada").Token },
			func(ctx context.Context, s *auth.Service, token string) (any, error) {
				return nil, s.Logout(ctx, auth.Actor{Tenant: authtest.Demo, Key: "backend"}, token)
			},
			func(t *testing.T, e *authtest.Env, token string, _ any, err error) {
				_, dead := e.Identities(t.Context(), e.Key(), token)
				ended := count(events(t, e), "logout") == 1
				if err == nil && !ended || ended != (codeOf(dead) == auth.CodeInvalidToken) {
					t.Errorf("answer %v, event %t, and the token: %v", err, ended, dead)
				}
			},
		},
		{
			"logout of /cis",
			func(t *testing.T, e *authtest.Env) string { return string(authenticate(t, e, "ada").Session) },
			func(ctx context.Context, s *auth.Service, id string) (any, error) {
				return nil, s.LogoutSession(ctx, auth.Actor{Tenant: authtest.Demo, Client: "app"}, auth.SessionID(id))
			},
			func(t *testing.T, e *authtest.Env, id string, _ any, err error) {
				_, dead := e.AuthenticateSession(t.Context(), e.App(), auth.SessionID(id), auth.BackendGrant{})
				ended := count(events(t, e), "logout") == 1
				if err == nil && !ended || ended != (codeOf(dead) == auth.CodeSessionNotFound) {
					t.Errorf("answer %v, event %t, and the session: %v", err, ended, dead)
				}
			},
		},
		{
			"suspend",
			func(t *testing.T, e *authtest.Env) string { return login(t, e, "ada").Token },
			func(ctx context.Context, s *auth.Service, _ string) (any, error) {
				if err := s.Resync(ctx); err != nil { // so that there is more than one call to fail
					return nil, err
				}
				if err := s.Resync(ctx); err != nil {
					return nil, err
				}
				return nil, s.Suspend(ctx, authtest.Demo, authtest.Ada)
			},
			func(t *testing.T, e *authtest.Env, token string, _ any, err error) {
				_, dead := e.Identities(t.Context(), e.Key(), token)
				done := count(events(t, e), "user_suspended") == 1
				if err == nil && !done || done != (codeOf(dead) == auth.CodeInvalidToken) {
					t.Errorf("answer %v, event %t, and the token: %v", err, done, dead)
				}
			},
		},
	}
}

// failuresAgree checks that failures are forgotten only with the event of a login, and that both are there after a success; so many failures
// and logins were before.
func failuresAgree(t *testing.T, e *authtest.Env, err error, failures, logins int) {
	t.Helper()
	a, in := attempts(t, e, authtest.Ada), count(events(t, e), "login pwd")-logins
	if (a.Failures == 0) != (in == 1) || a.Failures != 0 && a.Failures < failures || err == nil && in != 1 {
		t.Errorf("answer %v: %d failures, %d logins", err, a.Failures, in)
	}
}
