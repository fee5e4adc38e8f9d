package main

import "time"

// kind is what a client asks for.
type kind int

const (
	login         kind = iota // with a password, on /multi
	backendLogin              // the same, on /cis
	look                      // is the token good?
	logout                    // by a token of /multi
	backendLogout             // of a session of /cis
	refresh                   // exchange of a refresh token
	askCode                   // a code by SMS, to raise a token
	verify                    // that code
	askDevice                 // a push, to raise a token
	approve                   // on the device
	deny                      // on the device
	change                    // of the password, with the old one
	askRecovery               // a code by e-mail
	recoverByCode             // a new password for that code, on /multi
	proveReset                // that code for a reset token, on /cis
	resetByToken              // a new password for that token
	suspend                   // by an operator
	resume                    // by an operator
	kinds
)

func (k kind) String() string {
	return [...]string{
		"log in", "log in on /cis", "look", "log out", "log out on /cis", "refresh", "ask for a code", "verify", "ask the device", "approve",
		"deny",
		"change the password", "ask for a recovery", "recover", "prove a reset", "reset", "suspend", "resume",
	}[k]
}

// call is one request, as far as it matters to the rules.
type call struct {
	kind  kind
	in    int    // the session that it is made in
	fresh int    // the number of the session, or the reset token, that a success makes
	word  int    // the password given
	next  int    // the password wanted
	code  string // the code given
	token int    // which refresh token of the session, or which reset token
}

// class is what an answer means.
type class string

const (
	ok     class = "done"
	no     class = "refused"
	locked class = "locked"
	dead   class = "not logged in"
	busy   class = "busy" // try again: nothing was done
	lost   class = "lost" // no answer, or a fault of the server: what was done is not known
)

// step applies a call to a world and returns the answer that the rules want.
func (w *world) step(c call, m moment, l limits) class {
	switch c.kind {
	case login, backendLogin:
		return w.login(c, m, l)
	case look:
		return w.within(c, m, l, func(*session) class { return ok })
	case logout, backendLogout:
		return w.logout(c, m, l)
	case refresh:
		return w.refresh(c, m, l)
	case askCode, verify, askDevice:
		return w.within(c, m, l, func(s *session) class { return w.stepUp(c, s, m, l) })
	case approve, deny:
		return w.answer(c, m, l)
	case change:
		return w.within(c, m, l, func(*session) class { return w.change(c, m, l) })
	case askRecovery:
		w.askRecovery(m, l)
		return ok
	case recoverByCode, proveReset:
		return w.prove(c, m, l)
	case resetByToken:
		return w.resetPassword(c, m, l)
	}
	return w.operate(c)
}

// half applies a call that broke off: none of it, all of it, or what is written before the rest.
func (w *world) half(c call, m moment, l limits) {
	if m.choose() {
		return
	}
	s := w.session(c.in)
	if c.touches() && m.choose() {
		if s.alive(m, l) {
			s.touch(m)
		}
		return
	}
	if !c.attempts() || !m.choose() {
		w.step(c, m, l)
		return
	}
	if c.kind == change {
		if !s.alive(m, l) {
			return
		}
		s.touch(m)
	}
	if w.reserve(m, l) == ok && m.choose() { // or given back
		w.password.pending--
	}
}

// attempts reports whether a call tries a password.
func (c call) attempts() bool { return c.kind == login || c.kind == backendLogin || c.kind == change }

// touches reports whether a call counts as the activity of its session before anything else.
func (c call) touches() bool {
	switch c.kind {
	case look, askCode, verify, askDevice, change:
		return true
	}
	return false
}

// within is a call that a session's token is needed for.
func (w *world) within(c call, m moment, l limits, then func(*session) class) class {
	s := w.session(c.in)
	if !s.alive(m, l) {
		return dead
	}
	s.touch(m)
	return then(s)
}

// reserve counts an attempt before it is made.
func (w *world) reserve(m moment, l limits) class {
	aged := w.password.aged(m, l)
	switch {
	case !aged.locked.IsZero():
		return locked
	case aged.failures+aged.pending >= l.failures:
		return busy
	}
	aged.pending++
	aged.pendingAt = m.now
	w.password = aged
	return ok
}

// attempt tries a password.
func (w *world) attempt(c call, m moment, l limits) class {
	if a := w.reserve(m, l); a != ok {
		return a
	}
	right := c.word == w.word && !w.suspended
	if w.password.settle(m, l, right) {
		w.done.Locks++
		w.cancel(false)
	}
	if !right {
		return no
	}
	return ok
}

func (w *world) login(c call, m moment, l limits) class {
	a := w.attempt(c, m, l)
	if a == ok {
		w.open(c, m, l)
		w.done.Logins++
	}
	return a
}

func (w *world) open(c call, m moment, l limits) {
	s := session{made: true, seen: m.now, ends: m.now.Add(l.absolute), backend: c.kind == backendLogin}
	if s.backend {
		s.ends = m.now.Add(l.backend)
	}
	*w.session(c.fresh) = s
}

// logout ends a session. A back end may end one that is over already.
func (w *world) logout(c call, m moment, l limits) class {
	s := w.session(c.in)
	if c.kind == logout && !s.alive(m, l) {
		return dead
	}
	if !s.ended {
		s.ended = true
		w.done.Logouts++
	}
	return ok
}

// refresh exchanges a token for its successor. The one before the live leaf may be shown again for a moment; whatever else is shown twice
// is a copy, and ends the family.
func (w *world) refresh(c call, m moment, l limits) class {
	s := w.session(c.in)
	switch {
	case !s.alive(m, l), s.revoked:
		return dead
	case m.before(w.password.locked):
		return locked
	case c.token == s.leaf:
		s.leaf, s.rotated = s.leaf+1, m.now
	case c.token == s.leaf-1 && !m.since(s.rotated, l.replay):
	default:
		s.revoked = true
		w.done.Revocations++
		return dead
	}
	w.done.Refreshes++
	return ok
}

