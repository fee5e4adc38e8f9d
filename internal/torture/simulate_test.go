package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
)

func TestHistoriesAgreeWithTheRules(t *testing.T) { // A-015 A-018 A-022 A-032 A-052 A-095 C-02 C-05 C-09
	t.Parallel()
	s, err := simulation{first: 1, histories: 300}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.broken != nil {
		t.Fatalf("history %d\n%s", s.seed, s.broken.report())
	}
	if s.faults < 100 {
		t.Errorf("the store failed %d times in %d calls: nothing is shown of faults", s.faults, s.calls)
	}
	for k, n := range s.reached {
		if n == 0 && kind(k) != deny {
			t.Errorf("nobody got as far as to %s", kind(k))
		}
	}
}

// TestSimulationFindsPlantedFaults plants faults that servers really had under the domain, and expects the histories to tell.
func TestSimulationFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	for name, plant := range plants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := simulation{first: 1, histories: 3000, plant: func(s auth.Store) auth.Store { return &planted{s, plant} }}.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.broken == nil {
				t.Fatalf("%d histories found nothing", s.histories)
			}
			t.Logf("history %d, call %d: %s", s.seed, s.broken.calls, s.broken.broken)
		})
	}
}

// TestSimulationFindsResetTokensThatAreGoodTwice plants a fault in what is read: a used token seems to be none, in a session of today. One
// of the two alone would do no harm.
func TestSimulationFindsResetTokensThatAreGoodTwice(t *testing.T) { // C-03
	t.Parallel()
	s, err := simulation{first: 1, histories: 3000, plant: func(s auth.Store) auth.Store { return rereading{s} }}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.broken == nil {
		t.Fatalf("%d histories found nothing", s.histories)
	}
}

// TestSimulationFindsAClockThatIsSetBack plants a service that believes its machine's clock.
func TestSimulationFindsAClockThatIsSetBack(t *testing.T) { // C-14
	t.Parallel()
	s, err := simulation{first: 1, histories: 3000, naive: true}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.broken == nil {
		t.Fatalf("%d histories found nothing", s.histories)
	}
}

type rereading struct{ auth.Store }

func (s rereading) View(ctx context.Context, fn func(auth.Reads) error) error {
	return s.Store.View(ctx, func(r auth.Reads) error { return fn(reread{r}) })
}

func (s rereading) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return s.Store.Update(ctx, func(tx auth.Tx) error {
		return fn(struct {
			auth.Reads
			auth.Writes
		}{reread{tx}, useless{tx}})
	})
}

type reread struct{ auth.Reads }

func (r reread) Bearer(hash auth.TokenHash) (auth.Bearer, error) {
	b, err := r.Reads.Bearer(hash)
	if b.Session.Surface == auth.SurfaceReset {
		b.Token.UsedAt, b.Session.Epoch = time.Time{}, b.User.Epoch
	}
	return b, err
}

type useless struct{ auth.Writes }

func (w useless) UseToken(auth.TokenHash, time.Time) (bool, error) { return true, nil }

// planted puts other verbs in the place of a store's.
type planted struct {
	auth.Store
	verbs func(auth.Writes) auth.Writes
}

func (p *planted) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return p.Store.Update(ctx, func(tx auth.Tx) error {
		return fn(struct {
			auth.Reads
			auth.Writes
		}{tx, p.verbs(tx)})
	})
}

func (p *planted) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return p.Store.Write(ctx, func(w auth.Writes) error { return fn(p.verbs(w)) })
}

func (p *planted) WriteUnsynced(ctx context.Context, fn func(auth.Writes) error) error {
	return p.Store.WriteUnsynced(ctx, func(w auth.Writes) error { return fn(p.verbs(w)) })
}

func plants() map[string]func(auth.Writes) auth.Writes {
	return map[string]func(auth.Writes) auth.Writes{
		"a failure is forgotten now and then":   func(w auth.Writes) auth.Writes { return lostFailure{w} },
		"an attempt that breaks off forgives":   func(w auth.Writes) auth.Writes { return forgiving{w} }, // A-032 C-01
		"a lock ends a millisecond early":       func(w auth.Writes) auth.Writes { return shortLock{w} }, // C-02
		"a success does not clear the failures": func(w auth.Writes) auth.Writes { return unforgiving{w} },
		"a lock leaves open what is under way":  func(w auth.Writes) auth.Writes { return uncancelled{w} },  // B-05
		"a code is good twice":                  func(w auth.Writes) auth.Writes { return codeTwice{w} },    // C-03
		"a wrong code is not counted":           func(w auth.Writes) auth.Writes { return freeGuess{w} },    // B-16
		"a new code leaves the old one good":    func(w auth.Writes) auth.Writes { return oldCode{w} },
		"a refresh token is good twice":         func(w auth.Writes) auth.Writes { return unrotated{w} },    // C-04
		"a copied refresh token ends nothing":   func(w auth.Writes) auth.Writes { return unrevoked{w} },
		"a session outlives a new password":     func(w auth.Writes) auth.Writes { return sameEpoch{w} },
		"a logout ends nothing":                 func(w auth.Writes) auth.Writes { return unended{w} },
		"a step-up is told and not written":     func(w auth.Writes) auth.Writes { return unraised{w} },     //
		"a change of password leaves no event":  func(w auth.Writes) auth.Writes { return silentChange{w} }, // C-09
		"a lock leaves no event":                func(w auth.Writes) auth.Writes { return silentLock{w} },   // C-09
		"a message is lost now and then":        func(w auth.Writes) auth.Writes { return unsent{w} },       // C-33
		"an idle session lives a second longer": func(w auth.Writes) auth.Writes { return longIdle{w} },     // C-02
	}
}

