package main

import (
	"math/rand/v2"
	"time"
)

// script chooses what a client does next. Everything it does follows from its seed and from what it was told.
type script struct {
	*rand.Rand
	weights  [kinds]int
	guesses  int // wrong passwords still to come in a row
	misses   int // wrong codes
	sessions int // begun so far
	resets   int
}

// newScript returns the script of a seed. Only the simulation has an operator and devices.
func newScript(seed, stream uint64, whole bool) *script {
	s := &script{Rand: rand.New(rand.NewPCG(seed, stream)), weights: [kinds]int{
		login: 12, backendLogin: 8, look: 10, logout: 3, backendLogout: 2, refresh: 14, askCode: 8, verify: 14, change: 5,
		askRecovery: 5, recoverByCode: 5, proveReset: 4, resetByToken: 6,
	}}
	if whole {
		s.weights[askDevice], s.weights[approve], s.weights[deny], s.weights[suspend], s.weights[resume] = 5, 7, 1, 1, 1
	}
	return s
}

func (s *script) chance(percent int) bool { return s.IntN(100) < percent }

// next is the call that comes next.
func (s *script) next(h *history) call {
	w := h.worlds[0]
	if w.suspended && s.chance(30) && s.weights[resume] > 0 {
		return call{kind: resume}
	}
	if s.guesses > 0 {
		s.guesses--
		return s.fill(call{kind: login}, h, true)
	}
	if s.misses > 0 {
		s.misses--
		for _, k := range []kind{verify, recoverByCode} {
			if c := (call{kind: k}); s.possible(c, h) && (k == recoverByCode || s.chance(60)) {
				return s.fill(c, h, true)
			}
		}
	}
	switch s.IntN(50) {
	case 0:
		s.guesses = s.IntN(6)
	case 1:
		s.misses = s.IntN(5)
	}
	total := 0
	for _, n := range s.weights {
		total += n
	}
	for {
		n := s.IntN(total)
		k := kind(0)
		for n -= s.weights[k]; n >= 0; n -= s.weights[k] {
			k++
		}
		if c := (call{kind: k}); s.possible(c, h) {
			return s.fill(c, h, false)
		}
	}
}

// possible reports whether the client has what a call takes.
func (s *script) possible(c call, h *history) bool {
	switch c.kind {
	case look, logout, askCode, verify, askDevice, change:
		return s.pick(h, false) >= 0
	case refresh, backendLogout:
		return s.pick(h, true) >= 0
	case approve, deny:
		return s.askedOne(h) >= 0
	case recoverByCode, proveReset:
		return len(h.mails) > 0
	case resetByToken:
		return s.lastReset(h) >= 0
	}
	return true
}

// pick returns a session that the client holds a token of: one of the latest, and as a rule one that it believes to be live.
func (s *script) pick(h *history, backend bool) int {
	w := h.worlds[0]
	var live, all []int
	for n, token := range h.tokens {
		if token == "" || (h.refresh[n] != nil) != backend {
			continue
		}
		all = append(all, n)
		if n < len(w.sessions) && w.sessions[n].made && !w.sessions[n].over && !w.sessions[n].ended {
			live = append(live, n)
		}
	}
	if len(live) > 0 && s.chance(85) {
		all = live
	}
	if len(all) == 0 {
		return -1
	}
	all = all[max(0, len(all)-5):]
	return all[s.IntN(len(all))]
}

func (s *script) askedOne(h *history) int {
	for n := len(h.asked) - 1; n >= 0; n-- {
		if h.asked[n] != "" {
			return n
		}
	}
	return -1
}

func (s *script) lastReset(h *history) int {
	for n := len(h.resets) - 1; n >= 0; n-- {
		if h.resets[n] != "" {
			return n
		}
	}
	return -1
}

