package main

import (
	"fmt"
	"slices"
	"time"
)

// A world is one thing that the state of a user may be. What a client was told leaves some worlds and rules the others out; a call that was
// never answered leaves those in which it took effect and those in which it did not. When none is left, something was lost, or done twice.
//
// The rules are told once more here, as plainly as the contracts tell them and without a look at the server's code: how many failures lock,
// what ends a session, which code is good. One user is called for by one client at a time, so the rules need no locks.
type world struct {
	word      int // which of the user's passwords is the present one
	suspended bool
	password  counter
	otp       counter
	mail      counter
	device    counter
	sessions  []session
	resets    []reset
	recovery  challenge
	pushes    []time.Time
	denials   []time.Time
	sms       int // codes sent so far
	mails     int
	done      effects
}

// effects count what leaves an event.
type effects struct {
	Logins, Logouts, Changes, Recoveries, Refreshes, Revocations, StepUps, Locks, Suspensions int
}

// limits are the settings of the users' tenant.
type limits struct {
	failures              int
	lockFor, forget       time.Duration
	idle, absolute        time.Duration // of /multi
	otpFor, wait          time.Duration
	tries, sends          int
	mailFor, mailPause    time.Duration
	mailTries             int
	pushFor, pushWindow   time.Duration
	pushCount, maxDenials int
	resetFor, replay      time.Duration
	reservation           time.Duration // how long an attempt may go unsettled
	backendIdle, backend  time.Duration // of /cis: after the last exchange, and after the login
}

// contract are the limits that the contracts set.
func contract() limits {
	return limits{
		failures: 5, lockFor: 30 * time.Minute, forget: 24 * time.Hour, idle: 5 * time.Minute, absolute: 12 * time.Hour,
		otpFor: 5 * time.Minute, wait: 15 * time.Second, tries: 3, sends: 3,
		mailFor: 30 * time.Minute, mailPause: time.Hour, mailTries: 3,
		pushFor: 2 * time.Minute, pushWindow: 10 * time.Minute, pushCount: 3, maxDenials: 2,
		resetFor: 5 * time.Minute, replay: 10 * time.Second, reservation: 2 * time.Minute, backendIdle: 14 * 24 * time.Hour,
		backend: 90 * 24 * time.Hour,
	}
}

// counter counts the failures of one kind of proof.
type counter struct {
	failures, pending           int
	pendingAt, failedAt, locked time.Time
}

func (c counter) aged(m moment, l limits) counter {
	if c.pending > 0 && m.since(c.pendingAt, l.reservation) {
		if c.failedAt.Before(c.pendingAt) {
			c.failedAt = c.pendingAt
		}
		c.failures, c.pending = c.failures+c.pending, 0
		c = c.due(l)
	}
	if !c.locked.IsZero() && !m.before(c.locked) {
		c.failures, c.locked = 0, time.Time{}
	}
	if c.locked.IsZero() && c.failures > 0 && m.since(c.failedAt, l.forget) {
		c.failures = 0
	}
	return c
}

func (c counter) due(l limits) counter {
	if c.failures >= l.failures && c.locked.IsZero() {
		c.locked = c.failedAt.Add(l.lockFor)
	}
	return c
}

// settle ends an attempt, and reports whether it locked.
func (c *counter) settle(m moment, l limits, right bool) bool {
	was := m.before(c.locked)
	*c = c.aged(m, l)
	c.pending = max(c.pending-1, 0)
	if right {
		c.failures = 0
		return false
	}
	c.failures, c.failedAt = min(c.failures+1, l.failures), m.now
	*c = c.due(l)
	return !was && !c.locked.IsZero()
}

// session is one that the client was given.
type session struct {
	made    bool
	ended   bool // by a logout
	over    bool // with all others of its user
	backend bool // of /cis, with a family of refresh tokens
	seen    time.Time
	ends    time.Time
	raised  bool
	ask     challenge
	leaf    int // which of the family's tokens, from 0, is the live one
	rotated time.Time
	revoked bool
}

func (s session) alive(m moment, l limits) bool {
	idle := l.idle
	if s.backend {
		idle = l.backendIdle
	}
	return s.made && !s.ended && !s.over && m.before(s.ends) && m.before(s.seen.Add(idle))
}

func (s *session) touch(m moment) {
	if m.now.Sub(s.seen) >= time.Second {
		s.seen = m.now
	}
}

// reset is a token for one new password.
type reset struct {
	made, over bool
	ends       time.Time
}

// challenge is the latest one of a purpose.
type challenge struct {
	status   status
	pushed   bool
	code     int // the number of the code that is good, from 1
	failures int
	sends    int
	sent     time.Time
	ends     time.Time
}

type status int

const (
	none status = iota
	pending
	approved
	failed
	cancelled
)

func (c challenge) pending(m moment) bool { return c.status == pending && m.before(c.ends) }

func (w world) clone() world {
	w.sessions, w.resets = slices.Clone(w.sessions), slices.Clone(w.resets)
	w.pushes, w.denials = slices.Clone(w.pushes), slices.Clone(w.denials)
	return w
}

// key tells worlds apart.
func (w world) key() string { return fmt.Sprintf("%+v", w) }

// session returns the n-th one, made if need be.
func (w *world) session(n int) *session {
	for len(w.sessions) <= n {
		w.sessions = append(w.sessions, session{})
	}
	return &w.sessions[n]
}

func (w *world) reset(n int) *reset {
	for len(w.resets) <= n {
		w.resets = append(w.resets, reset{})
	}
	return &w.resets[n]
}

// endAll ends whatever the user has opened, as a new password and a suspension do.
func (w *world) endAll() {
	for i := range w.sessions {
		w.sessions[i].over = true
	}
	for i := range w.resets {
		w.resets[i].over = true
	}
}

// cancel ends what is under way; a lock leaves the way to recovery open.
func (w *world) cancel(recovery bool) {
	for i := range w.sessions {
		if w.sessions[i].ask.status == pending {
			w.sessions[i].ask.status = cancelled
		}
	}
	if recovery && w.recovery.status == pending {
		w.recovery.status = cancelled
	}
}

// replaced is what a new password brings with it.
func (w *world) replaced(word int) {
	w.word = word
	w.endAll()
	w.cancel(true)
}
