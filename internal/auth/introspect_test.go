package auth_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// sees is an introspection on a node.
func sees(t *testing.T, s *auth.Service, by auth.Actor, token string) auth.Introspection {
	t.Helper()
	i, err := s.Introspect(t.Context(), by, token)
	if err != nil {
		t.Fatalf("Introspect: %v", err)
	}
	if !i.Active && !cmp.Equal(i, auth.Introspection{}) {
		t.Errorf("of a token that is not active: got %+v", i)
	}
	return i
}

func otherClient() auth.Actor { return auth.Actor{Tenant: authtest.Demo, Client: "other"} }

// serving makes another client of Demo, and the rival's, serve the resource of "app".
func serving(s *auth.Setup) {
	for _, c := range []*auth.ClientSetup{&s.Tenants[0].Clients[1], &s.Tenants[1].Clients[0]} {
		c.Resources = []string{authtest.Resource}
	}
}

func TestIntrospection(t *testing.T) { // RFC 7662 §2.2, RFC 9470 §6.2
	t.Parallel()
	e := authtest.New(t, serving)
	in := backend("charles", authtest.Password)
	in.BackendGrant = auth.BackendGrant{Resource: authtest.Resource, OrgID: "2001"}
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	now := e.Clock.Now()
	want := auth.Introspection{
		Active: true, Type: "Bearer", Client: "app", Tenant: authtest.Demo, Subject: string(authtest.Charles), Audience: authtest.Resource,
		Scope: auth.Scope, Session: set.Session, Org: "2001", IssuedAt: now, ExpiresAt: now.Add(time.Hour), AuthAt: now, ACR: "pwd", AMR: []string{"pwd"},
	}
	want.ID, _ = claimsOf(t, set.AccessToken)["jti"].(string)
	for name, by := range map[string]auth.Actor{"its client": e.App(), "the resource server": otherClient()} {
		if diff := cmp.Diff(want, sees(t, e.Service, by, set.AccessToken)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want = auth.Introspection{
		Active: true, Client: "app", Tenant: authtest.Demo, Subject: string(authtest.Charles), Scope: auth.Scope, Session: set.Session, Org: "2001",
		IssuedAt: now, ExpiresAt: now.Add(14 * 24 * time.Hour),
	}
	if diff := cmp.Diff(want, sees(t, e.Service, e.App(), set.RefreshToken)); diff != "" {
		t.Errorf("refresh token (-want +got):\n%s", diff)
	}
	own, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	want = auth.Introspection{
		Active: true, Type: "Bearer", Client: "app", Tenant: authtest.Demo, Subject: "app", Audience: auth.DefaultAudience,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	want.ID, _ = claimsOf(t, own.AccessToken)["jti"].(string)
	if diff := cmp.Diff(want, sees(t, e.Service, e.App(), own.AccessToken)); diff != "" {
		t.Errorf("a client's own (-want +got):\n%s", diff)
	}
	rival := auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	for name, c := range map[string]struct {
		by    auth.Actor
		token string
	}{
		"another tenant's": {rival, set.AccessToken}, "another tenant's refresh token": {rival, set.RefreshToken},
		"another client's refresh token": {otherClient(), set.RefreshToken}, "another client's own": {otherClient(), own.AccessToken},
		"an administrator": {e.Admin(), set.AccessToken}, "an ID token": {e.App(), set.IDToken}, "nothing": {e.App(), ""},
		"a bearer token of /multi": {e.App(), login(t, e, "ada").Token},
	} {
		if sees(t, e.Service, c.by, c.token).Active {
			t.Errorf("%s is active", name)
		}
	}
}

// TestWhatEndsTokensEndsThemEverywhere is, B-27, B-29: from the moment that it is answered, on a node that did not see it,
// at introspection, at UserInfo and at the calls of users.
func TestWhatEndsTokensEndsThemEverywhere(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, e *authtest.Env, set auth.TokenSet) error{
		"logout": func(t *testing.T, e *authtest.Env, set auth.TokenSet) error {
			return e.LogoutSession(t.Context(), e.App(), set.Session)
		},
		"end of all sessions": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error {
			return e.EndSessions(t.Context(), e.App(), authtest.Charles)
		},
		"suspension": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error {
			return e.Suspend(t.Context(), authtest.Demo, authtest.Charles)
		},
		"deletion": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error {
			return e.DeleteUser(t.Context(), e.Admin(), authtest.Charles)
		},
		"suspension of the organization": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error {
			return e.SuspendIdentity(t.Context(), authtest.Demo, auth.IdentityRef{Type: auth.Corporate, ID: "2001"}, "closed")
		},
		"its client disabled": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error {
			return e.DisableClient(t.Context(), authtest.Demo, "app")
		},
		"revocation of the refresh token": func(t *testing.T, e *authtest.Env, set auth.TokenSet) error {
			return e.Revoke(t.Context(), e.App(), set.RefreshToken)
		},
		"revocation of a later one": func(t *testing.T, e *authtest.Env, set auth.TokenSet) error {
			return e.Revoke(t.Context(), e.App(), refresh(t, e, refresh(t, e, set.RefreshToken).RefreshToken).RefreshToken)
		},
		"revocation of an earlier one": func(t *testing.T, e *authtest.Env, set auth.TokenSet) error {
			refresh(t, e, refresh(t, e, set.RefreshToken).RefreshToken)
			return e.Revoke(t.Context(), e.App(), set.RefreshToken)
		},
		"reuse of the refresh token": func(t *testing.T, e *authtest.Env, set auth.TokenSet) error {
			refresh(t, e, refresh(t, e, set.RefreshToken).RefreshToken)
			_, err := e.Refresh(t.Context(), e.App(), set.RefreshToken)
			wantCode(t, err, auth.CodeReusedRefresh)
			return nil
		},
		"lock": func(t *testing.T, e *authtest.Env, _ auth.TokenSet) error { fail(t, e, "charles", 5); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, serving)
			in := backend("charles", authtest.Password)
			in.OrgID = "2001"
			set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
			if err != nil {
				t.Fatal(err)
			}
			in.Resource = authtest.Resource
			in.Session = set.Session
			node := e.Another(t, nil)
			for _, token := range []string{set.AccessToken, set.RefreshToken} {
				if !sees(t, node, e.App(), token).Active {
					t.Fatal("not active before")
				}
			}
			if err := end(t, e, set); err != nil {
				t.Fatal(err)
			}
			if name != "lock" { // which each of them answers by itself
				_, _, err = node.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
				if got := codeOf(err); got != auth.CodeInvalidToken && got != auth.CodeUnknownClient {
					t.Errorf("a call of the user: got %v", err)
				}
			}
			if _, _, err := node.UserInfo(t.Context(), set.AccessToken, auth.Via{}); err == nil {
				t.Error("UserInfo answers")
			}
			if _, err := node.Refresh(t.Context(), e.App(), set.RefreshToken); err == nil {
				t.Error("the refresh token is good")
			}
			if name == "its client disabled" {
				_, err := e.Another(t, nil).Introspect(t.Context(), e.App(), set.AccessToken)
				wantCode(t, err, auth.CodeUnknownClient)
				return
			}
			for kind, token := range map[string]string{"access": set.AccessToken, "refresh": set.RefreshToken} {
				if sees(t, node, e.App(), token).Active {
					t.Errorf("the %s token is active", kind)
				}
			}
		})
	}
}