func (w *world) stepUp(c call, s *session, m moment, l limits) class {
	if m.before(w.password.locked) {
		return locked
	}
	switch c.kind {
	case askCode:
		return w.askCode(s, m, l)
	case askDevice:
		return w.askDevice(s, m, l)
	}
	if s.raised || s.ask.status == none || s.ask.status == approved {
		return no
	}
	if !w.judge(&s.ask, &w.otp, c.code, m.sms, l.tries, m, l) {
		return no
	}
	s.ask.status = approved
	w.raise(s, m)
	return ok
}

func (w *world) raise(s *session, m moment) {
	s.raised = true
	if m.now.After(s.seen) {
		s.seen = m.now
	}
	w.done.StepUps++
}

func (w *world) askCode(s *session, m moment, l limits) class {
	otp, ask := w.otp.aged(m, l), s.ask
	same := ask.pending(m) && !ask.pushed
	switch {
	case !otp.locked.IsZero(), same && !m.since(ask.sent, l.wait), same && ask.sends >= l.sends:
		return no
	}
	if !same {
		ask = challenge{status: pending}
	}
	w.sms++
	ask.code, ask.sends, ask.sent, ask.ends = w.sms, ask.sends+1, m.now, m.now.Add(l.otpFor)
	s.ask = ask
	return ok
}

func (w *world) askDevice(s *session, m moment, l limits) class {
	device := w.device.aged(m, l)
	recent := func(all []time.Time) (n int) {
		for _, at := range all {
			if !m.since(at, l.pushWindow) || at.Equal(m.now.Add(-l.pushWindow)) { // one to come by a clock that was set back counts, too
				n++
			}
		}
		return n
	}
	switch {
	case s.raised, s.ask.pushed && s.ask.pending(m), !device.locked.IsZero(), recent(w.pushes) >= l.pushCount,
		recent(w.denials) >= l.maxDenials:
		return no
	}
	s.ask = challenge{status: pending, pushed: true, sends: 1, sent: m.now, ends: m.now.Add(l.pushFor)}
	w.pushes = append(w.pushes, m.now)
	return ok
}

// answer is what the user does on the device. One that comes too late changes nothing.
func (w *world) answer(c call, m moment, l limits) class {
	s := w.session(c.in)
	switch {
	case !s.ask.pushed || s.ask.status == none:
		return no
	case !s.ask.pending(m):
		if s.ask.status == pending {
			s.ask.status = failed
		}
		return no
	case !s.alive(m, l) || w.suspended || m.before(w.password.locked):
		s.ask.status = cancelled
		return no
	case c.kind == deny:
		s.ask.status = failed
		w.denials = append(w.denials, m.now)
		return ok
	}
	s.ask.status = approved
	w.device.settle(m, l, true)
	w.raise(s, m)
	return ok
}

// judge compares a code with the one that is good, and counts a wrong one: for the challenge, and for the user over all challenges.
func (w *world) judge(ask *challenge, count *counter, code string, sent []string, tries int, m moment, l limits) bool {
	proofs := count.aged(m, l)
	if !proofs.locked.IsZero() || !ask.pending(m) || ask.pushed {
		return false
	}
	if ask.code >= 1 && ask.code <= len(sent) && sent[ask.code-1] == code {
		count.settle(m, l, true)
		return true
	}
	if count.settle(m, l, false) {
		w.done.Locks++
	}
	if ask.failures++; ask.failures >= tries || count.failures >= l.failures {
		ask.status = failed
	}
	return false
}

func (w *world) change(c call, m moment, l limits) class {
	a := w.attempt(c, m, l)
	if a != ok {
		return a
	}
	w.replaced(c.next)
	w.open(c, m, l)
	w.done.Changes++
	return ok
}

func (w *world) askRecovery(m moment, l limits) {
	mail, ask := w.mail.aged(m, l), w.recovery
	same := ask.pending(m)
	counted := 0
	if ask.status != approved && ask.status != none && !m.since(ask.sent, l.mailPause) {
		counted = ask.sends
	}
	if w.suspended || !mail.locked.IsZero() || same && !m.since(ask.sent, l.wait) || counted >= l.sends {
		return
	}
	if !same {
		ask = challenge{status: pending}
	}
	w.mails++
	ask.code, ask.sends, ask.sent, ask.ends = w.mails, counted+1, m.now, m.now.Add(l.mailFor)
	w.recovery = ask
}

// prove uses up the code of a recovery, for a new password or for a token that is good for one.
func (w *world) prove(c call, m moment, l limits) class {
	if w.suspended || !w.judge(&w.recovery, &w.mail, c.code, m.mails, l.mailTries, m, l) {
		return no
	}
	w.recovery.status = approved
	if c.kind == proveReset {
		*w.reset(c.fresh) = reset{made: true, ends: m.now.Add(l.resetFor)}
		return ok
	}
	w.recovered(c.next)
	w.open(c, m, l)
	return ok
}

func (w *world) recovered(word int) {
	w.replaced(word)
	w.password.failures, w.password.locked = 0, time.Time{}
	w.done.Recoveries++
}

func (w *world) resetPassword(c call, m moment, l limits) class {
	r := w.reset(c.token)
	if !r.made || r.over || !m.before(r.ends) || w.suspended {
		return no
	}
	r.over = true
	w.recovered(c.next)
	return ok
}

// operate is what an operator does.
func (w *world) operate(c call) class {
	if to := c.kind == suspend; to != w.suspended {
		w.suspended = to
		if to {
			w.endAll()
			w.cancel(true)
			w.done.Suspensions++
		}
	}
	return ok
}
