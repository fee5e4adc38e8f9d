package auth

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"
)

// Subject is under what attempts are counted: a user, or the keyed hash of an identifier that nobody has.
type Subject string

// SubjectOf returns the subject of a user.
func SubjectOf(id UserID) Subject { return Subject("user:" + string(id)) }

// AttemptFactor is what is attempted; each has a counter of its own.
type AttemptFactor string

const (
	AttemptPassword AttemptFactor = "password" // wrong passwords, over both contracts and all identifiers
	AttemptOTP      AttemptFactor = "otp"      // wrong codes by SMS, over all challenges and sessions (B-16, B-17)
	AttemptDevice   AttemptFactor = "device"   // assertions of a device that did not hold
	AttemptEmail    AttemptFactor = "email"    // wrong codes by e-mail: recovery, verification, invites
	AttemptTOTP     AttemptFactor = "totp"     // wrong codes of an app
	AttemptKey      AttemptFactor = "key"      // signatures of one of a user's keys that did not hold
	AttemptPasskey  AttemptFactor = "webauthn" // assertions of one passkey that did not hold
	AttemptPIN      AttemptFactor = "pin"      // wrong PINs of one device
	AttemptBinding  AttemptFactor = "binding"  // bindings of a device that were begun and not finished
)

// LockPolicy says when failures lock, and for how long. The counter that it is applied to is the account's: several applications may have
// different policies, and each looks at the same failures.
type LockPolicy struct {
	Failures    int           // consecutive; 1 to 100
	For         time.Duration // from the locking failure
	ForgetAfter time.Duration // failures older than this no longer count; the same for accounts that do not exist
	Tiers       []LockTier    // in place of Failures and For, locks that grow; by Failures, ascending
}

// LockTier is one step of a lock that grows: so many failures in all, since the latest success, lock for so long.
type LockTier struct {
	Failures int
	For      time.Duration
}

// locking is a policy with what others say of the same counter.
type locking struct {
	LockPolicy
	keep time.Duration // the longest that any of them remembers a failure; zero: this one does
}

// limit is the number of failures that locks next, when there have been n. Beyond the last tier each one does.
func (p LockPolicy) limit(n int) int {
	if len(p.Tiers) == 0 {
		return p.Failures
	}
	for _, t := range p.Tiers {
		if t.Failures > n {
			return t.Failures
		}
	}
	return n + 1
}

// lasts is how long the lock lasts that the n-th failure set; zero: it set none.
func (p LockPolicy) lasts(n int) time.Duration {
	if len(p.Tiers) == 0 {
		if n >= p.Failures {
			return p.For
		}
		return 0
	}
	last := p.Tiers[len(p.Tiers)-1]
	if n > last.Failures {
		return last.For
	}
	if i := slices.IndexFunc(p.Tiers, func(t LockTier) bool { return t.Failures == n }); i >= 0 {
		return p.Tiers[i].For
	}
	return 0
}

// forgets is how long after the latest of n failures they are forgotten. The end of a tier's lock is not the end of its run.
func (p LockPolicy) forgets(n int) time.Duration {
	if len(p.Tiers) == 0 {
		return p.ForgetAfter
	}
	return p.lasts(n) + p.ForgetAfter
}

// longest is the most that forgets can be.
func (p LockPolicy) longest() time.Duration {
	d := p.ForgetAfter
	for _, t := range p.Tiers {
		d = max(d, p.forgets(t.Failures))
	}
	return d
}

// Attempts counts the failures of one subject and factor.
//
// An attempt is counted before it is made and given back when it succeeds, so
// that however many run at once no more than LockPolicy.Failures wrong ones are ever checked: Failures + Pending never exceeds it. What a crash
// leaves pending becomes failures (security, C-01).
type Attempts struct {
	Version     int64     // of the row; 0: there is none. See line
	Failures    int       // consecutive
	Pending     int       // reserved and not settled
	PendingAt   time.Time // of the latest reservation
	FailedAt    time.Time // of the latest failure
	LockedUntil time.Time // zero: not locked
	SucceededAt time.Time // of the latest success: the user's last authentication
	ExpiresAt   time.Time // when nothing here matters any more; zero: never
}