// TestTheResourceServerSeesADisabledClient: what a client that is disabled has issued is dead for those who ask about it.
func TestTheResourceServerSeesADisabledClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, serving)
	in := backend("ada", authtest.Password)
	in.Resource = authtest.Resource
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	own, err := e.ClientToken(t.Context(), e.App(), authtest.Resource)
	if err != nil {
		t.Fatal(err)
	}
	node := e.Another(t, nil)
	for _, token := range []string{set.AccessToken, own.AccessToken} {
		if !sees(t, node, otherClient(), token).Active {
			t.Error("not active before")
		}
	}
	if err := e.DisableClient(t.Context(), authtest.Demo, "app"); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{set.AccessToken, own.AccessToken} {
		if sees(t, node, otherClient(), token).Active {
			t.Error("active after")
		}
	}
}

// TestIntrospectionIsNoActivity is A-038: to ask for long enough does not keep a session alive.
func TestIntrospectionIsNoActivity(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.BackendSession.IdleLimit = 10 * time.Minute }))
	set := authenticate(t, e, "ada")
	for range 2 {
		e.Clock.Advance(4 * time.Minute)
		if !sees(t, e.Service, e.App(), set.AccessToken).Active || !sees(t, e.Service, e.App(), set.RefreshToken).Active {
			t.Error("the session ended early")
		}
		if _, _, err := e.UserInfo(t.Context(), set.AccessToken, auth.Via{}); err != nil {
			t.Error(err)
		}
	}
	e.Clock.Advance(2 * time.Minute)
	if sees(t, e.Service, e.App(), set.AccessToken).Active || sees(t, e.Service, e.App(), set.RefreshToken).Active {
		t.Error("the session did not end")
	}
}

