package auth_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

const code = "123456" // of every challenge of a sandbox tenant

// withFactors gives users of Demo a phone and a device that is bound, and the tenant a webhook.
func withFactors(s *auth.Setup) {
	s.Tenants[0].Tenant.Webhook.URL = "https://hooks.example"
	for i := range s.Tenants[0].Users {
		u := &s.Tenants[0].Users[i]
		u.Phone = fmt.Sprintf("+3569911%04d", i)
		u.Authenticators = []auth.AuthenticatorSetup{
			{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true},
		}
	}
}

func stepUp(t *testing.T, e *authtest.Env, token string) {
	t.Helper()
	if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
		t.Fatalf("step up: %v", err)
	}
}

func prove(t *testing.T, e *authtest.Env, token, code string) error {
	t.Helper()
	return e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, code)
}

// steppedUp reports whether a token is, by what is exchanged for it or by what the user is told.
func steppedUp(t *testing.T, e *authtest.Env, token string) bool {
	t.Helper()
	return codeOf(prove(t, e, token, "")) == auth.CodeAlreadyVerified
}

// news lists what the tenant's webhook is to be told, sorted: kind, method and status.
func news(t *testing.T, e *authtest.Env) []string {
	t.Helper()
	var all []string
	for {
		some, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			slices.Sort(all)
			return all
		}
		for _, d := range some {
			all = append(all, string(d.News.Kind)+" "+d.News.Method+" "+d.News.Status)
			if err := e.SettleParcel(t.Context(), d, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCodeIsGoodForOneSession: a code of one session is refused in another and counted there.
func TestCodeIsGoodForOneSession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	live := e.Another(t, nil)
	a, b := login(t, e, "ada").Token, login(t, e, "ada").Token
	stepUp(t, e, a)
	if err := live.VerifyStepUp(t.Context(), e.Key(), b, auth.ChannelSMS, code); codeOf(err) != auth.CodeNoChallenge {
		t.Errorf("in a session that asked for none: got %v", err)
	}
	wantCode(t, prove(t, e, a, code), none)
	if steppedUp(t, e, b) || !steppedUp(t, e, a) {
		t.Error("another session than the proved one is stepped up")
	}
}

// TestFailuresOverAllChallenges: five guesses in as many sessions are all that are ever checked (A-053, B-16), a password login and the
// right password clear none (B-17, A-021), and a lock ends what is in flight.
func TestFailuresOverAllChallenges(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	checked := 0
	for range 40 {
		token := login(t, e, "ada").Token
		if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
			wantCode(t, err, auth.CodeChallengeLimit)
			continue
		}
		err := prove(t, e, token, "000000")
		if c := codeOf(err); c == auth.CodeWrongOTP || c == auth.CodeOneTryLeft || checked == 4 {
			checked++
		}
	}
	if checked != 5 {
		t.Errorf("got %d guesses checked, want 5", checked)
	}
	token := login(t, e, "ada").Token
	wantCode(t, prove(t, e, token, code), auth.CodeNoChallenge)
	e.Clock.Advance(30 * time.Minute)
	token = login(t, e, "ada").Token
	stepUp(t, e, token)
	wantCode(t, prove(t, e, token, code), none)
}

// TestCodeOnce: of fifty who use a code at once exactly one is stepped up (B-15, A-052).
func TestCodeOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	l := login(t, e, "charles")
	stepUp(t, e, l.Token)
	tokens := make([]string, 20)
	for i := range tokens {
		a, err := e.AccessToken(t.Context(), e.Key(), l.Token, auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = a.Token
	}
	var wg sync.WaitGroup
	got := make([]error, len(tokens))
	for i, token := range tokens {
		wg.Go(func() { got[i] = e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, code) })
	}
	wg.Wait()
	won := 0
	for _, err := range got {
		if err == nil {
			won++
		} else if c := auth.CodeOf(err); c != auth.CodeNoChallenge {
			t.Errorf("got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("got %d successes, want 1", won)
	}
}

// TestNewCodeVoidsTheOldOne, and failures stay with the challenge.
func TestNewCodeVoidsTheOldOne(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, func(s *auth.Setup) { s.Tenants[0].Tenant.Mode = auth.ModeLive })
	token := login(t, e, "ada").Token
	codes := func() []string {
		items, err := e.Inbox(t.Context(), "+35699110000", 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, i := range items {
			all = append(all, i.Code)
		}
		return all
	}
	stepUp(t, e, token)
	wantCode(t, e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS), auth.CodeTooSoon)
	e.Clock.Advance(15 * time.Second)
	stepUp(t, e, token)
	sent := codes()
	if len(sent) != 2 {
		t.Fatalf("got %d messages, want 2", len(sent))
	}
	wantCode(t, prove(t, e, token, sent[1]), auth.CodeWrongOTP)
	wantCode(t, prove(t, e, token, sent[0]), none)
}

// TestLockEndsWhatIsInFlight (A-017, B-05, B-18): what was begun before a lock is not finished after it.
func TestLockEndsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	short := authtest.Settings(func(s *auth.Settings) { s.Lockout.For = time.Minute })
	e := authtest.New(t, withFactors, short)
	token := login(t, e, "ada").Token
	stepUp(t, e, token)
	other := login(t, e, "ada").Token
	pushAsked, err := e.StepUpDevice(t.Context(), e.Key(), other, auth.ChannelBiometric)
	if err != nil {
		t.Fatal(err)
	}
	push := pushAsked.ID
	deviceAsked, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	device := deviceAsked.ID
	lock(t, e, "ada")
	wantCode(t, prove(t, e, token, code), auth.CodeLocked)
	e.Clock.Advance(time.Minute)
	wantCode(t, prove(t, e, token, code), auth.CodeNoChallenge)
	for _, id := range []auth.ChallengeID{push, device} {
		if answered, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, auth.Approve); err != nil || answered {
			t.Errorf("challenge %s after the lock: got %t, %v", id, answered, err)
		}
	}
	if steppedUp(t, e, other) {
		t.Error("a session is stepped up by what was begun before the lock")
	}
}

