package auth_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// unverified is a domain in which nobody's address is verified but Grace's, and Mary acts for Charles's corporate.
func unverified(t *testing.T, change ...func(*auth.Setup)) *authtest.Env {
	t.Helper()
	return authtest.New(t, append(change, unverify)...)
}

func unverify(s *auth.Setup) {
	for i := range s.Tenants[0].Users {
		u := &s.Tenants[0].Users[i]
		u.EmailVerified = u.ID == authtest.Expired
		switch u.ID {
		case authtest.NoPass:
			u.UserOf = []auth.IdentityRef{engines}
		case authtest.Suspended:
			u.RootOf = []auth.IdentityRef{{Type: auth.Consumer, ID: "1002"}}
		}
	}
}

func sendEmailCode(t *testing.T, e *authtest.Env, k auth.AddressKind, name string) {
	t.Helper()
	if err := e.SendEmailCode(t.Context(), e.Key(), k, name+"@example.com"); err != nil {
		t.Fatalf("send to %s: %v", name, err)
	}
}

func verifyEmail(t *testing.T, e *authtest.Env, k auth.AddressKind, name, code string) error {
	t.Helper()
	return e.VerifyEmail(t.Context(), e.Key(), k, name+"@example.com", code)
}

func isVerified(t *testing.T, e *authtest.Env, name string) bool {
	t.Helper()
	a, err := e.UserBy(t.Context(), e.App(), auth.ByEmail, name+"@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return !a.User.EmailVerifiedAt.IsZero()
}

// TestVerifyEmail walks over all kinds of addresses: each is verified on its own path and on no other.
func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	kinds := []auth.AddressKind{auth.AddressOfMember, auth.AddressOfCorporate, auth.AddressOfConsumer}
	for name, of := range map[string][]auth.AddressKind{
		"ada": {auth.AddressOfConsumer}, "charles": {auth.AddressOfMember, auth.AddressOfCorporate}, "mary": {auth.AddressOfMember},
		"nobody": {}, "grace": {}, "annie": {}, "stranger": {},
	} {
		for _, k := range kinds {
			e := unverified(t)
			sendEmailCode(t, e, k, name)
			fits := slices.Contains(of, k)
			if got := len(inbox(t, e, "")); (got == 1) != fits || got > 1 {
				t.Errorf("%s by %v: %d messages", name, k, got)
			}
			want := auth.CodeWrongOTP
			if fits {
				want = none
			}
			if got := codeOf(verifyEmail(t, e, k, name, sentCode)); got != want {
				t.Errorf("%s by %v: got %v, want %v", name, k, got, want)
			}
			if name != "stranger" && isVerified(t, e, name) != (fits || name == "grace") {
				t.Errorf("%s by %v: verified is %t", name, k, isVerified(t, e, name))
			}
			wantCode(t, verifyEmail(t, e, k, name, sentCode), auth.CodeWrongOTP)
		}
	}
}

func TestVerifyEmailLinks(t *testing.T) {
	t.Parallel()
	e := unverified(t)
	sendEmailCode(t, e, auth.AddressOfConsumer, "ada")
	sendEmailCode(t, e, auth.AddressOfCorporate, "charles")
	for to, want := range map[string]string{
		adaAddress:            "https://auth.example/login/verify?email=ada%40example.com&nonce=123456&cons=true",
		"charles@example.com": "https://auth.example/login/verify?email=charles%40example.com&nonce=123456",
	} {
		if got := inbox(t, e, to); len(got) != 1 || got[0].Link != want || got[0].Template != auth.TemplateVerifyEmail {
			t.Errorf("%s: got %+v, want %s", to, got, want)
		}
	}
}

