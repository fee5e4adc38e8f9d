package auth_test

import (
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// signedBy is the kid of a client's own token.
func signedBy(t *testing.T, s *auth.Service, by auth.Actor) string {
	t.Helper()
	token, err := s.ClientToken(t.Context(), by, "")
	if err != nil {
		t.Fatal(err)
	}
	return kidOf(t, token.AccessToken)
}

// TestApplicationKey: the key of an application comes before that of its tenant, and that before the server's; each signs its own
// tenant's tokens, on every node, once verifiers know it.
func TestApplicationKey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	peer := e.Another(t, nil)
	other := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	rival := auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	server := signedBy(t, e.Service, e.App())
	make := func(app auth.AppID) string {
		k, err := e.CreateAppKey(t.Context(), e.Admin(), app, "key", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.ChangeAppKey(t.Context(), e.Admin(), k.ID, "", auth.KeySigning); err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	want := func(when string, apps, others string) {
		t.Helper()
		for _, s := range []*auth.Service{e.Service, peer} {
			a, o, r := signedBy(t, s, e.App()), signedBy(t, s, other), signedBy(t, s, rival)
			if a != apps || o != others || r != server {
				t.Errorf("%s: signed by %s, %s and %s, want %s, %s and %s", when, a, o, r, apps, others, server)
			}
		}
	}
	app := make("app")
	e.Clock.Advance(auth.PublishBefore - time.Microsecond)
	want("before it is known", server, server)
	e.Clock.Advance(time.Microsecond)
	want("then", app, server)
	tenants := make("")
	e.Clock.Advance(auth.PublishBefore)
	want("beside the tenant's", app, tenants)
	if _, err := e.ChangeAppKey(t.Context(), e.Admin(), app, "", auth.KeyDisabled); err != nil {
		t.Fatal(err)
	}
	want("without the application's", tenants, tenants)
	if _, err := e.ChangeAppKey(t.Context(), e.Admin(), app, "", auth.KeySigning); err != nil {
		t.Fatal(err)
	}
	want("published again", tenants, tenants)
	e.Clock.Advance(auth.PublishBefore)
	want("and known", app, tenants)
}

// TestApplicationKeysAreTheTenants: nobody else gets at a key, and one that is disabled or destroyed has signed nothing that counts.
func TestApplicationKeysAreTheTenants(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[1].Clients[0].Kind = auth.ClientManagement })
	rival := auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	k, err := e.CreateAppKey(t.Context(), e.Admin(), "app", "key", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]auth.Actor{"another tenant's": rival, "the application's own client": e.App()} {
		want := auth.CodeSigningKeyNotFound
		if by == e.App() {
			want = auth.CodeClientRefused
		}
		refusedWith(t, name+": change", second(e.ChangeAppKey(t.Context(), by, k.ID, "", auth.KeySigning)), want)
		refusedWith(t, name+": delete", e.DeleteAppKey(t.Context(), by, k.ID), want)
	}
	for _, end := range []func() error{
		func() error { return second(e.ChangeAppKey(t.Context(), e.Admin(), k.ID, "", auth.KeyDisabled)) },
		func() error { return e.DeleteAppKey(t.Context(), e.Admin(), k.ID) },
	} {
		if _, err := e.ChangeAppKey(t.Context(), e.Admin(), k.ID, "", auth.KeySigning); err != nil {
			t.Fatal(err)
		}
		e.Clock.Advance(auth.PublishBefore)
		token, err := e.ClientToken(t.Context(), e.App(), "")
		if err != nil || kidOf(t, token.AccessToken) != k.ID {
			t.Fatalf("not signed by the key: %v", err)
		}
		if _, err := e.AuthenticateClientToken(t.Context(), token.AccessToken, auth.Via{}); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, second(e.AuthenticateClientToken(t.Context(), token.AccessToken, auth.Via{})), auth.CodeInvalidToken)
	}
}
