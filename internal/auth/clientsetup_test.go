package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

func clientKeys(t *testing.T, alg jose.Alg) (*jose.Key, string) {
	t.Helper()
	k, err := jose.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k, string(jose.NewSet(k.Public()).JWKS())
}

// TestUnsafeClients: what would not be safe is not registered.
func TestUnsafeClients(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	_, ec := clientKeys(t, jose.ES256)
	_, ed := clientKeys(t, jose.EdDSA)
	for _, tt := range []struct {
		in   auth.ClientSetup
		want string // in the error; empty: it is registered
	}{
		{auth.ClientSetup{ID: "secret"}, ""},
		{auth.ClientSetup{ID: "keyed", Auth: auth.ClientAuthKey, JWKS: ec}, ""},
		{auth.ClientSetup{ID: "public", Auth: auth.ClientAuthNone}, ""},
		{auth.ClientSetup{ID: "old", PKCE: auth.PKCEOptional}, ""},
		{auth.ClientSetup{ID: "12"}, "user's"},
		{auth.ClientSetup{ID: "c", Auth: "tls_client_auth"}, "tls_client_auth"},
		{auth.ClientSetup{ID: "c", PKCE: "plain"}, "plain"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthNone, PKCE: auth.PKCEOptional}, "PKCE"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthNone, Kind: auth.ClientManagement}, "management"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthNone, JWKS: ec}, "no keys"},
		{auth.ClientSetup{ID: "c", JWKS: ec}, "no keys"},
		{auth.ClientSetup{ID: "c", AuthAlg: jose.ES256}, "no keys"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthKey}, "public keys"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthKey, JWKS: "{}"}, "0 keys"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthKey, JWKS: ed}, "EdDSA"},
		{auth.ClientSetup{ID: "c", Auth: auth.ClientAuthKey, JWKS: ec, AuthAlg: jose.RS256}, "RS256"},
		{auth.ClientSetup{ID: "c", RedirectURIs: []string{"http://app.example/cb"}}, "redirect URI"},
	} {
		if tt.in.Kind == "" {
			tt.in.Kind = auth.ClientApplication
		}
		secret, err := e.CreateClient(t.Context(), authtest.Demo, tt.in)
		switch {
		case tt.want == "" && (err != nil || (secret != "") != (tt.in.Auth == "")):
			t.Errorf("%+v: got secret %t, %v", tt.in, secret != "", err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%+v: got %v, want %q in it", tt.in, err, tt.want)
		}
	}
	for _, c := range e.Clients(authtest.Demo) {
		if c.ID == "c" || c.ID == "12" {
			t.Errorf("registered: %+v", c)
		}
	}
}

// TestChangeClient: a change keeps what it does not name, takes a client's secrets away with the way they were for, and gives none.
func TestChangeClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	by := func(id auth.ClientID) auth.Client {
		return e.Client(auth.Actor{Tenant: authtest.Demo, Client: id})
	}
	change := func(id auth.ClientID, f func(*auth.ClientSetup)) error {
		return e.ChangeClient(t.Context(), authtest.Demo, id, func(in auth.ClientSetup) (auth.ClientSetup, error) { f(&in); return in, nil })
	}
	was := by("app")
	if err := change("app", func(in *auth.ClientSetup) {
		in.Native, in.ID, in.Kind, in.Secret = true, "admin", auth.ClientManagement, "a secret of the caller's"
	}); err != nil {
		t.Fatal(err)
	}
	if got := by("app"); !got.Native || got.Kind != was.Kind || len(got.Secrets) != 1 || got.Secrets[0] != was.Secrets[0] || got.CreatedAt != was.CreatedAt ||
		len(got.Resources) != 1 || got.AppName != was.AppName {
		t.Errorf("got %+v, was %+v", got, was)
	}
	_, ec := clientKeys(t, jose.ES256)
	if err := change("app", func(in *auth.ClientSetup) { in.Auth, in.JWKS = auth.ClientAuthKey, ec }); err != nil {
		t.Fatal(err)
	}
	wantCode(t, second(e.AuthenticateClient(t.Context(), credentials("app", "test secret of app"), auth.Via{})), auth.CodeUnknownClient)
	if _, err := e.RotateClientSecret(t.Context(), authtest.Demo, "app"); err == nil {
		t.Error("a client with keys got a secret")
	}
	if err := change("app", func(in *auth.ClientSetup) { in.Auth, in.JWKS, in.AuthAlg = auth.ClientAuthSecret, "", "" }); err != nil {
		t.Fatal(err)
	}
	wantCode(t, second(e.AuthenticateClient(t.Context(), credentials("app", "test secret of app"), auth.Via{})), auth.CodeUnknownClient)
	secret, err := e.RotateClientSecret(t.Context(), authtest.Demo, "app")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.AuthenticateClient(t.Context(), credentials("app", secret), auth.Via{}); err != nil {
		t.Error(err)
	}
	if err := e.DisableClient(t.Context(), authtest.Demo, "other"); err != nil {
		t.Fatal(err)
	}
	if err := change("other", func(*auth.ClientSetup) {}); err != nil || by("other").DisabledAt.IsZero() {
		t.Errorf("a change of a disabled client: %v, disabled %t", err, !by("other").DisabledAt.IsZero())
	}
	if err := change("stranger", func(*auth.ClientSetup) {}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("a stranger: got %v", err)
	}
	if err := e.ChangeClient(t.Context(), authtest.Rival, "app", func(in auth.ClientSetup) (auth.ClientSetup, error) { return in, nil }); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another tenant's: got %v", err)
	}
	wantErr := context.Canceled
	if err := e.ChangeClient(t.Context(), authtest.Demo, "app", func(in auth.ClientSetup) (auth.ClientSetup, error) { return in, wantErr }); !errors.Is(err, wantErr) {
		t.Errorf("got %v", err)
	}
}