// TestPublicClientsDoNotIntrospect (RFC 7662 §2.1): who needs no secret could try any token that was found somewhere.
func TestPublicClientsDoNotIntrospect(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { c := &s.Tenants[0].Clients[1]; c.Auth, c.Secret = auth.ClientAuthNone, "" })
	_, err := e.Introspect(t.Context(), otherClient(), authenticate(t, e, "ada").AccessToken)
	wantCode(t, err, auth.CodeClientRefused)
	revokes(t, e.Service, otherClient(), "unknown") // RFC 7009 §2.1 lets them
}

// TestSessionsForOrganizationsEndWithTheOthers: also while the organization is suspended, and they are not alive when it is back.
func TestSessionsForOrganizationsEndWithTheOthers(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	in := backend("charles", authtest.Password)
	in.OrgID = "2001"
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := e.Sessions(t.Context(), e.App(), authtest.Charles); err != nil || len(all) != 1 || all[0].ID != set.Session {
		t.Errorf("got %+v and %v", all, err)
	}
	org := auth.IdentityRef{Type: auth.Corporate, ID: "2001"}
	for _, step := range []func() error{
		func() error { return e.SuspendIdentity(t.Context(), authtest.Demo, org, "closed") },
		func() error { return e.EndSessions(t.Context(), e.App(), authtest.Charles) },
		func() error { return e.ResumeIdentity(t.Context(), authtest.Demo, org) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if sees(t, e.Service, e.App(), set.AccessToken).Active || sees(t, e.Service, e.App(), set.RefreshToken).Active {
		t.Error("its tokens are active")
	}
}

// TestRefreshTokenEndsWithItsSession: where sessions end early, no refresh token says that it lives on, or is kept for as long as its client's may
// (RFC 7662 §2.2, C-34).
func TestRefreshTokenEndsWithItsSession(t *testing.T) {
	t.Parallel()
	e := steppers(t, func(s *auth.Settings) {
		s.BackendSession = auth.SessionPolicy{IdleLimit: 2 * time.Hour, AbsoluteLimit: 2 * time.Hour}
	})
	ends := e.Clock.Now().Add(2 * time.Hour)
	token := authenticate(t, e, "ada").RefreshToken
	for n := range 3 {
		if got := sees(t, e.Service, e.App(), token).ExpiresAt; !got.Equal(ends) {
			t.Errorf("token %d: got an end at %v, want %v, that of its session", n, got, ends)
		}
		e.Clock.Advance(20 * time.Minute)
		set, err := e.Refresh(t.Context(), e.App(), token)
		if err != nil {
			t.Fatal(err)
		}
		token = set.RefreshToken
	}
}