// TestStepUpIsBounded: by time where a tenant says so, by the loss of a device, by a change of password.
func TestStepUpIsBounded(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.StepUpFor = 4 * time.Minute }))
	token, other := login(t, e, "ada").Token, login(t, e, "ada").Token
	for _, x := range []string{token, other} {
		stepUp(t, e, x)
		wantCode(t, prove(t, e, x, code), none)
	}
	e.Clock.Advance(3*time.Minute + 59*time.Second)
	if !steppedUp(t, e, token) {
		t.Error("not stepped up within the time")
	}
	e.Clock.Advance(time.Second)
	if steppedUp(t, e, token) {
		t.Error("stepped up beyond the time")
	}
	stepUp(t, e, token)
	wantCode(t, prove(t, e, token, code), none)
	stepUp(t, e, other)
	wantCode(t, prove(t, e, other, code), none)
	e.Clock.Advance(time.Second)
	wantCode(t, e.UnbindDevice(t.Context(), e.Key(), token, auth.ChannelBiometric), none)
	if !steppedUp(t, e, token) || steppedUp(t, e, other) {
		t.Error("after a device is gone only the token that took it away is stepped up")
	}
}

// TestStepUpOfAnAccessTokenIsItsOwn.
func TestStepUpOfAnAccessTokenIsItsOwn(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	l := login(t, e, "charles")
	ref := func(id string) auth.IdentityRef { return auth.IdentityRef{Type: auth.Corporate, ID: id} }
	a, err := e.AccessToken(t.Context(), e.Key(), l.Token, ref("2001"))
	if err != nil {
		t.Fatal(err)
	}
	stepUp(t, e, a.Token)
	wantCode(t, prove(t, e, a.Token, code), none)
	for _, from := range []string{a.Token, l.Token} {
		b, err := e.AccessToken(t.Context(), e.Key(), from, ref("2002"))
		if err != nil || b.SteppedUp {
			t.Errorf("exchanged for another identity: got %+v, %v", b, err)
		}
	}
}

