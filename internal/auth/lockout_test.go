package auth_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/internal/auth"
)

var policy = auth.LockPolicy{Failures: 5, For: 30 * time.Minute, ForgetAfter: 24 * time.Hour}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// rows enumerates the states of a counter at noon: every number of failures and reservations, young and old, with no lock, with one
// that holds and with one that ended.
func rows() []auth.Attempts {
	var all []auth.Attempts
	for failures := range policy.Failures + 1 {
		for pending := 0; failures+pending <= policy.Failures; pending++ {
			for _, failedAgo := range []time.Duration{-time.Minute, 0, time.Minute, policy.ForgetAfter - 1, policy.ForgetAfter} {
				for _, pendingAgo := range []time.Duration{-time.Second, 0, auth.PendingLimit - 1, auth.PendingLimit} {
					for _, lockEnds := range []time.Duration{-time.Hour, 0, 1, policy.For} {
						a := auth.Attempts{Version: 1, Failures: failures, Pending: pending}
						if failures > 0 {
							a.FailedAt = noon.Add(-failedAgo)
						}
						if pending > 0 {
							a.PendingAt = noon.Add(-pendingAgo)
						}
						if failures == policy.Failures {
							a.LockedUntil = noon.Add(lockEnds)
						}
						all = append(all, a)
					}
				}
			}
		}
	}
	return all
}

func TestReserveOverAllStates(t *testing.T) {
	t.Parallel()
	for _, a := range rows() {
		next, code, ok := a.Reserve(noon, policy)
		switch sum := a.Failures + a.Pending; {
		case a.Locked(noon):
			if ok || code != auth.CodeLocked || !next.LockedUntil.Equal(a.LockedUntil) {
				t.Errorf("%+v: a lock that holds: got %v, %t, %+v", a, code, ok, next)
			}
		case !a.LockedUntil.IsZero():
			if !ok || next.Failures != 0 || next.Pending != 1 || !next.LockedUntil.IsZero() {
				t.Errorf("%+v: an ended lock begins a fresh run: got %v, %t, %+v", a, code, ok, next)
			}
		case sum < policy.Failures:
			if !ok || next.Pending == 0 || !next.PendingAt.Equal(noon) {
				t.Errorf("%+v: there is room: got %v, %t, %+v", a, code, ok, next)
			}
		case noon.Sub(a.PendingAt) >= auth.PendingLimit:
			if ok || code != auth.CodeLocked || next.Pending != 0 || next.Failures != policy.Failures {
				t.Errorf("%+v: what a crash left behind locks: got %v, %t, %+v", a, code, ok, next)
			}
		case a.Failures > 0 && noon.Sub(a.FailedAt) >= policy.ForgetAfter:
			if !ok {
				t.Errorf("%+v: old failures make room: got %v, %+v", a, code, next)
			}
		default:
			if ok || code != auth.CodeBusy || next != a {
				t.Errorf("%+v: as many as may fail are in flight: got %v, %t, %+v", a, code, ok, next)
			}
		}
		checkRow(t, a, next)
	}
}

func TestSettleOverAllStates(t *testing.T) {
	t.Parallel()
	for _, a := range rows() {
		for _, o := range []auth.Outcome{auth.Succeeded, auth.Failed, auth.Withdrawn} {
			next := a.Settle(o, noon, policy)
			checkRow(t, a, next)
			switch {
			case o == auth.Succeeded && !next.Locked(noon):
				if next.Failures != 0 || !next.SucceededAt.Equal(noon) || !next.ExpiresAt.IsZero() {
					t.Errorf("%+v: a success clears: got %+v", a, next)
				}
			case o == auth.Succeeded:
				if !next.SucceededAt.IsZero() || next.Failures == 0 {
					t.Errorf("%+v: a success under a lock changes nothing: got %+v", a, next)
				}
			case o == auth.Failed:
				if next.Failures == 0 || !next.FailedAt.Equal(noon) {
					t.Errorf("%+v: a failure counts: got %+v", a, next)
				}
			}
			if next.Pending > max(a.Pending-1, 0) {
				t.Errorf("%+v: the reservation stays: got %+v", a, next)
			}
		}
	}
}

