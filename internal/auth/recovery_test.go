package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

const (
	sentCode   = "123456" // every code of the sandbox
	wrongCode  = "000000"
	newPass    = "N3w-Pa55word!"
	adaAddress = "ada@example.com"
)

func start(t *testing.T, e *authtest.Env, name string) {
	t.Helper()
	if err := e.StartRecovery(t.Context(), e.Key(), name+"@example.com"); err != nil {
		t.Fatalf("start for %s: %v", name, err)
	}
}

func resume(t *testing.T, e *authtest.Env, name, code, password string) (auth.Login, error) {
	t.Helper()
	return e.ResumeRecovery(t.Context(), e.Key(), auth.Recovery{Email: name + "@example.com", Code: code, Password: seal.NewSecret(password)})
}

func wantResume(t *testing.T, e *authtest.Env, name, code, password string, want auth.Code) {
	t.Helper()
	_, err := resume(t, e, name, code, password)
	wantCode(t, err, want)
}

// inbox lists the messages to an address, newest first.
func inbox(t *testing.T, e *authtest.Env, to string) []auth.InboxItem {
	t.Helper()
	all, err := e.Inbox(t.Context(), to, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// mailed counts the messages to an address about one thing.
func mailed(t *testing.T, e *authtest.Env, to string, about auth.Template) int {
	t.Helper()
	n := 0
	for _, m := range inbox(t, e, to) {
		if m.Template == about {
			n++
		}
	}
	return n
}

// TestRecovery is: the code is used up, everything that the old password opened is closed, and the user goes on.
func TestRecovery(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	mine, set, charles := login(t, e, "ada").Token, authenticate(t, e, "ada"), login(t, e, "charles").Token
	start(t, e, "ada")
	l, err := resume(t, e, "ada", sentCode, newPass)
	if err != nil {
		t.Fatal(err)
	}
	if l.Kind != auth.TokenAccess || l.Membership.Identity.Ref.ID != "1001" || l.User != authtest.Ada {
		t.Errorf("got %+v", l)
	}
	for name, err := range map[string]error{
		"a session":         second(e.Identities(t.Context(), e.Key(), mine)),
		"a refresh token":   second(e.Refresh(t.Context(), e.App(), set.RefreshToken)),
		"the old password":  second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))),
		"the code":          second(resume(t, e, "ada", sentCode, "0ther-Pa55word!")),
		"the token, raised": e.StepUp(t.Context(), e.Key(), l.Token, auth.ChannelBiometric),
	} {
		if err == nil {
			t.Errorf("%s is good", name)
		}
	}
	for name, err := range map[string]error{
		"the new token":    second(e.Identities(t.Context(), e.Key(), l.Token)),
		"the new password": second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", newPass))),
		"somebody else":    second(e.Identities(t.Context(), e.Key(), charles)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, err := e.AccessToken(t.Context(), e.Key(), l.Token, auth.IdentityRef{}); err != nil || a.SteppedUp {
		t.Errorf("the new session: got %+v (%v), want one that is not stepped up (A-079)", a, err)
	}
	if got := mailed(t, e, adaAddress, auth.TemplatePasswordChanged); got != 1 {
		t.Errorf("got %d notices, want 1 (A-014)", got)
	}
	list := events(t, e)
	for _, want := range []string{"recovery_asked", "challenge_approved", "recovered", "token_issued ACCESS"} {
		if count(list, want) == 0 {
			t.Errorf("no event %q in %q", want, list)
		}
	}
}

// TestRecoveryLink is and B-46: the stored address gets it, and its base is configured.
func TestRecoveryLink(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ app, address, typed, want string }{
		{"", "ada@example.com", "ADA@EXAMPLE.COM", "https://auth.example/set-password/123456/ada@example.com"},
		{"https://app.example/x", "Ada+b@Example.com", "ada+B@example.com", "https://app.example/x/set-password/123456/Ada+b@Example.com"},
		{"http://app.example", "a/d?a#%@example.com", "a/d?a#%@example.com", "http://app.example/set-password/123456/a%2Fd%3Fa%23%25@example.com"},
	} {
		e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.AppURL = tt.app }), func(s *auth.Setup) {
			s.Tenants[0].Users[0].Email = tt.address
		})
		if err := e.StartRecovery(t.Context(), e.Key(), tt.typed); err != nil {
			t.Fatal(err)
		}
		got := inbox(t, e, tt.address)
		if len(got) != 1 || got[0].Link != tt.want || got[0].Code != sentCode || got[0].Template != auth.TemplateRecovery {
			t.Errorf("%s: got %+v, want one with %s", tt.address, got, tt.want)
		}
		if all := inbox(t, e, ""); len(all) != 1 {
			t.Errorf("%s: got %d messages in all, want 1", tt.address, len(all))
		}
	}
}

