package auth_test

import (
	"context"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// directory reads the store's configuration.
func directory(t *testing.T, e *authtest.Env) auth.Directory {
	t.Helper()
	var d auth.Directory
	if err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { d, err = r.Directory(); return err }); err != nil {
		t.Fatal(err)
	}
	return d
}

// revoke changes the configuration as another process would.
func revoke(t *testing.T, e *authtest.Env, change func(auth.Directory, auth.Writes) error) {
	t.Helper()
	d := directory(t, e)
	if err := e.Store.Write(t.Context(), func(w auth.Writes) error { return change(d, w) }); err != nil {
		t.Fatal(err)
	}
}

func revokeKey(d auth.Directory, w auth.Writes) error {
	for _, k := range d.APIKeys {
		if k.Tenant == authtest.Demo {
			k.RevokedAt = authtest.Start()
			return w.PutAPIKey(k)
		}
	}
	return auth.ErrNotFound
}

func disableClient(d auth.Directory, w auth.Writes) error {
	for _, c := range d.Clients {
		if c.ID == "app" {
			c.DisabledAt = authtest.Start()
			return w.PutClient(c)
		}
	}
	return auth.ErrNotFound
}

func beginMaintenance(d auth.Directory, w auth.Writes) error {
	for _, tenant := range d.Tenants {
		if tenant.ID == authtest.Demo {
			tenant.Settings.Maintenance = true
			return w.PutTenant(tenant)
		}
	}
	return auth.ErrNotFound
}

// TestRevocationIsSeenByTheNextCall is C-28 and A-041: what another process revoked is refused by the very next call of a service that
// was never told, even for an actor that it had let in.
func TestRevocationIsSeenByTheNextCall(t *testing.T) {
	t.Parallel()
	type calls map[string]func(context.Context, *authtest.Env, prepared) error
	ofKey := calls{
		"login": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.LoginPassword(ctx, e.Key(), byEmail("ada", authtest.Password)))
		},
		"identities": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return second(e.Identities(ctx, e.Key(), p.bearer))
		},
		"access token": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return second(e.AccessToken(ctx, e.Key(), p.bearer, auth.IdentityRef{}))
		},
		"update": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return second(e.UpdatePassword(ctx, e.Key(), p.bearer, seal.NewSecret(authtest.Password), seal.NewSecret("N3w-Pa55word!")))
		},
		"logout": func(ctx context.Context, e *authtest.Env, p prepared) error { return e.Logout(ctx, e.Key(), p.bearer) },
	}
	ofClient := calls{
		"client token": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.ClientToken(ctx, e.App(), ""))
		},
		"authenticate": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.AuthenticatePassword(ctx, e.App(), backend("ada", authtest.Password)))
		},
		"session": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return second(e.AuthenticateSession(ctx, e.App(), p.set.Session, auth.BackendGrant{}))
		},
		"session logout": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return e.LogoutSession(ctx, e.App(), p.set.Session)
		},
		"refresh": func(ctx context.Context, e *authtest.Env, p prepared) error {
			return second(e.Refresh(ctx, e.App(), p.set.RefreshToken))
		},
		"create": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.CreateUser(ctx, e.App(), auth.NewUser{Username: "eve"}))
		},
		"get": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.User(ctx, e.App(), authtest.Ada))
		},
		"find": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return second(e.UserBy(ctx, e.App(), auth.ByUsername, "ada"))
		},
		"add password": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return e.AddPassword(ctx, e.App(), authtest.NoPass, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
		},
		"replace password": func(ctx context.Context, e *authtest.Env, _ prepared) error {
			return e.ReplacePassword(ctx, e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
		},
	}
	for _, tt := range []struct {
		name   string
		revoke func(auth.Directory, auth.Writes) error
		calls  calls
		want   auth.Code
	}{
		{"key", revokeKey, ofKey, auth.CodeUnknownKey},
		{"client", disableClient, ofClient, auth.CodeUnknownClient},
		{"maintenance of keys", beginMaintenance, ofKey, auth.CodeMaintenance},
		{"maintenance of clients", beginMaintenance, ofClient, auth.CodeMaintenance},
	} {
		for name, call := range tt.calls {
			for _, told := range []bool{false, true} {
				e := authtest.New(t)
				p := prepared{login(t, e, "ada").Token, authenticate(t, e, "ada")}
				revoke(t, e, tt.revoke)
				if told { // by another call, after this one's actor was let in
					if err := e.Resync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				before := len(rawEvents(t, e))
				err := call(t.Context(), e, p)
				if got := codeOf(err); got != tt.want {
					t.Errorf("%s, %s, told %t: got %v, want %v", tt.name, name, told, err, tt.want)
				}
				if n := len(rawEvents(t, e)); n != before {
					t.Errorf("%s, %s, told %t: something happened: %v", tt.name, name, told, events(t, e)[before:])
				}
			}
		}
	}
}