// checkRow holds what is true of every step.
func checkRow(t interface{ Errorf(string, ...any) }, before, after auth.Attempts) {
	if sum := after.Failures + after.Pending; sum > policy.Failures || after.Failures < 0 || after.Pending < 0 {
		t.Errorf("%+v became %+v: %d failures and reservations of %d", before, after, sum, policy.Failures)
	}
	if before.Locked(noon) && !after.LockedUntil.Equal(before.LockedUntil) {
		t.Errorf("%+v became %+v: the lock moved while it held", before, after)
	}
	if after.Failures == policy.Failures && after.LockedUntil.IsZero() {
		t.Errorf("%+v became %+v: enough failures and no lock", before, after)
	}
}

func TestALockLastsFromTheLastFailure(t *testing.T) {
	t.Parallel()
	a := auth.Attempts{Failures: 4, Pending: 1, FailedAt: noon.Add(-20 * time.Second), PendingAt: noon.Add(-auth.PendingLimit)}
	locked := a.Settle(auth.Withdrawn, noon, policy) // the reservation is too old, and so has become a failure
	if got, want := locked.LockedUntil, a.FailedAt.Add(policy.For); !got.Equal(want) {
		t.Errorf("got %v, want %v: the latest failure is not the one that a crash left behind", got, want)
	}
}

func TestHowLongARowMatters(t *testing.T) {
	t.Parallel()
	reserved, _, _ := auth.Attempts{}.Reserve(noon, policy)
	if got, want := reserved.ExpiresAt, noon.Add(policy.ForgetAfter); !got.Equal(want) {
		t.Errorf("reserved: got %v, want %v", got, want)
	}
	failed := reserved.Settle(auth.Failed, noon.Add(time.Second), policy)
	if got, want := failed.ExpiresAt, noon.Add(time.Second+policy.ForgetAfter); !got.Equal(want) {
		t.Errorf("failed: got %v, want %v", got, want)
	}
	long := policy
	long.ForgetAfter = time.Minute
	a := auth.Attempts{Failures: 4, Pending: 1, FailedAt: noon, PendingAt: noon}
	locked := a.Settle(auth.Failed, noon, long)
	if got, want := locked.ExpiresAt, noon.Add(policy.For); !got.Equal(want) {
		t.Errorf("locked for longer than failures count: got %v, want %v", got, want)
	}
	succeeded := reserved.Settle(auth.Succeeded, noon, policy)
	again, _, _ := succeeded.Reserve(noon.Add(time.Hour), policy)
	if !succeeded.ExpiresAt.IsZero() || !again.ExpiresAt.IsZero() {
		t.Errorf("a row that records an authentication ends: %v, %v", succeeded.ExpiresAt, again.ExpiresAt)
	}
}

func TestFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	a := auth.Attempts{Failures: 4, FailedAt: noon}
	early, _, _ := a.Reserve(noon.Add(policy.ForgetAfter-time.Microsecond), policy)
	late, _, _ := a.Reserve(noon.Add(policy.ForgetAfter), policy)
	if early.Failures != 4 || late.Failures != 0 {
		t.Errorf("got %d and %d, want 4 and 0", early.Failures, late.Failures)
	}
}

// A try is one attempt in the model: granted and not yet settled.
type try struct{ run int }

// counterModel drives a counter as many servers would, some of which crash, with a clock that jumps. It keeps its own books of what was
// granted, by run: from a success, the end of a lock or the forgetting of old failures to the next.
type counterModel struct {
	now     time.Time
	row     auth.Attempts
	flying  []try
	run     int
	granted int // in this run, less what was given back
}

func (m *counterModel) reserve(t *rapid.T) {
	before := m.row
	next, code, ok := m.row.Reserve(m.now, policy)
	if before.Locked(m.now) && (ok || code != auth.CodeLocked) {
		t.Fatalf("granted under a lock: %+v", before)
	}
	if !ok {
		m.observe(t, before, next, 0)
		return
	}
	m.observe(t, before, next, 1)
	m.row = next
	m.granted++
	m.flying = append(m.flying, try{m.run})
	if m.granted > policy.Failures {
		t.Fatalf("%d attempts granted in one run: %+v became %+v", m.granted, before, next)
	}
}