// TestCodesOfLiveTenants: only a sandbox tenant has a known code, and only in the sandbox.
func TestCodesOfLiveTenants(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Mode = auth.ModeLive })
	start(t, e, "ada")
	code := inbox(t, e, adaAddress)[0].Code
	if len(code) != 6 || code == sentCode {
		t.Errorf("got the code %q", code)
	}
	wantResume(t, e, "ada", code, newPass, none)
}

// TestRecoveryTellsNobody is, B-10 and B-13: whoever has an account or none, the same statements run and the answers are
// the same, from the first code to the last wrong one.
func TestRecoveryTellsNobody(t *testing.T) {
	t.Parallel()
	now := authtest.Start()
	e, m := metered(t, sqliteFile(t), func() time.Time { return now })
	lock(t, e, "charles")
	names := []string{"stranger", "ada", "charles", "mary", "annie", "alan"}
	same := func(step string, call func(name string) error) {
		t.Helper()
		var want []string
		for i, name := range names {
			var err error
			m.of(func() { err = call(name) })
			got := append(slices.Clone(m.trail), fmt.Sprint(err))
			if i == 0 {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s for %s: got\n%s\nwant as for the stranger:\n%s", step, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	begin := func(name string) error { return e.StartRecovery(t.Context(), e.Key(), name+"@example.com") }
	wrong := func(name string) error { return second(resume(t, e, name, wrongCode, newPass)) }
	same("resume before a start", wrong)
	same("start", begin)
	same("start again at once", begin)
	now = now.Add(15 * time.Second)
	same("another code", begin)
	before := e.Hasher.Stats()
	for i := range 4 {
		same(fmt.Sprintf("wrong code %d", i+1), wrong)
	}
	same("start after them", begin)
	for i := range 4 {
		same(fmt.Sprintf("more wrong code %d", i+1), wrong)
	}
	same("start under the lock", begin)
	now = now.Add(24 * time.Hour)
	same("start a day later", begin)
	now = now.Add(auth.RecoveryFor)
	same("too late", wrong)
	for _, name := range []string{"stranger", "annie"} {
		if _, err := resume(t, e, name, sentCode, newPass); codeOf(err) != auth.CodeRecoveryInvalid {
			t.Errorf("the sandbox's code for %s: got %v", name, err)
		}
	}
	if got := e.Hasher.Stats(); got != before {
		t.Errorf("wrong codes cost hashes: %+v, before %+v", got, before)
	}
	for _, m := range inbox(t, e, "") {
		if strings.HasPrefix(m.To, "stranger") || strings.HasPrefix(m.To, "annie") || m.Kind == auth.ParcelDecoy {
			t.Errorf("a message went to %s", m.To)
		}
	}
}

// TestRecoveryOnce is B-15: of fifty at once with one code, one succeeds.
func TestRecoveryOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	start(t, e, "ada")
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	ready := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-ready
			_, err := services[i%2].ResumeRecovery(t.Context(), e.Key(), auth.Recovery{
				Email: adaAddress, Code: sentCode, Password: seal.NewSecret(fmt.Sprintf("N3w-Pa55word-%d", i)),
			})
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	close(ready)
	wg.Wait()
	if got[none] != 1 || got[auth.CodeRecoveryInvalid] != 49 {
		t.Errorf("got %v, want one success and 49 refusals", got)
	}
}

// TestWrongRecoveryCodes is A-053 and B-16: three end a code, and five in a row all codes by e-mail for a while.
func TestWrongRecoveryCodes(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	start(t, e, "ada")
	for range 3 {
		wantResume(t, e, "ada", wrongCode, newPass, auth.CodeRecoveryInvalid)
	}
	wantResume(t, e, "ada", sentCode, newPass, auth.CodeRecoveryInvalid)
	e.Clock.Advance(time.Second) // of two challenges at one instant neither is the latest
	start(t, e, "ada")
	for range 2 {
		wantResume(t, e, "ada", wrongCode, newPass, auth.CodeRecoveryInvalid)
	}
	wantResume(t, e, "ada", sentCode, newPass, auth.CodeRecoveryInvalid)
	before := mailed(t, e, adaAddress, auth.TemplateRecovery)
	start(t, e, "ada")
	if got := mailed(t, e, adaAddress, auth.TemplateRecovery); got != before {
		t.Errorf("a code was sent under the lock")
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("the password is locked by wrong codes: %v (A-082)", err)
	}
	e.Clock.Advance(time.Hour)
	start(t, e, "ada")
	wantResume(t, e, "ada", sentCode, newPass, none)
}

// TestWrongRecoveryCodesAtOnce: however many guesses run at once, three of one code are judged.
func TestWrongRecoveryCodesAtOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	start(t, e, "ada")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			_, err := resume(t, e, "ada", fmt.Sprintf("%06d", i), newPass)
			if codeOf(err) != auth.CodeRecoveryInvalid {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	list := events(t, e)
	judged := count(list, "challenge_refused wrong_otp") + count(list, "challenge_refused one_try_left") + count(list, "challenge_failed challenge_limit")
	if judged != 3 {
		t.Errorf("%d guesses were judged, want 3", judged)
	}
	wantResume(t, e, "ada", sentCode, newPass, auth.CodeRecoveryInvalid)
}

func TestRecoveryCodesEnd(t *testing.T) { // A-080 B-47
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(*testing.T, *authtest.Env)
		want auth.Code
	}{
		"a moment before its time": {func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(auth.RecoveryFor - time.Microsecond) }, none},
		"at its time":              {func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(auth.RecoveryFor) }, auth.CodeRecoveryInvalid},
		"after a change of password": {func(t *testing.T, e *authtest.Env) {
			if _, err := update(t, e, login(t, e, "ada").Token, authtest.Password, "0ther-Pa55word!"); err != nil {
				t.Fatal(err)
			}
		}, auth.CodeRecoveryInvalid},
		"after a replacement by the client": {func(t *testing.T, e *authtest.Env) {
			next := auth.NewPassword{Value: seal.NewSecret("0ther-Pa55word!")}
			if err := e.ReplacePassword(t.Context(), e.App(), authtest.Ada, next); err != nil {
				t.Fatal(err)
			}
		}, auth.CodeRecoveryInvalid},
		"after a suspension": {func(t *testing.T, e *authtest.Env) {
			if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
				t.Fatal(err)
			}
		}, auth.CodeRecoveryInvalid},
		"after a change of address": {func(t *testing.T, e *authtest.Env) { readdress(t, e, "ada@another.example") }, auth.CodeRecoveryInvalid},
		"after a change of address and back": {func(t *testing.T, e *authtest.Env) {
			readdress(t, e, "ada@another.example")
			readdress(t, e, adaAddress)
		}, none},
		"after a lock":  {func(t *testing.T, e *authtest.Env) { lock(t, e, "ada") }, none},
		"after a login": {func(t *testing.T, e *authtest.Env) { login(t, e, "ada") }, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			start(t, e, "ada")
			tt.do(t, e)
			wantResume(t, e, "ada", sentCode, newPass, tt.want)
		})
	}
}

