package auth_test

import (
	"errors"
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// admin is the client that administers Demo.
func admin() auth.Actor { return auth.Actor{Tenant: authtest.Demo, Client: "admin"} }

func kinds(t testing.TB, e *authtest.Env, id auth.UserID) []auth.EventKind {
	t.Helper()
	var all []auth.EventKind
	err := e.Store.View(t.Context(), func(r auth.Reads) error {
		events, err := r.Events(authtest.Demo, "", 1000)
		for _, ev := range events {
			if ev.User == id {
				all = append(all, ev.Kind)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDeleteUser: whatever was the user's is gone at once, and their id stays nobody's.
func TestDeleteUser(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	l, err := e.LoginPassword(t.Context(), e.Key(), auth.PasswordLogin{
		Kind: auth.ByUsername, Identifier: "ada", Password: seal.NewSecret(authtest.Password),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.DeleteUser(t.Context(), e.App(), authtest.Ada); !errors.Is(err, auth.CodeClientRefused) {
		t.Errorf("a client of an application: got %v, want %v", err, auth.CodeClientRefused)
	}
	for i, want := range []error{nil, auth.CodeUserNotFound} {
		if err := e.DeleteUser(t.Context(), admin(), authtest.Ada); !errors.Is(err, want) {
			t.Errorf("try %d: got %v, want %v", i, err, want)
		}
	}
	if _, err := e.Authenticate(t.Context(), e.Key(), l.Token, auth.TokenAccess); !errors.Is(err, auth.CodeInvalidToken) {
		t.Errorf("the token: got %v, want %v", err, auth.CodeInvalidToken)
	}
	if got := kinds(t, e, authtest.Ada); !slices.Contains(got, auth.EventUserDeleted) {
		t.Errorf("events: got %v, want %s among them", got, auth.EventUserDeleted)
	}
	a, err := e.UserBy(t.Context(), auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}, auth.ByUsername, "ada")
	if err != nil || a.User.ID != authtest.Ada {
		t.Errorf("the user of the same id in another tenant: got %v, %v", a.User.ID, err)
	}
	err = e.Store.Update(t.Context(), func(tx auth.Tx) error {
		return tx.AddUser(auth.User{Tenant: authtest.Demo, ID: authtest.Ada}, nil)
	})
	if !errors.Is(err, auth.ErrExists) {
		t.Errorf("the id again: got %v, want ErrExists", err)
	}
}

// TestChangeUserIsOneChange: of a change that is refused in part nothing is kept.
func TestChangeUserIsOneChange(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	status := auth.UserSuspended
	for name, in := range map[string]auth.UserFields{
		"taken address":  {Email: text("charles@example.com"), Status: &status},
		"taken username": {Username: text("charles"), Status: &status},
		"pending again":  {Username: text("augusta"), Status: func() *auth.UserStatus { s := auth.UserPending; return &s }()},
		"a malformed secondary number": {Username: text("augusta"), Profile: func(p *auth.Profile) {
			p.SecondaryPhones = []string{"12"}
		}},
		"too much custom data": {Username: text("augusta"), Profile: func(p *auth.Profile) {
			p.CustomData = string(make([]byte, 65537))
		}},
	} {
		if _, err := e.ChangeUser(t.Context(), e.App(), authtest.Ada, in); err == nil {
			t.Errorf("%s: was changed", name)
		}
		a, err := e.User(t.Context(), e.App(), authtest.Ada)
		if err != nil || a.User.Username != "ada" || a.User.Status != auth.UserActive || a.User.Email != "ada@example.com" {
			t.Errorf("%s: left %+v, %v", name, a.User, err)
		}
	}
}

// TestAuthenticatorLocks: a lock that a client set is not lifted by time, by an unlocking of other locks, or by who manages the user.
func TestAuthenticatorLocks(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	login := func() error {
		_, err := e.LoginPassword(t.Context(), e.Key(), auth.PasswordLogin{
			Kind: auth.ByUsername, Identifier: "ada", Password: seal.NewSecret(authtest.Password),
		})
		return err
	}
	by := e.App()
	if err := e.LockAuthenticator(t.Context(), by, authtest.Ada, "password"); err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(1000 * 24 * 3600 * 1_000_000_000)
	if err := e.UnlockKind(t.Context(), by, authtest.Ada, auth.AuthenticatorPassword, auth.UnlockAutomatic); err != nil {
		t.Fatal(err)
	}
	if err := login(); !errors.Is(err, auth.CodeLocked) {
		t.Errorf("locked: got %v, want %v", err, auth.CodeLocked)
	}
	if err := e.UnlockAuthenticator(t.Context(), by, authtest.Ada, "password"); err != nil {
		t.Fatal(err)
	}
	if err := login(); err != nil {
		t.Errorf("unlocked: got %v", err)
	}
	want := []auth.EventKind{auth.EventLocked, auth.EventLoginRefused, auth.EventUnlocked, auth.EventLogin}
	got := kinds(t, e, authtest.Ada)
	for _, k := range want {
		if !slices.Contains(got, k) {
			t.Errorf("events: got %v, want %s among them", got, k)
		}
	}
	for _, id := range []string{"", "totp", "sms-1"} {
		if err := e.LockAuthenticator(t.Context(), by, authtest.Ada, id); !errors.Is(err, auth.CodeNotFound) {
			t.Errorf("%q: got %v, want %v", id, err, auth.CodeNotFound)
		}
	}
}
