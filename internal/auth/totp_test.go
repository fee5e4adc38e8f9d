package auth_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// comesIn lets the user in whose access token it is.
func comesIn(t *testing.T, e *authtest.Env, set auth.TokenSet) (auth.Actor, auth.LiveSession) {
	t.Helper()
	by, live, err := e.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	return by, live
}

// newApp gives a user of Demo an app and returns what it was told.
func newApp(t *testing.T, e *authtest.Env, name string) auth.TOTPKey {
	t.Helper()
	by, live := comesIn(t, e, authenticate(t, e, name))
	key, err := e.RegisterTOTP(t.Context(), by, live, "", false)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// shown is the code that an app shows after the time, as seen from the clock.
func shown(t *testing.T, e *authtest.Env, key auth.TOTPKey, after time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(key.Secret, e.Clock.Now().Add(after))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func byCode(name, code string) auth.TOTPLogin {
	return auth.TOTPLogin{Kind: auth.ByEmail, Identifier: name + "@example.com", Code: code}
}

// noCode is none of those that the app shows about now.
func noCode(t *testing.T, e *authtest.Env, key auth.TOTPKey) string {
	t.Helper()
	for i := range 9 {
		code, right := fmt.Sprintf("00000%d", i), false
		for step := time.Duration(-2); step <= 2; step++ {
			right = right || shown(t, e, key, step*30*time.Second) == code
		}
		if !right {
			return code
		}
	}
	panic("every code is right")
}

func TestRegisterTOTP(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	by, live := comesIn(t, e, authenticate(t, e, "ada"))
	key, err := e.RegisterTOTP(t.Context(), by, live, "Ada: phone", false)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(key.URI)
	if err != nil {
		t.Fatal(err)
	}
	q := uri.Query()
	if uri.Scheme != "otpauth" || uri.Host != "totp" || !strings.HasSuffix(uri.Path, ":Ada  phone") || q.Get("secret") != key.Secret ||
		q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" || q.Get("issuer") == "" {
		t.Errorf("got %s", key.URI)
	}
	var kept auth.TOTP
	err = e.Store.View(t.Context(), func(r auth.Reads) (err error) { kept, err = r.TOTP(authtest.Demo, authtest.Ada); return err })
	if err != nil || strings.Contains(string(kept.Sealed), key.Secret) || kept.Label != "Ada: phone" {
		t.Errorf("got %+v, %v: want the secret sealed", kept, err)
	}
	_, err = e.RegisterTOTP(t.Context(), by, live, "", false)
	wantCode(t, err, auth.CodeChannelBound)
	for name, ev := range map[string]int{"bound": 1, "binding_refused channel_bound": 1} {
		if got := count(events(t, e), name); got != ev {
			t.Errorf("got %d events %q, want %d", got, name, ev)
		}
	}
}

// TestTOTPChangesNeedASecondFactor is A-078 and B-20: a password alone neither replaces nor removes an app.
func TestTOTPChangesNeedASecondFactor(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	key := newApp(t, e, "ada")
	first := authenticate(t, e, "ada")
	by, live := comesIn(t, e, first)
	_, err := e.RegisterTOTP(t.Context(), by, live, "", true)
	wantCode(t, err, auth.CodeStepUpRequired)
	wantCode(t, e.RevokeTOTP(t.Context(), by, live), auth.CodeStepUpRequired)

	// A code alone is one factor, too.
	alone, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, key, 0)))
	if err != nil {
		t.Fatal(err)
	}
	by, live = comesIn(t, e, alone)
	wantCode(t, e.RevokeTOTP(t.Context(), by, live), auth.CodeStepUpRequired)

	e.Clock.Advance(30 * time.Second)
	in := byCode("ada", shown(t, e, key, 0))
	in.Session = first.Session
	both, err := e.AuthenticateTOTP(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	if amr := fmt.Sprint(claimsOf(t, both.IDToken)["amr"]); amr != "[pwd totp mfa]" || both.Session != first.Session {
		t.Errorf("got amr %s in session %s", amr, both.Session)
	}
	by, live = comesIn(t, e, both)
	next, err := e.RegisterTOTP(t.Context(), by, live, "", true)
	if err != nil || next.Secret == key.Secret {
		t.Fatalf("got %v, want another secret", err)
	}
	e.Clock.Advance(30 * time.Second)
	_, err = e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, key, 0)))
	wantCode(t, err, auth.CodeWrongOTP)
	if err := e.RevokeTOTP(t.Context(), by, live); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.RevokeTOTP(t.Context(), by, live), auth.CodeChannelUnbound)
	_, err = e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, next, 0)))
	wantCode(t, err, auth.CodeWrongOTP)
}

// TestTOTPCodes is RFC 6238 §5.2 and §6, A-057 and B-14: one step of drift, each code once and none that is older, in one spelling.
func TestTOTPCodes(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	key := newApp(t, e, "ada")
	code := shown(t, e, key, 0)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	for _, step := range []struct {
		name string
		code string
		want auth.Code
	}{
		{"two steps ago", shown(t, e, key, -60*time.Second), auth.CodeWrongOTP},
		{"in two steps", shown(t, e, key, 60*time.Second), auth.CodeWrongOTP},
		{"a step ago", shown(t, e, key, -30*time.Second), none},
		{"again", shown(t, e, key, -30*time.Second), auth.CodeWrongOTP},
		{"a space before", " " + code, auth.CodeWrongOTP},
		{"a space behind", code + " ", auth.CodeWrongOTP},
		{"now", code, none},
		{"a space within", code[:3] + " " + code[3:], auth.CodeWrongOTP},
		{"full width", wide, auth.CodeWrongOTP},
		{"now, again", code, auth.CodeWrongOTP},
		{"in a step", shown(t, e, key, 30*time.Second), none},
		{"older than it", code, auth.CodeWrongOTP},
		{"nothing", "", auth.CodeWrongOTP},
	} {
		_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", step.code))
		if got := codeOf(err); got != step.want {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

// TestTOTPVectors is RFC 6238 appendix B, for the six digits of an app.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		if step, err := auth.StepOf(secret, code, time.Unix(at, 0)); err != nil || step != at/30 {
			t.Errorf("at %d: got step %d, %v, want %d", at, step, err, at/30)
		}
	}
}

