package auth_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// changes are every field of a registration, each changed.
func changes() map[string]func(*auth.Registration) {
	return map[string]func(*auth.Registration){
		"identity": func(r *auth.Registration) { r.Identity = engines },
		"currency": func(r *auth.Registration) { r.Currency = "USD" },
		"amount":   func(r *auth.Registration) { r.Amount++ },
		"payee":    func(r *auth.Registration) { r.Payee = "Charles Babbages" },
		"account":  func(r *auth.Registration) { r.Account = "MT84 MALT 0111" },
		"text":     func(r *auth.Registration) { r.Text = "Invoice 13" },
		"exempt":   func(r *auth.Registration) { r.Exempt = true },
		"no amount": func(r *auth.Registration) {
			r.Currency, r.Amount = "", 0
		},
		"moved text": func(r *auth.Registration) { r.Account, r.Text = r.Account+", "+r.Text, "" },
	}
}

// TestChangeVoidsTheChallenge is A-071: whatever changes between the start and the answer, the answer confirms nothing, and a change that
// is taken back does not bring the challenge back.
func TestChangeVoidsTheChallenge(t *testing.T) {
	t.Parallel()
	for name, change := range changes() {
		for _, channel := range []auth.Channel{auth.ChannelSMS, auth.ChannelBiometric} {
			for _, back := range []bool{false, true} {
				t.Run(name+" "+string(channel)+map[bool]string{true: " and back"}[back], func(t *testing.T) {
					t.Parallel()
					e := payments(t)
					token := login(t, e, "ada").Token
					still := wanted()
					still.Ref.ID = "78"
					register(t, e, wanted())
					register(t, e, still)
					refs := []auth.LinkRef{payment, still.Ref}
					var id auth.ChallengeID
					var code string
					if channel == auth.ChannelSMS {
						id, code = askToConfirm(t, e, token, refs...)
					} else {
						id = pushToConfirm(t, e, token, refs...)
					}
					changed := wanted()
					change(&changed)
					register(t, e, changed)
					if back {
						register(t, e, wanted())
					}
					before := linkStatus(t, e, payment)
					if channel == auth.ChannelSMS {
						wantCode(t, confirmWith(t, e, token, id, code), auth.CodeNoChallenge)
						wantCode(t, confirmWith(t, e, token, id, code), auth.CodeNoChallenge)
					} else {
						if open, err := e.PendingOnDevice(t.Context()); err != nil || len(open) > 0 {
							t.Errorf("the phone shows %v, %v", open, err)
						}
						for range 2 {
							if done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, auth.Approve); done || err != nil {
								t.Errorf("approved: %t, %v", done, err)
							}
						}
					}
					if c := challengeOf(t, e, id); c.Status != auth.ChallengeCancelled || c.Failures != 0 {
						t.Errorf("the challenge is %s with %d failures, want it cancelled with none", c.Status, c.Failures)
					}
					if got := linkStatus(t, e, payment); got != before {
						t.Errorf("the changed resource is %s, want %s", got, before)
					}
					if got := linkStatus(t, e, still.Ref); got != auth.LinkPending {
						t.Errorf("the other resource is %s, want it pending", got)
					}
					if count(events(t, e), "challenge_refused no_challenge") == 0 {
						t.Errorf("no event says so: %q", events(t, e))
					}
				})
			}
		}
	}
}