// observe begins a new run when a step forgot failures, and checks that it might. change is what the step alone does to the number of
// failures and reservations.
func (m *counterModel) observe(t *rapid.T, before, after auth.Attempts, change int) {
	if after.Failures+after.Pending >= before.Failures+before.Pending+change {
		return
	}
	latest := before.FailedAt
	if before.Pending > 0 && before.PendingAt.After(latest) {
		latest = before.PendingAt
	}
	ended := !before.LockedUntil.IsZero() && !m.now.Before(before.LockedUntil)
	crashLockEnded := before.Pending > 0 && before.Failures+before.Pending >= policy.Failures && !m.now.Before(latest.Add(policy.For))
	forgotten := m.now.Sub(before.FailedAt) >= policy.ForgetAfter
	if !ended && !crashLockEnded && !forgotten {
		t.Fatalf("failures were forgotten: %+v became %+v at %v", before, after, m.now)
	}
	m.run, m.granted = m.run+1, 0
}

func (m *counterModel) settle(t *rapid.T, o auth.Outcome) {
	i := rapid.IntRange(0, len(m.flying)-1).Draw(t, "try")
	which := m.flying[i]
	m.flying = append(m.flying[:i], m.flying[i+1:]...)
	before := m.row
	m.row = m.row.Settle(o, m.now, policy)
	switch {
	case o == auth.Succeeded && !m.row.Locked(m.now):
		m.run, m.granted = m.run+1, 0
	case o == auth.Failed:
		m.observe(t, before, m.row, 0)
	default:
		m.observe(t, before, m.row, -1)
	}
	if which.run != m.run || o == auth.Withdrawn {
		// Given back; or presumed dead, counted in an earlier run, and come back: it takes another's reservation with it. It takes a
		// server that stood still for more than PendingLimit.
		m.granted--
	}
}

func TestCounterUnderAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &counterModel{now: noon}
		var before auth.Attempts
		settle := func(o auth.Outcome) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(m.flying) > 0 {
					m.settle(t, o)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"reserve": m.reserve, "reserve again": m.reserve,
			"succeed": settle(auth.Succeeded), "fail": settle(auth.Failed), "withdraw": settle(auth.Withdrawn),
			"crash": func(t *rapid.T) {
				if len(m.flying) == 0 {
					return
				}
				i := rapid.IntRange(0, len(m.flying)-1).Draw(t, "try")
				m.flying = append(m.flying[:i], m.flying[i+1:]...)
			},
			"wait": func(t *rapid.T) {
				step := rapid.SampledFrom([]time.Duration{
					time.Microsecond, time.Second, auth.PendingLimit, policy.For - time.Second, policy.For, policy.ForgetAfter,
				}).Draw(t, "step")
				m.now = m.now.Add(step)
			},
			"turn the clock back": func(t *rapid.T) {
				m.now = m.now.Add(-rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "step"))
			},
			"": func(t *rapid.T) {
				if sum := m.row.Failures + m.row.Pending; sum > policy.Failures {
					t.Fatalf("%d failures and reservations: %+v", sum, m.row)
				}
				if before.Locked(m.now) && !before.LockedUntil.Equal(m.row.LockedUntil) {
					t.Fatalf("a lock moved while it held: %+v became %+v", before, m.row)
				}
				before = m.row
			},
		})
	})
}

func TestUserStatusOverAllEvents(t *testing.T) {
	t.Parallel()
	type move struct {
		to auth.UserStatus
		ok bool
	}
	want := map[string]move{
		"pending authenticates":   {auth.UserActive, true},
		"pending suspended":       {auth.UserSuspended, true},
		"pending resumed":         {auth.UserPending, false},
		"active authenticates":    {auth.UserActive, true},
		"active suspended":        {auth.UserSuspended, true},
		"active resumed":          {auth.UserActive, false},
		"suspended authenticates": {auth.UserSuspended, false},
		"suspended suspended":     {auth.UserSuspended, false},
		"suspended resumed":       {auth.UserActive, true},
	}
	for _, s := range []auth.UserStatus{auth.UserPending, auth.UserActive, auth.UserSuspended} {
		for _, e := range []auth.UserEvent{auth.UserAuthenticates, auth.UserIsSuspended, auth.UserIsResumed} {
			name := fmt.Sprintf("%s %s", s, e)
			to, ok := s.Next(e)
			if got := (move{to, ok}); got != want[name] {
				t.Errorf("%s: got %v, want %v", name, got, want[name])
			}
			delete(want, name)
		}
	}
	if len(want) > 0 {
		t.Errorf("never tried: %v", want)
	}
}