func readdress(t *testing.T, e *authtest.Env, address string) {
	t.Helper()
	err := e.Store.Update(t.Context(), func(tx auth.Tx) error {
		a, err := tx.AccountByUser(authtest.Demo, authtest.Ada)
		if err != nil {
			return err
		}
		a.User.Email = address
		ids, err := auth.IdentifiersOf(a.User)
		if err != nil {
			return err
		}
		return tx.PutUser(a.User, ids)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNewerRecoveryCode is: another code voids the one before.
func TestNewerRecoveryCode(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Mode = auth.ModeLive })
	start(t, e, "ada")
	e.Clock.Advance(15 * time.Second)
	start(t, e, "ada")
	got := inbox(t, e, adaAddress)
	if len(got) != 2 {
		t.Fatalf("got %d messages, want 2", len(got))
	}
	if got[0].Code != got[1].Code {
		wantResume(t, e, "ada", got[1].Code, newPass, auth.CodeRecoveryInvalid)
	}
	wantResume(t, e, "ada", got[0].Code, newPass, none)
}

// TestRecoveryMailsAreFew is A-082: three in an hour, however they are asked for, and the account is as it was.
func TestRecoveryMailsAreFew(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	var sent []time.Time
	for range 300 {
		before := mailed(t, e, adaAddress, auth.TemplateRecovery)
		start(t, e, "ada")
		if mailed(t, e, adaAddress, auth.TemplateRecovery) > before {
			sent = append(sent, e.Clock.Now())
		}
		wantResume(t, e, "ada", wrongCode, newPass, auth.CodeRecoveryInvalid)
		e.Clock.Advance(37 * time.Second)
	}
	for i := range sent {
		if i >= 3 && sent[i].Sub(sent[i-3]) < time.Hour {
			t.Errorf("four mails from %v to %v", sent[i-3], sent[i])
		}
	}
	if len(sent) < 6 {
		t.Errorf("%d mails in three hours, want more", len(sent))
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("the user does not get in: %v", err)
	}
}

// TestRefusedPasswordLeavesTheCode: only the holder of the code learns what is wrong with a password, and may try again.
func TestRefusedPasswordLeavesTheCode(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	start(t, e, "ada")
	for password, want := range map[string]auth.Code{
		"Sh0rt!":          auth.CodePasswordTooShort,
		"simplepassword":  auth.CodePasswordTooSimple,
		authtest.Password: auth.CodePasswordUsed,
		"N3w-Pa55word!" + strings.Repeat("x", 20): auth.CodePasswordTooLong,
	} {
		wantResume(t, e, "ada", sentCode, password, want)
	}
	for password := range map[string]bool{"Sh0rt!": true, authtest.Password: true} {
		wantResume(t, e, "ada", wrongCode, password, auth.CodeRecoveryInvalid)
	}
	wantResume(t, e, "ada", sentCode, newPass, none)
}

func TestRecoveryWithoutAPassword(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	start(t, e, "mary")
	wantResume(t, e, "mary", wrongCode, newPass, auth.CodeRecoveryInvalid)
	wantResume(t, e, "mary", sentCode, newPass, auth.CodePasswordMissing)
}

// TestRecoveryAndLocks: the lock of the lost password goes with it, and no other counter is cleared.
func TestRecoveryAndLocks(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) {
		s.Tenants[0].Users[0].Authenticators = []auth.AuthenticatorSetup{{Kind: auth.AuthenticatorSMS}}
	})
	token := login(t, e, "ada").Token
	if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, wrongCode), auth.CodeWrongOTP)
	lock(t, e, "ada")
	start(t, e, "ada")
	l, err := resume(t, e, "ada", sentCode, newPass)
	if err != nil {
		t.Fatal(err)
	}
	if a := attempts(t, e, authtest.Ada); a.Failures != 0 || a.Locked(e.Clock.Now()) {
		t.Errorf("got %+v, want no failures and no lock", a)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", newPass)); err != nil {
		t.Errorf("login with the new password: %v", err)
	}
	if list := events(t, e); count(list, "unlocked") != 1 {
		t.Errorf("got %d unlocked, want 1", count(list, "unlocked"))
	}
	if err := e.StepUp(t.Context(), e.Key(), l.Token, auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	var otp auth.Attempts
	err = e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		otp, err = r.Attempts(authtest.Demo, auth.SubjectOf(authtest.Ada), auth.AttemptOTP)
		return err
	})
	if err != nil || otp.Failures != 1 {
		t.Errorf("got %d wrong codes (%v), want 1 as before", otp.Failures, err)
	}
}