// TestCodeIsGoodForItsChallengeAlone is A-055 and B-22: a code of another session, user, purpose or transaction is refused, and what the
// user tries at a challenge of theirs counts.
func TestCodeIsGoodForItsChallengeAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		try   func(t *testing.T, e *authtest.Env, token string) error
		want  auth.Code
		count int
	}{
		"session": {func(t *testing.T, e *authtest.Env, token string) error {
			id, code := askToConfirm(t, e, login(t, e, "ada").Token, payment)
			return confirmWith(t, e, token, id, code)
		}, auth.CodeNoChallenge, 1},
		"user": {func(t *testing.T, e *authtest.Env, token string) error {
			id, code := askToConfirm(t, e, token, payment)
			access, err := e.AccessToken(t.Context(), e.Key(), login(t, e, "charles").Token, engines)
			if err != nil {
				t.Fatal(err)
			}
			return confirmWith(t, e, access.Token, id, code)
		}, auth.CodeNoChallenge, 0},
		"step-up's code": {func(t *testing.T, e *authtest.Env, token string) error {
			id, code := askToConfirm(t, e, token, payment)
			for step := code; step == code; e.Clock.Advance(time.Minute) {
				if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
					t.Fatal(err)
				}
				code = sentTo(t, e, adaPhone).Code
			}
			return confirmWith(t, e, token, id, code)
		}, auth.CodeWrongOTP, 1},
		"step-up's challenge": {func(t *testing.T, e *authtest.Env, token string) error {
			if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
				t.Fatal(err)
			}
			m := sentTo(t, e, adaPhone)
			return confirmWith(t, e, token, m.Challenge, m.Code)
		}, auth.CodeNoChallenge, 1},
		"code for a step-up": {func(t *testing.T, e *authtest.Env, token string) error {
			_, code := askToConfirm(t, e, token, payment)
			return e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, code)
		}, auth.CodeNoChallenge, 0}, // there is no challenge that it could be tried at
		"type": {func(t *testing.T, e *authtest.Env, token string) error {
			id, code := askToConfirm(t, e, token, payment)
			return e.VerifyConfirm(t.Context(), e.Key(), token, auth.ChannelSMS, id, auth.LinkWireTransfer, code)
		}, auth.CodeNoChallenge, 1},
		"device's challenge": {func(t *testing.T, e *authtest.Env, token string) error {
			return confirmWith(t, e, token, pushToConfirm(t, e, token, payment), "123456")
		}, auth.CodeNoChallenge, 1},
		"older challenge": {func(t *testing.T, e *authtest.Env, token string) error {
			id, code := askToConfirm(t, e, token, payment)
			e.Clock.Advance(time.Second)
			other := wanted()
			other.Ref.ID = "78"
			register(t, e, other)
			askToConfirm(t, e, token, other.Ref)
			return confirmWith(t, e, token, id, code)
		}, auth.CodeNoChallenge, 0},
		"nobody's": {func(t *testing.T, e *authtest.Env, token string) error {
			return confirmWith(t, e, token, "1", "123456")
		}, auth.CodeNoChallenge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := payments(t)
			register(t, e, wanted())
			token := login(t, e, "ada").Token
			wantCode(t, tt.try(t, e, token), tt.want)
			if got := failuresOf(t, e, authtest.Ada, auth.AttemptOTP); got != tt.count {
				t.Errorf("got %d failures, want %d", got, tt.count)
			}
			if got := linkStatus(t, e, payment); got != auth.LinkPending {
				t.Errorf("the resource is %s", got)
			}
		})
	}
}