// TestDeviceStepsUp over all that a device may say, with what the webhook is told.
func TestDeviceStepsUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		say  auth.Decision
		up   bool
		news string
	}{
		{auth.Approve, true, "step_up BIOMETRIC VERIFIED"},
		{auth.Deny, false, "step_up BIOMETRIC DECLINED"},
		{auth.FailProof, false, "step_up BIOMETRIC DECLINED"},
		{auth.RunOut, false, "step_up BIOMETRIC EXPIRED"},
	} {
		e := authtest.New(t, withFactors)
		token := login(t, e, "ada").Token
		idAsked, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric)
		if err != nil {
			t.Fatal(err)
		}
		id := idAsked.ID
		for i, want := range []bool{true, false} { // the second answer finds it answered
			got, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, tt.say)
			if err != nil || got != want {
				t.Errorf("%s, answer %d: got %t, %v", tt.say, i+1, got, err)
			}
		}
		if up := steppedUp(t, e, token); up != tt.up {
			t.Errorf("%s: stepped up %t, want %t", tt.say, up, tt.up)
		}
		if got := strings.Join(news(t, e), ", "); !strings.HasSuffix(got, tt.news) {
			t.Errorf("%s: got news %s, want %s", tt.say, got, tt.news)
		}
	}
}

// TestDeviceAnswersItsOwn: another user's, another tenant's and an unknown challenge are not found; one of a session that ended, of a user
// or an identity that was suspended and of a device that was unbound are answered no more.
func TestDeviceAnswersItsOwn(t *testing.T) {
	t.Parallel()
	begin := func(e *authtest.Env, t *testing.T) (string, auth.ChallengeID) {
		token := login(t, e, "ada").Token
		idAsked, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric)
		if err != nil {
			t.Fatal(err)
		}
		id := idAsked.ID
		return token, id
	}
	e := authtest.New(t, withFactors)
	_, id := begin(e, t)
	for _, tt := range []struct {
		tenant auth.TenantID
		user   auth.UserID
		id     auth.ChallengeID
	}{{authtest.Demo, authtest.Charles, id}, {authtest.Rival, authtest.Ada, id}, {authtest.Demo, authtest.Ada, "1"}} {
		_, err := e.AnswerOnDevice(t.Context(), tt.tenant, tt.user, tt.id, auth.Approve)
		wantCode(t, err, auth.CodeNotFound)
	}
	for name, end := range map[string]func(e *authtest.Env, token string) error{
		"logout":    func(e *authtest.Env, token string) error { return e.Logout(t.Context(), e.Key(), token) },
		"suspended": func(e *authtest.Env, _ string) error { return e.Suspend(t.Context(), authtest.Demo, authtest.Ada) },
		"identity suspended": func(e *authtest.Env, _ string) error {
			return e.SuspendIdentity(t.Context(), authtest.Demo, adasSelf, "TEMPORARY")
		},
		"idle": func(e *authtest.Env, _ string) error { e.Clock.Advance(6 * time.Minute); return nil },
		"unbound": func(e *authtest.Env, _ string) error {
			other := login(t, e, "ada").Token
			stepUp(t, e, other)
			return errors.Join(prove(t, e, other, code), e.UnbindDevice(t.Context(), e.Key(), other, auth.ChannelBiometric))
		},
	} {
		e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.Push.For = 10 * time.Minute }))
		token, id := begin(e, t)
		if err := end(e, token); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if answered, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, auth.Approve); err != nil || answered {
			t.Errorf("%s: got %t, %v", name, answered, err)
		}
	}
}

