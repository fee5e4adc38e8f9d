package auth_test

import (
	"fmt"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

func update(t *testing.T, e *authtest.Env, token, old, fresh string) (auth.PasswordUpdate, error) {
	t.Helper()
	return e.UpdatePassword(t.Context(), e.Key(), token, seal.NewSecret(old), seal.NewSecret(fresh))
}

// TestUpdatePassword is A-012: everything that the old password opened is closed, and the caller goes on with a new token.
func TestUpdatePassword(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	mine, another, set := login(t, e, "ada").Token, login(t, e, "ada").Token, authenticate(t, e, "ada")
	charles := login(t, e, "charles").Token
	u, err := update(t, e, mine, authtest.Password, "N3w-Pa55word!")
	if err != nil {
		t.Fatal(err)
	}
	if u.Kind != auth.TokenAccess || u.Membership.Identity.Ref.ID != "1001" || !u.ExpiresAt.IsZero() {
		t.Errorf("got %+v", u)
	}
	for name, err := range map[string]error{
		"the token that asked": second(e.Identities(t.Context(), e.Key(), mine)),
		"another session":      second(e.Identities(t.Context(), e.Key(), another)),
		"a refresh token":      second(e.Refresh(t.Context(), e.App(), set.RefreshToken)),
		"a session of /cis":    second(e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})),
		"the old password":     second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))),
	} {
		if err == nil {
			t.Errorf("%s is still good", name)
		}
	}
	for name, err := range map[string]error{
		"the new token":    second(e.Identities(t.Context(), e.Key(), u.Token)),
		"the new password": second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "N3w-Pa55word!"))),
		"somebody else":    second(e.Identities(t.Context(), e.Key(), charles)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestUpdatePasswordRefusals(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	for _, tt := range []struct {
		name, old, fresh string
		want             auth.Code
		reason           string
	}{
		{"wrong", "wrong", "N3w-Pa55word!", auth.CodePasswordIncorrect, "login_refused wrong_password"},
		{"short", authtest.Password, "N3w!", auth.CodePasswordTooShort, "password_refused password_too_short"},
		{"simple", authtest.Password, "newpassword", auth.CodePasswordTooSimple, "password_refused password_too_simple"},
		{"the same", authtest.Password, authtest.Password, auth.CodePasswordUsed, "password_refused password_used"},
	} {
		_, err := update(t, e, token, tt.old, tt.fresh)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if list := events(t, e); list[len(list)-1] != tt.reason {
			t.Errorf("%s: got the event %q, want %q", tt.name, list[len(list)-1], tt.reason)
		}
		if _, err := e.Identities(t.Context(), e.Key(), token); err != nil {
			t.Errorf("%s: the session ended: %v", tt.name, err)
		}
	}
	_, err := update(t, e, "no token", authtest.Password, "N3w-Pa55word!")
	wantCode(t, err, auth.CodeInvalidToken)
}

// TestUpdatePasswordIsCounted is A-011: the old password cannot be guessed with a stolen token.
func TestUpdatePasswordIsCounted(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	for range 5 {
		_, err := update(t, e, token, "wrong", "N3w-Pa55word!")
		wantCode(t, err, auth.CodePasswordIncorrect)
	}
	_, err := update(t, e, token, authtest.Password, "N3w-Pa55word!")
	wantCode(t, err, auth.CodeLocked)
	_, err = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
}

// TestPasswordHistory bars the last five, the present one among them.
func TestPasswordHistory(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token, old := login(t, e, "ada").Token, authtest.Password
	for i := range 5 {
		u, err := update(t, e, token, old, fmt.Sprintf("N3w-Pa55word!%d", i))
		if err != nil {
			t.Fatal(err)
		}
		token, old = u.Token, fmt.Sprintf("N3w-Pa55word!%d", i)
		for used := range i + 1 {
			_, err := update(t, e, token, old, fmt.Sprintf("N3w-Pa55word!%d", used))
			wantCode(t, err, auth.CodePasswordUsed)
		}
	}
	if _, err := update(t, e, token, old, authtest.Password); err != nil {
		t.Errorf("the sixth last: %v", err)
	}
}

// TestTemporaryToken is A-013: one update within five minutes, and nothing else.
func TestTemporaryToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	obtain := func(name string, want auth.Code) string {
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail(name, authtest.Password))
		wantCode(t, err, want)
		return tokenOf(t, err)
	}
	late := obtain("alan", auth.CodePasswordTemp)
	e.Clock.Advance(auth.TemporaryTokenFor)
	_, err := update(t, e, late, authtest.Password, "N3w-Pa55word!")
	wantCode(t, err, auth.CodeInvalidToken)

	for _, name := range []string{"alan", "grace"} {
		code := map[string]auth.Code{"alan": auth.CodePasswordTemp, "grace": auth.CodePasswordExpired}[name]
		token, another := obtain(name, code), obtain(name, code)
		e.Clock.Advance(auth.TemporaryTokenFor - time.Microsecond)
		u, err := update(t, e, token, authtest.Password, "N3w-Pa55word!")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := e.Identities(t.Context(), e.Key(), u.Token); err != nil {
			t.Errorf("%s: the new token: %v", name, err)
		}
		for _, spent := range []string{token, another} {
			_, err := update(t, e, spent, "N3w-Pa55word!", "N3wer-Pa55word!")
			wantCode(t, err, auth.CodeInvalidToken)
		}
		if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail(name, "N3w-Pa55word!")); err != nil {
			t.Errorf("%s: the new password: %v", name, err)
		}
	}
}

