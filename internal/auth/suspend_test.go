package auth_test

import (
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestSuspendedIdentityConfirmsNothing is: what a device was asked on behalf of an identity before it was suspended is not
// approved after it, and neither is what it was asked by a user who was deactivated for it.
func TestSuspendedIdentityConfirmsNothing(t *testing.T) {
	t.Parallel()
	engine := wanted()
	engine.Identity = engines
	for name, suspend := range map[string]func(*authtest.Env) error{
		"identity": func(e *authtest.Env) error {
			return e.SuspendIdentity(t.Context(), authtest.Demo, engines, "ACCOUNT_SECURITY")
		},
		"membership": func(e *authtest.Env) error {
			return e.Store.Update(t.Context(), func(tx auth.Tx) error {
				return tx.PutMembership(auth.Membership{
					Tenant: authtest.Demo, User: authtest.Charles, Identity: auth.Identity{Ref: engines}, SuspendedAt: e.Clock.Now(),
				})
			})
		},
	} {
		e := payments(t)
		register(t, e, engine)
		l := login(t, e, "charles")
		a, err := e.AccessToken(t.Context(), e.Key(), l.Token, engines)
		if err != nil {
			t.Fatal(err)
		}
		id := pushToConfirm(t, e, a.Token, payment)
		if err := suspend(e); err != nil {
			t.Fatal(err)
		}
		done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Charles, id, auth.Approve)
		if got := linkStatus(t, e, payment); done || err != nil || got != auth.LinkPending {
			t.Errorf("%s suspended: the answer was taken: %t, %v; the payment is %s", name, done, err, got)
		}
	}
}

// TestLockedUserCollectsNothing is B-05: a login that the device approved before a lock is not collected after it.
func TestLockedUserCollectsNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(*authtest.Env)
		want auth.ChallengeStatus
	}{
		"locked":    {func(e *authtest.Env) { lock(t, e, "charles") }, auth.ChallengeCancelled},
		"suspended": {func(e *authtest.Env) { _ = e.Suspend(t.Context(), authtest.Demo, authtest.Charles) }, auth.ChallengeCancelled},
		"idle":      {func(e *authtest.Env) { e.Clock.Advance(6 * time.Minute) }, auth.ChallengeExpired},
	} {
		e := payments(t)
		idAsked, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "charles@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		id := idAsked.ID
		if done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Charles, id, auth.Approve); !done || err != nil {
			t.Fatalf("answer: %t, %v", done, err)
		}
		tt.end(e)
		if r, err := e.CollectLogin(t.Context(), e.Key(), id); err != nil || r.Token != "" || r.Status != tt.want {
			t.Errorf("%s: got %s, token %t, %v; want %s", name, r.Status, r.Token != "", err, tt.want)
		}
	}
}

// TestSuspensionEndsWhatIsInFlight is: a code or a push of before a suspension is good for nothing after its end.
func TestSuspensionEndsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	e := payments(t)
	idAsked, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "charles@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	id := idAsked.ID
	start(t, e, "charles")
	code := sentTo(t, e, "charles@example.com").Code
	if err := e.Suspend(t.Context(), authtest.Demo, authtest.Charles); err != nil {
		t.Fatal(err)
	}
	if err := e.Resume(t.Context(), authtest.Demo, authtest.Charles); err != nil {
		t.Fatal(err)
	}
	if done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Charles, id, auth.Approve); done || err != nil {
		t.Errorf("a push of before the suspension was answered: %t, %v", done, err)
	}
	wantResume(t, e, "charles", code, "N3w!passphrase", auth.CodeRecoveryInvalid)
}

// TestOperatorOutranksIdentity: a user whom their identity had deactivated, and whom an operator suspends then, is not the identity's to
// let in again.
func TestOperatorOutranksIdentity(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "rita")
	wantCode(t, e.DeactivateMember(t.Context(), e.Key(), token, mel), none)
	e.Clock.Advance(time.Second)
	if err := e.Suspend(t.Context(), authtest.Demo, mel); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, mel), auth.CodeNotPermitted)
	if err := e.Resume(t.Context(), authtest.Demo, mel); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, mel), none)
	tokenFor(t, e, "mel")
}

// TestActivationUnlocksOnesOwn is B-17: whoever manages a user for one identity lifts no lock of the password with which the user acts for
// another, or they could guess it without end.
func TestActivationUnlocksOnesOwn(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "adam")
	lock(t, e, "tom")
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, tom), none)
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("tom", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
}