// TestLoginByDevice: approved once, the token is given out once, to the key that began it, stepped up when exchanged.
func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	idAsked, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "Charles@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	id := idAsked.ID
	if r, err := e.CollectLogin(t.Context(), e.Key(), id); err != nil || r.Status != auth.ChallengePending || r.Token != "" {
		t.Fatalf("before the answer: got %+v, %v", r, err)
	}
	if _, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Charles, id, auth.Approve); err != nil {
		t.Fatal(err)
	}
	stranger := e.Key()
	stranger.Tenant = authtest.Rival
	_, err = e.CollectLogin(t.Context(), stranger, id)
	wantCode(t, err, auth.CodeNotFound)
	var wg sync.WaitGroup
	tokens := make([]string, 20)
	for i := range tokens {
		wg.Go(func() {
			r, err := e.CollectLogin(t.Context(), e.Key(), id)
			if c := codeOf(err); c != none && c != auth.CodeNoChallenge {
				t.Errorf("got %v", err)
			}
			tokens[i] = r.Token
		})
	}
	wg.Wait()
	got := strings.Fields(strings.Join(tokens, " "))
	if len(got) != 1 {
		t.Fatalf("the token was given out %d times", len(got))
	}
	a, err := e.AccessToken(t.Context(), e.Key(), got[0], auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
	if err != nil || !a.SteppedUp {
		t.Errorf("exchanged: got %+v, %v", a, err)
	}
	if all := strings.Join(news(t, e), ", "); all != "login BIOMETRIC VERIFIED, step_up BIOMETRIC VERIFIED" {
		t.Errorf("got news %s", all)
	}
}

// TestUnknownDeviceLoginCostsTheSame: an address that nobody has and users without a device cost the same statements.
func TestUnknownDeviceLoginCostsTheSame(t *testing.T) {
	t.Parallel()
	e, m := metered(t, sqliteFile(t), authtest.Start)
	costs := map[cost][]string{}
	for _, name := range []string{"stranger", "ada", "charles", "mary", "annie", "nobody"} {
		c := m.of(func() {
			_, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: name + "@example.com"})
			wantCode(t, err, auth.CodeChannelUnbound)
		})
		costs[c] = append(costs[c], name)
	}
	if len(costs) != 1 {
		t.Errorf("got different costs: %v", costs)
	}
}

// TestUnansweredChallengesAreTold of by themselves.
func TestUnansweredChallengesAreTold(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	token := login(t, e, "ada").Token
	stepUp(t, e, token)
	if _, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "charles@example.com"}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(5 * time.Minute)
	for range 2 { // the second round finds nothing
		if err := e.ExpireChallenges(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := "login BIOMETRIC EXPIRED, login PASSWORD VERIFIED, step_up BIOMETRIC EXPIRED, step_up SMS EXPIRED"
	if got := strings.Join(news(t, e), ", "); got != want {
		t.Errorf("got news %s, want %s", got, want)
	}
}

// TestCodesAreUniform, and known only in the sandbox.
func TestCodesAreUniform(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	served := e.Another(t, func(c *auth.Config) { c.Sandbox = false })
	const draws = 200_000
	var byDigit [6][10]int
	for range draws {
		c := served.NewCode(authtest.Demo)
		if len(c) != 6 {
			t.Fatalf("got %q", c)
		}
		for i, d := range []byte(c) {
			byDigit[i][d-'0']++
		}
	}
	for i, counts := range byDigit {
		chi := 0.0
		for _, n := range counts {
			d := float64(n) - draws/10
			chi += d * d / (draws / 10)
		}
		if chi > 45 { // nine degrees of freedom: beyond it once in a million
			t.Errorf("digit %d: chi-square %.1f", i, chi)
		}
	}
	if got := e.NewCode(authtest.Demo); got != code {
		t.Errorf("in the sandbox: got %s", got)
	}
}
