package auth_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// tiers lock at the third, fifth and tenth failure in all, and at each one after that.
func tiers() auth.LockPolicy {
	return auth.LockPolicy{Failures: 5, For: time.Hour, ForgetAfter: 15 * time.Minute, Tiers: []auth.LockTier{
		{Failures: 3, For: time.Minute}, {Failures: 5, For: 15 * time.Minute}, {Failures: 10, For: time.Hour},
	}}
}

// TestTiersLockLongerAndLonger walks through all tiers, to the microsecond on both sides of each end.
func TestTiersLockLongerAndLonger(t *testing.T) { // A-019 A-020
	t.Parallel()
	var a auth.Attempts
	now, p := noon, tiers()
	fail := func() {
		t.Helper()
		next, code, ok := a.Reserve(now, p)
		if !ok {
			t.Fatalf("at %v: %v, want a try: %+v", now.Sub(noon), code, a)
		}
		a = next.Settle(auth.Failed, now, p)
	}
	for _, tier := range []struct {
		failures int // until it locks
		lasts    time.Duration
	}{{3, time.Minute}, {2, 15 * time.Minute}, {5, time.Hour}, {1, time.Hour}, {1, time.Hour}} {
		for i := range tier.failures {
			if a.Locked(now) {
				t.Fatalf("locked after %d failures of %d: %+v", i, tier.failures, a)
			}
			fail()
		}
		now = now.Add(tier.lasts - time.Microsecond)
		if _, code, ok := a.Reserve(now, p); ok || code != auth.CodeLocked {
			t.Errorf("before the end of %v: got %v, %t, want a lock: %+v", tier.lasts, code, ok, a)
		}
		now = now.Add(time.Microsecond)
		if _, code, ok := a.Reserve(now, p); !ok {
			t.Errorf("at the end of %v: got %v, want a try: %+v", tier.lasts, code, a)
		}
	}

	// A success begins anew, and so does the time after which failures are forgotten, from the end of the lock.
	next, _, _ := a.Reserve(now, p)
	if won := next.Settle(auth.Succeeded, now, p); won.Failures != 0 || won.Locked(now) {
		t.Errorf("a success clears: got %+v", won)
	}
	if late, _, _ := a.Reserve(now.Add(p.ForgetAfter-time.Microsecond), p); late.Failures == 0 {
		t.Errorf("forgotten too early: %+v", late)
	}
	if late, _, _ := a.Reserve(now.Add(p.ForgetAfter), p); late.Failures != 0 {
		t.Errorf("not forgotten: %+v", late)
	}
}

// TestCounterUnderSeveralPolicies: whatever servers do for applications of different policies, each grants a try only below its own limit
// and under no lock, and no more are ever under way or failed than the largest limit lets.
func TestCounterUnderSeveralPolicies(t *testing.T) { // A-015 A-018
	t.Parallel()
	policies := []auth.LockPolicy{
		{Failures: 3, For: time.Minute, ForgetAfter: 15 * time.Minute}, policy, {Failures: 1, For: time.Hour, ForgetAfter: time.Minute},
	}
	for _, set := range [][]auth.LockPolicy{policies, append(policies, tiers())} {
		rapid.Check(t, func(t *rapid.T) {
			var row auth.Attempts
			var flying []auth.LockPolicy
			now := noon
			which := func(t *rapid.T) auth.LockPolicy { return set[rapid.IntRange(0, len(set)-1).Draw(t, "policy")] }
			settle := func(o auth.Outcome) func(*rapid.T) {
				return func(t *rapid.T) {
					if len(flying) == 0 {
						return
					}
					i := rapid.IntRange(0, len(flying)-1).Draw(t, "try")
					before, p := row, flying[i]
					flying = append(flying[:i], flying[i+1:]...)
					row = row.Settle(o, now, p)
					if before.Locked(now) && !row.LockedUntil.Equal(before.LockedUntil) {
						t.Fatalf("the lock moved while it held: %+v became %+v", before, row)
					}
					if o == auth.Failed && row.Failures == 0 {
						t.Fatalf("a failure was not counted: %+v became %+v", before, row)
					}
				}
			}
			t.Repeat(map[string]func(*rapid.T){
				"reserve": func(t *rapid.T) {
					p := which(t)
					next, code, ok := row.Reserve(now, p)
					switch {
					case row.Locked(now) && (ok || code != auth.CodeLocked):
						t.Fatalf("granted under a lock: %+v", row)
					case ok && next.Failures+next.Pending > auth.LockLimit(p, next.Failures):
						t.Fatalf("granted beyond %d: %+v became %+v", auth.LockLimit(p, next.Failures), row, next)
					}
					if ok {
						row, flying = next, append(flying, p)
					}
				},
				"succeed": settle(auth.Succeeded), "fail": settle(auth.Failed), "fail again": settle(auth.Failed),
				"withdraw": settle(auth.Withdrawn),
				"wait": func(t *rapid.T) {
					now = now.Add(rapid.SampledFrom([]time.Duration{
						time.Microsecond, time.Second, time.Minute - time.Second, time.Minute, 15 * time.Minute, time.Hour,
					}).Draw(t, "step"))
				},
				"": func(t *rapid.T) {
					if len(set) == len(policies) && row.Failures+row.Pending > policy.Failures {
						t.Fatalf("%d failures and reservations: %+v", row.Failures+row.Pending, row)
					}
				},
			})
		})
	}
}

