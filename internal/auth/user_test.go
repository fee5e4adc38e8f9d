package auth_test

import (
	"regexp"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

func TestCreateUser(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	fresh := func(password string) *auth.NewPassword { return &auth.NewPassword{Value: seal.NewSecret(password)} }
	for _, tt := range []struct {
		name string
		in   auth.NewUser
		want auth.Code
	}{
		{"nobody", auth.NewUser{}, auth.CodeIdentifierRequired},
		{"malformed", auth.NewUser{Email: "a@b@c"}, auth.CodeIdentifierInvalid},
		{"address taken", auth.NewUser{Email: "ADA@example.com"}, auth.CodeUserExists},
		{"username taken", auth.NewUser{Email: "new@example.com", Username: "Ada"}, auth.CodeUserExists},
		{"number taken", auth.NewUser{Phone: "+35699111111"}, auth.CodeUserExists},
		{"weak password", auth.NewUser{Email: "eve@example.com", Password: fresh("weak")}, auth.CodePasswordTooShort},
		{"another's address as username", auth.NewUser{Username: "ada@example.com"}, auth.CodeIdentifierInvalid},
		{"good", auth.NewUser{Email: "Eve@example.com", Password: fresh("Pa55word!")}, none},
		{"again", auth.NewUser{Email: "eve@example.com"}, auth.CodeUserExists},
		{"without a password", auth.NewUser{Username: "mallory"}, none},
	} {
		a, err := e.CreateUser(t.Context(), e.App(), tt.in)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if err == nil && (a.User.Status != auth.UserPending || !regexp.MustCompile(`^[1-9][0-9]{17}$`).MatchString(string(a.User.ID))) {
			t.Errorf("%s: got %+v", tt.name, a.User)
		}
	}
	before, err := e.UserBy(t.Context(), e.App(), auth.ByEmail, "eve@EXAMPLE.com")
	if err != nil || before.User.Email != "Eve@example.com" {
		t.Fatalf("got %q (%v), want the address as it was given", before.User.Email, err)
	}
	login(t, e, "eve")
	after, err := e.User(t.Context(), e.App(), before.User.ID)
	if err != nil || after.User.Status != auth.UserActive || !after.Attempts.SucceededAt.Equal(e.Clock.Now()) {
		t.Errorf("after the first login: %s, %v (%v)", after.User.Status, after.Attempts.SucceededAt, err)
	}
}

// TestUsersCreatedAtOnce: of sixteen that want one address, one is made.
func TestUsersCreatedAtOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	for range 16 {
		wg.Go(func() {
			_, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Email: "eve@example.com"})
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	wg.Wait()
	if got[none] != 1 || got[auth.CodeUserExists] != 15 {
		t.Errorf("got %v", got)
	}
	if n := count(events(t, e), "user_created"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

func TestFindUsers(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, tt := range []struct {
		kind  auth.IdentifierKind
		value string
		want  auth.Code
	}{
		{auth.ByEmail, "ADA@example.com", none}, {auth.ByUsername, "Ada", none}, {auth.ByPhone, "+35699111111", none},
		{auth.ByUserID, "1001", none}, {auth.ByEmail, "stranger@example.com", auth.CodeUserNotFound},
		{auth.ByPhone, "+35699111112", auth.CodeUserNotFound}, {auth.ByPhone, "35699111111", auth.CodeIdentifierInvalid},
		{auth.ByUsername, "ada@example.com", auth.CodeUserNotFound},
	} {
		a, err := e.UserBy(t.Context(), e.App(), tt.kind, tt.value)
		if got := codeOf(err); got != tt.want || err == nil && a.User.ID != authtest.Ada {
			t.Errorf("%s %q: got %v, %s", tt.kind, tt.value, got, a.User.ID)
		}
	}
}

// TestSuspension is A-041: it ends what is open, keeps out what would be, and is lifted by a resumption alone.
func TestSuspension(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token, set := login(t, e, "ada").Token, authenticate(t, e, "ada")
	for range 2 { // the second changes nothing
		if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
			t.Fatal(err)
		}
	}
	shut := func(when string) {
		for name, err := range map[string]error{
			"a token":         second(e.Identities(t.Context(), e.Key(), token)),
			"a refresh token": second(e.Refresh(t.Context(), e.App(), set.RefreshToken)),
			"a session":       second(e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})),
		} {
			if err == nil {
				t.Errorf("%s: %s is still good", when, name)
			}
		}
	}
	shut("suspended")
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeSuspended)
	for range 2 {
		if err := e.Resume(t.Context(), authtest.Demo, authtest.Ada); err != nil {
			t.Fatal(err)
		}
	}
	shut("resumed")
	login(t, e, "ada")
	for _, kind := range []string{"user_suspended", "user_resumed"} {
		if n := count(events(t, e), kind); n != 1 {
			t.Errorf("got %d events %s, want 1", n, kind)
		}
	}
	wantCode(t, e.Suspend(t.Context(), authtest.Demo, "9999"), auth.CodeUserNotFound)
	wantCode(t, e.Resume(t.Context(), authtest.Demo, "9999"), auth.CodeUserNotFound)
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	login(t, e, "ada")
	lock(t, e, "ada")
	if err := e.Unlock(t.Context(), authtest.Demo, authtest.Ada); err != nil {
		t.Fatal(err)
	}
	a := attempts(t, e, authtest.Ada)
	if a.Failures != 0 || !a.LockedUntil.IsZero() || a.SucceededAt.IsZero() {
		t.Errorf("got %+v, want a clean counter that knows the last authentication", a)
	}
	fail(t, e, "ada", 4)
	login(t, e, "ada")
	wantCode(t, e.Unlock(t.Context(), authtest.Demo, "9999"), auth.CodeUserNotFound)
	if err := e.Unlock(t.Context(), authtest.Demo, authtest.Charles); err != nil { // never tried
		t.Error(err)
	}
}

func TestSweepLeavesWhatMatters(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	lock(t, e, "ada")
	fail(t, e, "charles", 2)
	login(t, e, "nobody")
	if _, err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
	e.Clock.Advance(72 * time.Hour)
	if _, err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := attempts(t, e, authtest.Charles); a.Version != 0 {
		t.Errorf("old failures are kept: %+v", a)
	}
	if a := attempts(t, e, authtest.Nobody); a.SucceededAt.IsZero() {
		t.Error("the last authentication was forgotten")
	}
}