// TestVerificationTellsNobody is and B-13 for the verification of addresses.
func TestVerificationTellsNobody(t *testing.T) {
	t.Parallel()
	now := authtest.Start()
	e, m := metered(t, sqliteFile(t), func() time.Time { return now })
	names := []string{"stranger", "ada", "charles", "mary", "annie"} // whose addresses are verified, or of another kind, or nobody's
	same := func(step string, call func(name string) error) {
		t.Helper()
		var want []string
		for i, name := range names {
			var err error
			m.of(func() { err = call(name) })
			got := append(slices.Clone(m.trail), codeOf(err).String())
			if i == 0 {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s for %s: got\n%s\nwant\n%s", step, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	send := func(name string) error {
		return e.SendEmailCode(t.Context(), e.Key(), auth.AddressOfConsumer, name+"@example.com")
	}
	wrong := func(name string) error { return verifyEmail(t, e, auth.AddressOfConsumer, name, wrongCode) }
	same("verify before", wrong)
	same("send", send)
	same("send at once", send)
	for range 4 {
		same("wrong code", wrong)
	}
	if got := len(inbox(t, e, "")); got != 0 {
		t.Errorf("got %d messages, want none: every address is verified", got)
	}

	// One that is asked for costs what the others do.
	err := e.Store.Update(t.Context(), func(tx auth.Tx) error {
		a, err := tx.AccountByUser(authtest.Demo, authtest.Ada)
		if err != nil {
			return err
		}
		a.User.EmailVerifiedAt = time.Time{}
		ids, err := auth.IdentifiersOf(a.User)
		if err != nil {
			return err
		}
		return tx.PutUser(a.User, ids)
	})
	if err != nil {
		t.Fatal(err)
	}
	names = []string{"another", "ada"}
	same("verify before a real one", wrong)
	same("send a real one", send)
	for range 4 {
		same("wrong code of a real one", wrong)
	}
	if got := len(inbox(t, e, "")); got != 1 {
		t.Errorf("got %d messages, want 1", got)
	}
}

// TestOtherPathsLeaveTheCode: whoever asks for an address on the wrong path does not void the code that its user waits for.
func TestOtherPathsLeaveTheCode(t *testing.T) {
	t.Parallel()
	e := unverified(t)
	sendEmailCode(t, e, auth.AddressOfConsumer, "ada")
	e.Clock.Advance(time.Minute)
	sendEmailCode(t, e, auth.AddressOfCorporate, "ada")
	for range 6 {
		wantCode(t, verifyEmail(t, e, auth.AddressOfCorporate, "ada", wrongCode), auth.CodeWrongOTP)
	}
	wantCode(t, verifyEmail(t, e, auth.AddressOfConsumer, "ada", sentCode), none)
}

func TestVerificationCodesEnd(t *testing.T) { // A-053 A-080
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(*testing.T, *authtest.Env)
		want auth.Code
	}{
		"a moment before its time":  {func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(auth.VerifyEmailFor - time.Microsecond) }, none},
		"at its time":               {func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(auth.VerifyEmailFor) }, auth.CodeWrongOTP},
		"after a change of address": {func(t *testing.T, e *authtest.Env) { readdress(t, e, "ada@another.example") }, auth.CodeWrongOTP},
		"after three wrong ones": {func(t *testing.T, e *authtest.Env) {
			for range 3 {
				wantCode(t, verifyEmail(t, e, auth.AddressOfConsumer, "ada", wrongCode), auth.CodeWrongOTP)
			}
		}, auth.CodeWrongOTP},
		"a code of a recovery": {func(t *testing.T, e *authtest.Env) {
			e.Clock.Advance(auth.VerifyEmailFor)
			start(t, e, "ada")
		}, auth.CodeWrongOTP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := unverified(t)
			sendEmailCode(t, e, auth.AddressOfConsumer, "ada")
			tt.do(t, e)
			wantCode(t, verifyEmail(t, e, auth.AddressOfConsumer, "ada", sentCode), tt.want)
		})
	}
}

// TestVerifyEmailOnce is B-15.
func TestVerifyEmailOnce(t *testing.T) {
	t.Parallel()
	e := unverified(t, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	sendEmailCode(t, e, auth.AddressOfConsumer, "ada")
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	for i := range 50 {
		wg.Go(func() {
			err := services[i%2].VerifyEmail(t.Context(), e.Key(), auth.AddressOfConsumer, adaAddress, sentCode)
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	wg.Wait()
	if got[none] != 1 || got[auth.CodeWrongOTP] != 49 {
		t.Errorf("got %v, want one success and 49 refusals", got)
	}
	if n := count(events(t, e), "email_verified"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

func TestRevealingVerification(t *testing.T) {
	t.Parallel()
	e := unverified(t, authtest.Settings(func(s *auth.Settings) { s.RevealAccounts = true }))
	for _, tt := range []struct {
		kind auth.AddressKind
		name string
		want auth.Code
	}{
		{auth.AddressOfConsumer, "stranger", auth.CodeEmailNotFound},
		{auth.AddressOfConsumer, "charles", auth.CodeEmailNotFound},
		{auth.AddressOfConsumer, "grace", auth.CodeAlreadyVerified},
		{auth.AddressOfConsumer, "annie", none}, // suspended
		{auth.AddressOfConsumer, "ada", none},
		{auth.AddressOfCorporate, "ada", auth.CodeEmailNotFound},
		{auth.AddressOfMember, "grace", auth.CodeEmailNotFound},
		{auth.AddressOfMember, "mary", none},
	} {
		if got := codeOf(e.SendEmailCode(t.Context(), e.Key(), tt.kind, tt.name+"@example.com")); got != tt.want {
			t.Errorf("%s by %v: got %v, want %v", tt.name, tt.kind, got, tt.want)
		}
	}
	if got := len(inbox(t, e, "")); got != 2 {
		t.Errorf("got %d messages, want 2", got)
	}
}
