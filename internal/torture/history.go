package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// person is a user as their client knows them: what it was given, and may use rightly or wrongly.
type person struct {
	id, email, phone string
	words            int              // passwords chosen so far
	tokens           []string         // by session: the bearer token of /multi, or the session's id on /cis
	refresh          []map[int]string // by session: the tokens of its family
	asked            []string         // by session: the challenge that its device was asked with
	resets           []string         // tokens for one new password
	sms, mails       []string         // codes, in the order in which they came
	read             map[string]bool  // messages that were looked at, by id
}

// text is the n-th password of a user; below zero it is none of theirs.
func text(n int) string {
	if n < 0 {
		return "Wr0ng-word!"
	}
	return fmt.Sprintf("Pa55word-%d!", n)
}

// grow makes room for the n-th of a list.
func grow[T any](list []T, n int) []T {
	for len(list) <= n {
		list = append(list, *new(T))
	}
	return list
}

// answer is what a client was told.
type answer struct {
	class   class
	token   string // of a new session
	refresh string
	asked   string // the challenge
	detail  string // for people
	away    bool   // the server cannot do its work now, and said so
}

// history is what one client did, and in which worlds that can have happened.
type history struct {
	*person
	limits limits
	worlds []world
	lines  []string
	calls  int
	open   int    // calls that were not answered
	broken string // what must not be; empty: nothing yet
}

func newHistory(p *person, l limits) *history {
	p.read = map[string]bool{}
	return &history{person: p, limits: l, worlds: []world{{}}}
}

// mostWorlds is far above what a few open calls leave.
const mostWorlds = 2000

// observe adds calls that were made at the same time, with their answers, and rules out the worlds in which no order of the calls leads to
// these answers.
func (h *history) observe(calls []call, answers []answer, begun, ended time.Time, slack time.Duration) {
	h.calls += len(calls)
	h.note(calls, answers, ended)
	for i, c := range calls {
		h.keep(c, answers[i])
	}
	next := map[string]world{}
	for _, w := range h.worlds {
		for _, order := range orders(len(calls)) {
			every(func(t *tape) {
				m := moment{now: ended, tape: t, sms: h.sms, mails: h.mails, beside: len(calls) > 1}
				if slack > 0 {
					m.slack = slack + ended.Sub(begun)
				}
				after := w.clone()
				for _, i := range order {
					if !after.explains(calls[i], answers[i].class, m, h.limits) {
						return
					}
				}
				next[after.key()] = after
			})
		}
	}
	h.replace(next)
}

// explains applies a call, and reports whether its answer can be.
func (w *world) explains(c call, told class, m moment, l limits) bool {
	switch told {
	case lost:
		w.half(c, m, l)
		return true
	case busy:
		if c.attempts() && m.choose() { // reserved, and given back
			if w.reserve(m, l) == ok {
				w.password.pending--
			}
		}
		return true
	}
	want := w.step(c, m, l)
	return want == told || m.beside && c.late(want, told)
}

// late reports whether one of two calls that were made at the same time may be answered so by a server that has let both in before the
// first had its effect: the second one ends what is over already, or fails at its second look. It changes nothing.
func (c call) late(want, told class) bool {
	switch c.kind {
	case logout:
		return want == dead && told == ok
	case change, verify:
		return want == dead && told == no
	}
	return false
}

// orders are the orders in which one or two calls can take effect.
func orders(n int) [][]int {
	if n == 1 {
		return [][]int{{0}}
	}
	return [][]int{{0, 1}, {1, 0}}
}

// see rules out the worlds in which something else would be seen.
func (h *history) see(what string, fits func(world) bool) {
	if h.broken != "" {
		return
	}
	left := slices.DeleteFunc(slices.Clone(h.worlds), func(w world) bool { return !fits(w) })
	if len(left) == 0 {
		h.breaks("%s; expected was%s", what, h.expected())
		return
	}
	h.worlds = left
}