func failuresOf(t *testing.T, e *authtest.Env, id auth.UserID, f auth.AttemptFactor) int {
	t.Helper()
	var a auth.Attempts
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		a, err = r.Attempts(authtest.Demo, auth.SubjectOf(id), f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.Failures
}

// TestConfirmCodeIsUsedOnce is B-15.
func TestConfirmCodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	e := payments(t)
	other := e.Another(t, nil)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	id, code := askToConfirm(t, e, token, payment)
	var done atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		s := []*auth.Service{e.Service, other}[i%2]
		wg.Go(func() {
			<-start
			switch err := s.VerifyConfirm(t.Context(), e.Key(), token, auth.ChannelSMS, id, auth.LinkSend, code); codeOf(err) {
			case none:
				done.Add(1)
			case auth.CodeNoChallenge:
			default:
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("got %d successes, want 1", done.Load())
	}
	if n := count(events(t, e), "challenge_approved"); n != 1 {
		t.Errorf("got %d approvals, want 1", n)
	}
}

// TestWrongCodesCountTogether is B-16: over confirmations, step-ups and sessions at most five wrong codes of a user are judged.
func TestWrongCodesCountTogether(t *testing.T) {
	t.Parallel()
	e := payments(t)
	register(t, e, wanted())
	first, second := login(t, e, "ada").Token, login(t, e, "ada").Token
	id, code := askToConfirm(t, e, first, payment)
	wantCode(t, confirmWith(t, e, first, id, otherThan(code)), auth.CodeWrongOTP)
	wantCode(t, confirmWith(t, e, first, id, otherThan(code)), auth.CodeOneTryLeft)
	for range 2 {
		if err := e.StepUp(t.Context(), e.Key(), second, auth.ChannelSMS); err != nil {
			t.Fatal(err)
		}
		err := e.VerifyStepUp(t.Context(), e.Key(), second, auth.ChannelSMS, otherThan(sentTo(t, e, adaPhone).Code))
		if c := codeOf(err); c != auth.CodeWrongOTP && c != auth.CodeOneTryLeft {
			t.Fatalf("got %v", err)
		}
		e.Clock.Advance(time.Minute)
	}
	wantCode(t, confirmWith(t, e, first, id, otherThan(code)), auth.CodeChallengeLimit) // the fifth
	for _, try := range []error{
		confirmWith(t, e, first, id, code),
		e.VerifyStepUp(t.Context(), e.Key(), second, auth.ChannelSMS, sentTo(t, e, adaPhone).Code),
		func() error {
			register(t, e, wanted()) // it has failed, and is asked for again
			_, err := e.Confirm(t.Context(), e.Key(), second, auth.ChannelSMS, []auth.LinkRef{payment})
			return err
		}(),
	} {
		wantCode(t, try, auth.CodeChallengeLimit)
	}
	if n := count(events(t, e), "locked otp"); n != 1 {
		t.Errorf("got %d locks, want 1", n)
	}
}

// TestWrongCodesFailTheResources: three wrong codes end a challenge, and whatever was to be confirmed has to be asked for anew
// (contract/multi §3.5).
func TestWrongCodesFailTheResources(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	id, code := askToConfirm(t, e, token, payment)
	for _, want := range []auth.Code{auth.CodeWrongOTP, auth.CodeOneTryLeft, auth.CodeChallengeLimit} {
		if got := linkStatus(t, e, payment); got != auth.LinkPending {
			t.Errorf("the resource is %s before the last try", got)
		}
		wantCode(t, confirmWith(t, e, token, id, otherThan(code)), want)
	}
	told := confirmNews(t, e)
	if last := told[len(told)-1]; last.Kind != auth.NewsConfirmed || last.Status != auth.StatusDeclined {
		t.Errorf("the webhook is told %s %s", last.Kind, last.Status)
	}
	if got := linkStatus(t, e, payment); got != auth.LinkFailed {
		t.Errorf("the resource is %s, want it failed", got)
	}
	wantCode(t, confirmWith(t, e, token, id, code), auth.CodeChallengeLimit)
	_, err := e.Confirm(t.Context(), e.Key(), token, auth.ChannelSMS, []auth.LinkRef{payment})
	wantCode(t, err, auth.CodeNotPending)
	e.Clock.Advance(time.Second) // or the latest of two messages is either
	register(t, e, wanted())
	id, code = askToConfirm(t, e, token, payment)
	wantCode(t, confirmWith(t, e, token, id, code), none)
	if told := confirmNews(t, e); len(told) != 1 { // what was claimed before is leased
		t.Errorf("the webhook is told of %d more, want 1", len(told))
	}
}

// TestCodesOfAConfirmationAreBounded: a code is asked for again after fifteen seconds, twice, and voids the one before.
func TestCodesOfAConfirmationAreBounded(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	id, old := askToConfirm(t, e, token, payment)
	again := func() (auth.Asked, error) {
		return e.Confirm(t.Context(), e.Key(), token, auth.ChannelSMS, []auth.LinkRef{payment})
	}
	_, err := again()
	wantCode(t, err, auth.CodeTooSoon)
	wantRetry(t, err, 15*time.Second)
	for range 2 {
		e.Clock.Advance(15 * time.Second)
		if same, err := again(); err != nil || same.ID != id {
			t.Fatalf("got challenge %s, %v, want %s again", same, err, id)
		}
	}
	e.Clock.Advance(15 * time.Second)
	_, err = again()
	wantCode(t, err, auth.CodeChallengeLimit)
	code := sentTo(t, e, adaPhone).Code
	if old != code {
		wantCode(t, confirmWith(t, e, token, id, old), auth.CodeWrongOTP)
	}
	for range 2 { // the session lives on while the code grows old
		e.Clock.Advance(2*time.Minute + 30*time.Second)
		_, _ = e.Identities(t.Context(), e.Key(), token)
	}
	wantCode(t, confirmWith(t, e, token, id, code), auth.CodeOTPExpired)
	if got := linkStatus(t, e, payment); got != auth.LinkPending {
		t.Errorf("the resource is %s, want it pending: nobody said no", got)
	}
	if err := e.ExpireChallenges(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := linkStatus(t, e, payment); got != auth.LinkPending {
		t.Errorf("the resource is %s, want it pending", got)
	}
	if next, err := again(); err != nil || next.ID == id {
		t.Errorf("got challenge %s, %v, want a new one", next, err)
	}
}