type (
	lostFailure  struct{ auth.Writes }
	forgiving    struct{ auth.Writes }
	shortLock    struct{ auth.Writes }
	unforgiving  struct{ auth.Writes }
	uncancelled  struct{ auth.Writes }
	codeTwice    struct{ auth.Writes }
	freeGuess    struct{ auth.Writes }
	oldCode      struct{ auth.Writes }
	unrotated    struct{ auth.Writes }
	unrevoked    struct{ auth.Writes }
	sameEpoch    struct{ auth.Writes }
	unended      struct{ auth.Writes }
	unraised     struct{ auth.Writes }
	silentChange struct{ auth.Writes }
	silentLock   struct{ auth.Writes }
	unsent       struct{ auth.Writes }
	longIdle     struct{ auth.Writes }
)

func (w lostFailure) PutAttempts(t auth.TenantID, s auth.Subject, f auth.AttemptFactor, a auth.Attempts, from int64) (bool, error) {
	if a.Failures == 3 && a.Pending == 0 {
		a.Failures--
	}
	return w.Writes.PutAttempts(t, s, f, a, from)
}

func (w forgiving) PutAttempts(t auth.TenantID, s auth.Subject, f auth.AttemptFactor, a auth.Attempts, from int64) (bool, error) {
	if a.Pending > 0 {
		a.Failures = 0 // until the attempt is settled
	}
	return w.Writes.PutAttempts(t, s, f, a, from)
}

func (w shortLock) PutAttempts(t auth.TenantID, s auth.Subject, f auth.AttemptFactor, a auth.Attempts, from int64) (bool, error) {
	if !a.LockedUntil.IsZero() {
		a.LockedUntil = a.LockedUntil.Add(-time.Millisecond)
	}
	return w.Writes.PutAttempts(t, s, f, a, from)
}

func (w unforgiving) PutAttempts(t auth.TenantID, s auth.Subject, f auth.AttemptFactor, a auth.Attempts, from int64) (bool, error) {
	if f == auth.AttemptPassword && a.Failures == 0 && a.Pending == 0 && from > 4 {
		a.Failures = 1
	}
	return w.Writes.PutAttempts(t, s, f, a, from)
}

func (w uncancelled) CancelChallenges(auth.TenantID, auth.Subject, auth.Purpose, time.Time) (int, error) {
	return 0, nil
}

func (w codeTwice) PutChallenge(c auth.Challenge, from int64) (bool, error) {
	if c.Status == auth.ChallengeApproved && c.Purpose == auth.PurposeRecovery {
		return true, nil
	}
	return w.Writes.PutChallenge(c, from)
}

func (w freeGuess) PutChallenge(c auth.Challenge, from int64) (bool, error) {
	c.Failures = 0
	if c.Status == auth.ChallengeFailed {
		c.Status, c.EndedAt = auth.ChallengePending, time.Time{}
	}
	return w.Writes.PutChallenge(c, from)
}

func (w oldCode) PutChallenge(c auth.Challenge, from int64) (bool, error) {
	if c.Status == auth.ChallengePending && c.Sends > 1 && c.Failures == 0 {
		return true, nil // and the message goes out all the same
	}
	return w.Writes.PutChallenge(c, from)
}

func (w unrotated) RotateRefresh(auth.TokenHash, time.Time) error { return nil }

func (w unrotated) AddRefresh(r auth.RefreshToken) error {
	if err := w.Writes.AddRefresh(r); !errors.Is(err, auth.ErrExists) {
		return err
	}
	return nil
}

func (w unrevoked) RevokeRefreshFamily(auth.TokenHash, time.Time) (bool, error) { return true, nil }

func (w sameEpoch) SwapPassword(p auth.Password, from int64, keep, _ bool) (bool, error) {
	return w.Writes.SwapPassword(p, from, keep, false)
}

func (w unended) EndSession(auth.TenantID, auth.SessionID, time.Time, string) (bool, error) {
	return true, nil
}

func (w unraised) StepUpToken(auth.TokenHash, time.Time) (bool, error) { return true, nil }

func (w silentChange) AddEvents(events ...auth.Event) error {
	return w.Writes.AddEvents(without(auth.EventPasswordChanged, events)...)
}

func (w silentLock) AddEvents(events ...auth.Event) error {
	return w.Writes.AddEvents(without(auth.EventLocked, events)...)
}

func without(k auth.EventKind, events []auth.Event) []auth.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e auth.Event) bool { return e.Kind == k })
}

func (w unsent) AddParcels(all ...auth.Parcel) error {
	return w.Writes.AddParcels(slices.DeleteFunc(slices.Clone(all), func(p auth.Parcel) bool {
		return p.Kind == auth.ParcelSMS && p.Sealed[len(p.Sealed)-1]%8 == 0
	})...)
}

func (w longIdle) AddSession(s auth.Session) error {
	s.IdleLimit += time.Second
	return w.Writes.AddSession(s)
}