// expected tells what the worlds say of what leaves traces.
func (h *history) expected() string {
	var all strings.Builder
	for i, w := range h.worlds {
		if i == 4 {
			fmt.Fprintf(&all, " or one of %d others", len(h.worlds)-i)
			break
		}
		if i > 0 {
			all.WriteString(" or")
		}
		fmt.Fprintf(&all, " %d codes by SMS, %d by e-mail and %+v", w.sms, w.mails, w.done)
	}
	return all.String()
}

func (h *history) replace(next map[string]world) {
	if h.broken != "" {
		return
	}
	switch {
	case len(next) == 0:
		h.breaks("the last answer cannot be")
		return
	case len(next) > mostWorlds:
		h.breaks("%d worlds are left: nothing can be said any more", len(next))
		return
	}
	h.worlds = h.worlds[:0:0]
	keys := make([]string, 0, len(next))
	for key := range next {
		keys = append(keys, key)
	}
	slices.Sort(keys) // so that a history is the same when it is run again
	for _, key := range keys {
		h.worlds = append(h.worlds, next[key])
	}
}

func (h *history) breaks(format string, args ...any) {
	if h.broken == "" {
		h.broken = fmt.Sprintf(format, args...)
	}
}

// keep takes what an answer brought.
func (h *history) keep(c call, a answer) {
	if a.class == lost {
		h.open++
	}
	if a.class != ok {
		return
	}
	switch c.kind {
	case login, backendLogin, change, recoverByCode:
		h.tokens = grow(h.tokens, c.fresh)
		h.refresh = grow(h.refresh, c.fresh)
		h.tokens[c.fresh] = a.token
		if a.refresh != "" {
			h.refresh[c.fresh] = map[int]string{0: a.refresh}
		}
	case refresh:
		had, known := h.refresh[c.in][c.token+1]
		if known && had != a.refresh {
			h.breaks("a refresh token was exchanged for two different ones: the family has forked")
		}
		h.refresh[c.in][c.token+1] = a.refresh
	case askDevice:
		h.asked = grow(h.asked, c.in)
		h.asked[c.in] = a.asked
	case proveReset:
		h.resets = grow(h.resets, c.fresh)
		h.resets[c.fresh] = a.token
	}
}

// mostLines is how much of a history is kept for people to read.
const mostLines = 60

func (h *history) note(calls []call, answers []answer, at time.Time) {
	for i, c := range calls {
		beside := " "
		if i > 0 {
			beside = "∥"
		}
		h.lines = append(h.lines, fmt.Sprintf("%4d.%s %s %s: %s%s", h.calls-len(calls)+i+1, beside, at.UTC().Format("15:04:05.000000"),
			c, answers[i].class, answers[i].detail))
	}
	if n := len(h.lines) - mostLines; n > 0 {
		h.lines = slices.Delete(h.lines, 0, n)
	}
}

func (c call) String() string {
	text := c.kind.String()
	switch c.kind {
	case login, backendLogin:
		return fmt.Sprintf("%s with password %d into session %d", text, c.word, c.fresh)
	case change:
		return fmt.Sprintf("%s in session %d from %d to %d into session %d", text, c.in, c.word, c.next, c.fresh)
	case verify:
		return fmt.Sprintf("%s %s in session %d", text, c.code, c.in)
	case refresh:
		return fmt.Sprintf("%s token %d of session %d", text, c.token, c.in)
	case recoverByCode:
		return fmt.Sprintf("%s by %s to password %d into session %d", text, c.code, c.next, c.fresh)
	case proveReset:
		return fmt.Sprintf("%s by %s for token %d", text, c.code, c.fresh)
	case resetByToken:
		return fmt.Sprintf("%s by token %d to password %d", text, c.token, c.next)
	case askRecovery, suspend, resume:
		return text
	}
	return fmt.Sprintf("%s in session %d", text, c.in)
}

// report tells a broken history.
func (h *history) report() string {
	return fmt.Sprintf("user %s:\n%s\n%s", h.id, strings.Join(h.lines, "\n"), h.broken)
}