// line is what the versions of a row have in common from an attempt that began alone, and drew it, to the next such. While that attempt is in
// flight nobody else is alone, so a row of another line has not come from the one that it wrote.
func line(version int64) int64 { return version >> 20 }

// firstOfLine draws a line and returns its first version. No two are drawn alike, so that a row is of one history only, whatever a database has
// forgotten and made anew.
func firstOfLine() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:])>>21<<20 | 1)
}

// pendingLimit is how long a reservation may go unsettled. It is far above the longest wait and hash, together with what the clocks of two
// nodes may be apart, so only a crash exceeds it.
const pendingLimit = 2 * time.Minute

// outcome is how an attempt ended.
type outcome int

const (
	succeeded outcome = iota
	failed
	withdrawn // never made: the reservation is given back
)

// locked reports whether the lock holds at the time now. It ends by the clock alone.
func (a Attempts) locked(now time.Time) bool { return now.Before(a.LockedUntil) }

// aged returns a as it stands at the time now under a policy: reservations that a crash left behind are failures of the moment they were
// made, as many failures as lock have locked, an ended lock starts a fresh run, and old failures are forgotten. The failures may have been
// counted under a policy that lets more of them pass.
func (a Attempts) aged(now time.Time, p locking) Attempts {
	if a.Pending > 0 && now.Sub(a.PendingAt) >= pendingLimit {
		a.Failures, a.Pending, a.FailedAt = a.Failures+a.Pending, 0, later(a.FailedAt, a.PendingAt)
	}
	a = a.lockIfDue(p)
	if !a.LockedUntil.IsZero() && !a.locked(now) {
		if a.LockedUntil = (time.Time{}); len(p.Tiers) == 0 { // a run of tiers goes on
			a.Failures = 0
		}
	}
	if a.LockedUntil.IsZero() && a.Failures > 0 && now.Sub(a.FailedAt) >= p.forgets(a.Failures) {
		a.Failures = 0
	}
	return a
}

// lockIfDue locks from the latest failure on. A lock that is there is neither extended nor shortened.
func (a Attempts) lockIfDue(p locking) Attempts {
	if d := p.lasts(a.Failures); d > 0 && a.LockedUntil.IsZero() {
		a.LockedUntil = a.FailedAt.Add(d)
	}
	return a
}

// reserve counts an attempt about to be made. The code is CodeLocked or CodeBusy when it must not be made, and then the result differs
// from a only by age.
func (a Attempts) reserve(now time.Time, p locking) (Attempts, Code, bool) {
	a = a.aged(now, p)
	switch {
	case a.locked(now):
		return a, CodeLocked, false
	case a.Failures+a.Pending >= p.limit(a.Failures):
		return a, CodeBusy, false
	}
	a.Pending++
	a.PendingAt = now
	return a.kept(p), 0, true
}

// settle ends an attempt that reserve counted. A success under a lock that fell meanwhile changes nothing: locked is locked.
func (a Attempts) settle(o outcome, now time.Time, p locking) Attempts {
	a = a.aged(now, p)
	a.Pending = max(a.Pending-1, 0)
	switch {
	case o == succeeded && !a.locked(now):
		a.Failures, a.SucceededAt = 0, now
	case o == failed:
		// An attempt presumed dead was counted already; one that others let pass meanwhile is not uncounted.
		a.Failures, a.FailedAt = max(a.Failures, min(a.Failures+1, p.limit(a.Failures))), now
		a = a.lockIfDue(p)
	}
	return a.kept(p)
}

// kept computes how long the row matters, to whoever looks at it: a counter that nobody has must not go before that of a user would. A row that records a success is the user's last authentication and stays.
func (a Attempts) kept(p locking) Attempts {
	a.ExpiresAt = time.Time{}
	if a.SucceededAt.IsZero() {
		a.ExpiresAt = later(later(a.FailedAt, a.PendingAt).Add(max(p.forgets(a.Failures), p.keep)), a.LockedUntil)
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