// TestTOTPLock is A-053 and B-04: failures count for the user over all sessions, and lock the codes, the right one too.
func TestTOTPLock(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	key := newApp(t, e, "ada")
	for _, name := range []string{"ada", "stranger", "nobody"} {
		for i := range 5 {
			_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode(name, noCode(t, e, key)))
			if got := codeOf(err); got != auth.CodeWrongOTP {
				t.Errorf("%s, failure %d: got %v", name, i+1, got)
			}
		}
		_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode(name, shown(t, e, key, 0)))
		if got := codeOf(err); got != auth.CodeLocked {
			t.Errorf("%s: got %v, want locked", name, got)
		}
		wantRetry(t, err, 30*time.Minute)
	}
	if n := count(events(t, e), "locked totp"); n != 3 {
		t.Errorf("got %d events of locks, want 3", n)
	}
	authenticate(t, e, "ada") // the password is another factor
	wantCode(t, e.UnlockTOTP(t.Context(), e.App(), "none"), auth.CodeUserNotFound)
	wantCode(t, e.UnlockTOTP(t.Context(), e.App(), authtest.Charles), auth.CodeChannelUnbound)
	if err := e.UnlockTOTP(t.Context(), e.App(), authtest.Ada); err != nil {
		t.Fatal(err)
	}
	if _, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, key, 0))); err != nil {
		t.Errorf("after the unlock: %v", err)
	}
	e.Clock.Advance(30 * time.Minute)
	_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("stranger", "000000"))
	wantCode(t, err, auth.CodeWrongOTP)
}

// TestTOTPRefusals: who is suspended is not told apart from a wrong code; a locked password keeps the codes out as well.
func TestTOTPRefusals(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	ada, charles := newApp(t, e, "ada"), newApp(t, e, "charles")
	in := byCode("ada", shown(t, e, ada, 0))
	in.Resource = "https://other.example"
	_, err := e.AuthenticateTOTP(t.Context(), e.App(), in)
	wantCode(t, err, auth.CodeInvalidTarget) // and the code is not spent
	in.Resource, in.Session = "", authenticate(t, e, "charles").Session
	_, err = e.AuthenticateTOTP(t.Context(), e.App(), in)
	wantCode(t, err, auth.CodeSessionForeign)
	lock(t, e, "ada")
	_, err = e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, ada, 30*time.Second)))
	wantCode(t, err, auth.CodeLocked)
	if err := e.Suspend(t.Context(), authtest.Demo, authtest.Charles); err != nil {
		t.Fatal(err)
	}
	_, err = e.AuthenticateTOTP(t.Context(), e.App(), byCode("charles", shown(t, e, charles, 0)))
	wantCode(t, err, auth.CodeWrongOTP)
	if n := count(events(t, e), "login_refused suspended"); n != 1 {
		t.Errorf("got %d events of the suspended user, want 1", n)
	}
	rival := auth.Actor{Tenant: authtest.Rival, Client: "app-rival"}
	wantCode(t, e.RevokeTOTPOf(t.Context(), e.App(), "none"), auth.CodeUserNotFound)
	if err := e.RevokeTOTPOf(t.Context(), rival, authtest.Charles); err == nil {
		t.Error("a client of another tenant revoked an app")
	}
	if err := e.RevokeTOTPOf(t.Context(), e.App(), authtest.Ada); err != nil {
		t.Fatal(err)
	}
	newApp(t, e, "nobody")
}

// TestTOTPInParallel is B-15: of fifty uses of one code over two nodes exactly one succeeds.
func TestTOTPInParallel(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	key := newApp(t, e, "ada")
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	code := shown(t, e, key, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	start := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-start
			_, err := services[i%2].AuthenticateTOTP(t.Context(), e.App(), byCode("ada", code))
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	close(start)
	wg.Wait()
	if got[none] != 1 || got[auth.CodeWrongOTP] != 5 || got[auth.CodeLocked] != 44 {
		t.Errorf("got %v, want one success, five wrong and the rest locked", got)
	}
}

// TestUserTokens is A-049: an access token of a user is good for its user's calls as long as the session, and nothing else is.
func TestUserTokens(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	by, live := comesIn(t, e, set)
	if by != e.App() || live.User.ID != authtest.Ada || live.Session.ID != set.Session {
		t.Errorf("got %+v and %+v", by, live)
	}
	own, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	in := backend("ada", authtest.Password)
	in.Resource = authtest.Resource
	other, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	ended := authenticate(t, e, "charles")
	if err := e.LogoutSession(t.Context(), e.App(), ended.Session); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"nothing": "", "a client's own": own.AccessToken, "an ID token": set.IDToken, "of a session that ended": ended.AccessToken,
		"for another audience": other.AccessToken,
	} {
		_, _, err := e.AuthenticateUserToken(t.Context(), token, auth.Via{})
		if got := codeOf(err); got != auth.CodeInvalidToken {
			t.Errorf("%s: got %v", name, got)
		}
	}
	e.Clock.Advance(time.Hour)
	_, _, err = e.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
	wantCode(t, err, auth.CodeInvalidToken)
}