func TestRevealingRecovery(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.RevealAccounts = true }))
	for name, want := range map[string]auth.Code{
		"stranger": auth.CodeAccountNotFound, "charles": auth.CodeAccountAmbiguous, "ada": none, "annie": none, "mary": none,
	} {
		if got := codeOf(e.StartRecovery(t.Context(), e.Key(), name+"@example.com")); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got := len(inbox(t, e, "")); got != 2 {
		t.Errorf("got %d messages, want 2", got)
	}
	wantCode(t, e.StartRecovery(t.Context(), e.Key(), "nonsense"), auth.CodeIdentifierInvalid)
}

// TestRecoveryIsTheTenants: a code of one tenant is good for nobody of another.
func TestRecoveryIsTheTenants(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	start(t, e, "ada")
	rival := auth.Actor{Tenant: authtest.Rival, Key: "backend"}
	_, err := e.ResumeRecovery(t.Context(), rival, auth.Recovery{Email: adaAddress, Code: sentCode, Password: seal.NewSecret(newPass)})
	wantCode(t, err, auth.CodeRecoveryInvalid)
	wantResume(t, e, "ada", sentCode, newPass, none)
}

// TestNewestCodeIsGoodByAnyClock is C-14 and C-15: the code that was sent last is the one that counts, also when the clock was set back since the
// one before, or another node's is behind.
func TestNewestCodeIsGoodByAnyClock(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	start(t, e, "ada")
	wantResume(t, e, "ada", sentCode, newPass, none)
	e.Clock.Advance(-time.Minute)
	start(t, e, "ada")
	wantResume(t, e, "ada", sentCode, "N3wer-Pa55word!", none)
}