// fill chooses the rest of a call.
func (s *script) fill(c call, h *history, wrong bool) call {
	w := h.worlds[0]
	switch c.kind {
	case login, backendLogin, change:
		if c.word = w.word; wrong || s.chance(15) {
			c.word = -1
		} else if w.word > 0 && s.chance(10) {
			c.word = s.IntN(w.word)
		}
	}
	switch c.kind {
	case look, logout, askCode, verify, askDevice, change:
		c.in = s.pick(h, false)
	case refresh, backendLogout:
		c.in = s.pick(h, true)
	case approve, deny:
		c.in = s.askedOne(h)
	}
	switch c.kind {
	case verify:
		c.code = s.code(h.sms, wrong)
	case recoverByCode, proveReset:
		c.code = s.code(h.mails, wrong)
	case refresh:
		c.token = s.leaf(h, c.in)
	case resetByToken:
		c.token = s.lastReset(h)
	}
	switch c.kind {
	case login, backendLogin, change, recoverByCode:
		c.fresh = s.sessions
		s.sessions++
	case proveReset:
		c.fresh = s.resets
		s.resets++
	}
	switch c.kind {
	case change, recoverByCode, resetByToken:
		h.words++
		c.next = h.words
	}
	return c
}

// code is the latest that came, as a rule; sometimes one from before, or none that was ever sent.
func (s *script) code(sent []string, wrong bool) string {
	switch {
	case wrong:
	case len(sent) > 0 && s.chance(75):
		return sent[len(sent)-1]
	case len(sent) > 0 && s.chance(50):
		return sent[s.IntN(len(sent))]
	}
	return "000000"
}

// leaf is the newest refresh token that the client has, as a rule; sometimes the one before it, or an older one.
func (s *script) leaf(h *history, in int) int {
	newest := len(h.refresh[in]) - 1
	switch {
	case newest > 0 && s.chance(20):
		return newest - 1
	case newest > 1 && s.chance(8):
		return s.IntN(newest)
	}
	return newest
}

// pause is how long the client waits before its next call, when it has a clock of its own: mostly a moment, and sometimes until just
// before or after something ends. Its clock may be set, too.
func (s *script) pause(h *history, now time.Time) time.Duration {
	if s.chance(12) {
		if ends := h.deadlines(now); len(ends) > 0 {
			edge := []time.Duration{-time.Microsecond, 0, time.Microsecond}[s.IntN(3)]
			if d := ends[s.IntN(len(ends))].Sub(now) + edge; d > 0 && d < 12*time.Hour {
				return d
			}
		}
	}
	switch n := s.IntN(1000); { // now and then somebody sets the clock
	case n < 8:
		return -time.Duration(s.Int64N(int64(time.Hour)))
	case n < 12:
		return -time.Second
	case n < 14:
		return 10 * 365 * 24 * time.Hour
	case n < 700:
		return time.Duration(s.Int64N(int64(2 * time.Second)))
	case n < 900:
		return time.Duration(s.Int64N(int64(20 * time.Second)))
	case n < 980:
		return time.Duration(s.Int64N(int64(6 * time.Minute)))
	case n < 996:
		return time.Duration(s.Int64N(int64(time.Hour)))
	}
	return time.Duration(s.Int64N(int64(26 * time.Hour)))
}

// deadlines are the ends of what is under way.
func (h *history) deadlines(now time.Time) (all []time.Time) {
	w, l := h.worlds[0], h.limits
	for _, c := range []counter{w.password, w.otp, w.mail} {
		all = append(all, c.locked)
		if c.pending > 0 {
			all = append(all, c.pendingAt.Add(l.reservation))
		}
	}
	all = append(all, w.recovery.ends)
	for _, s := range w.sessions[max(0, len(w.sessions)-3):] {
		all = append(all, s.ask.ends)
		if s.backend {
			all = append(all, s.rotated.Add(l.replay))
		} else {
			all = append(all, s.seen.Add(l.idle))
		}
	}
	for _, r := range w.resets {
		all = append(all, r.ends)
	}
	later := all[:0]
	for _, at := range all {
		if at.After(now) {
			later = append(later, at)
		}
	}
	return later
}
