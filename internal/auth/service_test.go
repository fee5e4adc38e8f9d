package auth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// Short ways of saying what most tests say.

func byEmail(name, password string) auth.PasswordLogin {
	return auth.PasswordLogin{Kind: auth.ByEmail, Identifier: name + "@example.com", Password: seal.NewSecret(password)}
}

func backend(name, password string) auth.BackendLogin {
	return auth.BackendLogin{PasswordLogin: byEmail(name, password)}
}

// login logs a user of Demo in through /multi.
func login(t *testing.T, e *authtest.Env, name string) auth.Login {
	t.Helper()
	l, err := e.LoginPassword(t.Context(), e.Key(), byEmail(name, authtest.Password))
	if err != nil {
		t.Fatalf("login of %s: %v", name, err)
	}
	return l
}

// authenticate logs a user of Demo in through /cis.
func authenticate(t *testing.T, e *authtest.Env, name string) auth.TokenSet {
	t.Helper()
	set, err := e.AuthenticatePassword(t.Context(), e.App(), backend(name, authtest.Password))
	if err != nil {
		t.Fatalf("authentication of %s: %v", name, err)
	}
	return set
}

// fail makes n failures of a user.
func fail(t *testing.T, e *authtest.Env, name string, n int) {
	t.Helper()
	for range n {
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail(name, "wrong"))
		wantCode(t, err, auth.CodeWrongPassword)
	}
}

func lock(t *testing.T, e *authtest.Env, name string) { fail(t, e, name, 5) }

// none stands for no error at all.
const none auth.Code = -1

func codeOf(err error) auth.Code {
	if err == nil {
		return none
	}
	return auth.CodeOf(err)
}

func wantCode(t *testing.T, err error, want auth.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}

func wantRetry(t *testing.T, err error, want time.Duration) {
	t.Helper()
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.RetryAfter != want {
		t.Errorf("got %v, want a refusal to be retried after %v", err, want)
	}
}

// tokenOf is the temporary token of a refusal.
func tokenOf(t *testing.T, err error) string {
	t.Helper()
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.Token == "" {
		t.Fatalf("got %v, want a refusal with a token", err)
	}
	return refusal.Token
}

// attempts is the row that counts a user's passwords.
func attempts(t *testing.T, e *authtest.Env, id auth.UserID) auth.Attempts {
	t.Helper()
	var a auth.Attempts
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		a, err = r.Attempts(authtest.Demo, auth.SubjectOf(id), auth.AttemptPassword)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// events are all of Demo's since the starting state, as "kind reason".
func events(t *testing.T, e *authtest.Env) []string {
	t.Helper()
	var list []string
	for _, ev := range rawEvents(t, e) {
		text := string(ev.Kind)
		if ev.Reason != "" {
			text += " " + ev.Reason
		}
		list = append(list, text)
	}
	return list
}

func rawEvents(t *testing.T, e *authtest.Env) []auth.Event {
	t.Helper()
	var all []auth.Event
	err := e.Store.View(context.WithoutCancel(t.Context()), func(r auth.Reads) (err error) {
		all, err = r.Events(authtest.Demo, "", 10_000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(ev auth.Event) bool { return ev.Kind == auth.EventSetup })
}

func count(list []string, text string) int {
	n := 0
	for _, s := range list {
		if s == text {
			n++
		}
	}
	return n
}

func credentials(id auth.ClientID, secret string) auth.ClientCredentials {
	return auth.ClientCredentials{ID: id, Secret: seal.NewSecret(secret)}
}