func TestPasswordExpiry(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.Password.ExpiresAfter = 24 * time.Hour }))
	u, err := update(t, e, login(t, e, "ada").Token, authtest.Password, "N3w-Pa55word!")
	if err != nil || !u.ExpiresAt.Equal(authtest.Start().Add(24*time.Hour)) {
		t.Fatalf("got %v (%v)", u.ExpiresAt, err)
	}
	for after, want := range map[time.Duration]auth.Code{24*time.Hour - time.Microsecond: none, 24 * time.Hour: auth.CodePasswordExpired} {
		e.Clock.Advance(authtest.Start().Add(after).Sub(e.Clock.Now()))
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "N3w-Pa55word!"))
		wantCode(t, err, want)
	}
}

func TestAddPassword(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	add := func(id auth.UserID, value string, unchecked bool) auth.Code {
		return codeOf(e.AddPassword(t.Context(), e.App(), id, auth.NewPassword{Value: seal.NewSecret(value), Temporary: true, Unchecked: unchecked}))
	}
	for _, tt := range []struct {
		id        auth.UserID
		value     string
		unchecked bool
		want      auth.Code
	}{
		{authtest.NoPass, "short", false, auth.CodePasswordTooShort},
		{"9999", "N3w-Pa55word!", false, auth.CodeUserNotFound},
		{authtest.Ada, "N3w-Pa55word!", false, auth.CodePasswordExists},
		{authtest.NoPass, "short", true, none},
		{authtest.NoPass, "N3w-Pa55word!", false, auth.CodePasswordExists},
	} {
		if got := add(tt.id, tt.value, tt.unchecked); got != tt.want {
			t.Errorf("%s %q: got %v, want %v", tt.id, tt.value, got, tt.want)
		}
	}
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mary", "short"))
	wantCode(t, err, auth.CodePasswordTemp)
}

func TestReplacePassword(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	replace := func(id auth.UserID, value string) error {
		return e.ReplacePassword(t.Context(), e.App(), id, auth.NewPassword{Value: seal.NewSecret(value)})
	}
	wantCode(t, replace("9999", "N3w-Pa55word!"), auth.CodeUserNotFound)
	wantCode(t, replace(authtest.NoPass, "N3w-Pa55word!"), auth.CodePasswordMissing)
	wantCode(t, replace(authtest.Ada, "short"), auth.CodePasswordTooShort)
	wantCode(t, replace(authtest.Ada, authtest.Password), auth.CodePasswordUsed)
	token, set := login(t, e, "ada").Token, authenticate(t, e, "ada")
	if err := replace(authtest.Ada, "N3w-Pa55word!"); err != nil {
		t.Fatal(err)
	}
	if e.Logout(t.Context(), e.Key(), token) == nil || second(e.Refresh(t.Context(), e.App(), set.RefreshToken)) == nil {
		t.Error("a session of the old password goes on")
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "N3w-Pa55word!")); err != nil {
		t.Error(err)
	}
	lock(t, e, "ada")
	if err := replace(authtest.Ada, "N3wer-Pa55word!"); err != nil {
		t.Fatal(err)
	}
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "N3wer-Pa55word!"))
	wantCode(t, err, auth.CodeLocked)
}