// TestParallelGuessesThroughSeveralApplications: of a crowd of guesses through applications with different limits, over both contracts, no
// more are checked than the largest limit; nor of one at an account that nobody has.
func TestParallelGuessesThroughSeveralApplications(t *testing.T) { // A-015 A-016 B-01
	t.Parallel()
	for _, who := range []string{"ada@example.com", "nobody@example.com"} {
		e := authtest.New(t)
		setMethods(t, e, func(m *auth.Methods) {
			p := auth.DefaultPasswordMethod()
			p.Lock.Failures = 2
			m.Password = &p
		})
		done := make(chan error)
		const crowd = 24
		for i := range crowd {
			go func() {
				in := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: who, Password: seal.NewSecret("Wr0ng-password!")}
				if i%2 == 0 {
					_, err := e.LoginPassword(t.Context(), e.Key(), in)
					done <- err
					return
				}
				_, err := e.AuthenticatePassword(t.Context(), e.App(), auth.BackendLogin{PasswordLogin: in})
				done <- err
			}()
		}
		checked := 0
		for range crowd {
			switch code := codeOf(<-done); code {
			case auth.CodeWrongPassword, auth.CodeUnknownUser:
				checked++
			case auth.CodeLocked, auth.CodeBusy:
			default:
				t.Errorf("%s: got %v", who, code)
			}
		}
		if checked < 2 || checked > 5 {
			t.Errorf("%s: %d guesses were checked, want at least the smaller limit and at most the larger", who, checked)
		}
	}
}

// TestLockThatAnotherPolicyHasNotWritten: failures that only the application's own policy takes for a lock are shown as one to its client, and
// lifted by it.
func TestLockThatAnotherPolicyHasNotWritten(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	setMethods(t, e, func(m *auth.Methods) {
		p := auth.DefaultPasswordMethod()
		p.Lock.Failures = 3
		m.Password = &p
	})
	for range 3 { // under the tenant's policy, which lets five pass
		wantCode(t, second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "Wr0ng-password!"))), auth.CodeWrongPassword)
	}
	login := func() error {
		return second(e.AuthenticatePassword(t.Context(), e.App(), backend("ada", authtest.Password)))
	}
	wantCode(t, login(), auth.CodeLocked)
	_, all, err := e.UserAuthenticators(t.Context(), e.App(), authtest.Ada)
	if err != nil || len(all) == 0 || all[0].Kind != auth.AuthenticatorPassword || !all[0].Locked {
		t.Errorf("got %+v, %v, want the password first, and locked", all, err)
	}
	if err := e.UnlockKind(t.Context(), e.App(), authtest.Ada, auth.AuthenticatorPassword, auth.UnlockAutomatic); err != nil {
		t.Fatal(err)
	}
	if err := login(); err != nil {
		t.Errorf("unlocked: got %v", err)
	}
}