// prepared is what a caller held before the revocation.
type prepared struct {
	bearer string
	set    auth.TokenSet
}

func TestAuthenticationAfterRevocation(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	tok, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	revoke(t, e, revokeKey)
	revoke(t, e, disableClient)
	if err := e.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, second(e.AuthenticateKey(t.Context(), "test key of demo", auth.Via{})), auth.CodeUnknownKey)
	wantCode(t, second(e.AuthenticateClient(t.Context(), credentials("app", "test secret of app"), auth.Via{})), auth.CodeUnknownClient)
	wantCode(t, second(e.AuthenticateClientToken(t.Context(), tok.AccessToken, auth.Via{})), auth.CodeInvalidToken)
	if _, err := e.AuthenticateClient(t.Context(), credentials("admin", "test secret of admin"), auth.Via{}); err != nil {
		t.Errorf("another client: %v", err)
	}
}

// TestWhatIsNewIsFound: a key that another process added a moment ago lets its holder in at the first call.
func TestWhatIsNewIsFound(t *testing.T) {
	t.Parallel()
	e := authtest.Empty(t)
	s := e.Another(t, nil)
	if _, err := e.Apply(t.Context(), authtest.Setup()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AuthenticateKey(t.Context(), "test key of demo", auth.Via{}); err != nil {
		t.Errorf("key: %v", err)
	}
	s = e.Another(t, nil)
	tok, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AuthenticateClientToken(t.Context(), tok.AccessToken, auth.Via{}); err != nil {
		t.Errorf("a token signed with a key made since: %v", err)
	}
}

func TestAuthenticateClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, tt := range []struct {
		id     auth.ClientID
		secret string
		want   auth.Code
	}{
		{"app", "test secret of app", none}, {"app", "test secret of other", auth.CodeUnknownClient}, {"app", "", auth.CodeUnknownClient},
		{"APP", "test secret of app", auth.CodeUnknownClient}, {"", "", auth.CodeUnknownClient}, {"1001", authtest.Password, auth.CodeUnknownClient},
	} {
		by, err := e.AuthenticateClient(t.Context(), credentials(tt.id, tt.secret), auth.Via{})
		if got := codeOf(err); got != tt.want || err == nil && by != e.App() {
			t.Errorf("%s: got %v and %v", tt.id, got, by)
		}
	}
}

// TestClientsProveThemselvesOneWay: a secret does not help an assertion that is none, a public client is let in only where it has business, and
// a disabled one nowhere.
func TestClientsProveThemselvesOneWay(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	let := func(in auth.ClientCredentials) error {
		return second(e.AuthenticateClient(t.Context(), in, auth.Via{}))
	}
	good := credentials("app", "test secret of app")
	twice := good
	twice.Assertion = "made.up.assertion"
	refusedWith(t, "two ways", let(twice), auth.CodeUnknownClient)
	refusedWith(t, "a public client", let(auth.ClientCredentials{ID: "other"}), auth.CodeClientRefused)
	refusedWith(t, "a public client's secret", let(auth.ClientCredentials{ID: "other", Secret: good.Secret, Public: true}), auth.CodeUnknownClient)
	if err := let(auth.ClientCredentials{ID: "other", Public: true}); err != nil {
		t.Errorf("a public client where it has business: %v", err)
	}
	if err := let(good); err != nil {
		t.Errorf("one way: %v", err)
	}
	for id, in := range map[auth.ClientID]auth.ClientCredentials{"app": good, "other": {ID: "other", Public: true}} {
		if err := e.DisableClient(t.Context(), authtest.Demo, id); err != nil {
			t.Fatal(err)
		}
		refusedWith(t, "disabled "+string(id), let(in), auth.CodeUnknownClient)
	}
}
