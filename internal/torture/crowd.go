package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// crowd is a number of users with a client each, who work at the same time, and what the clients were told.
type crowd struct {
	users  []*client
	nodes  []*node
	ahead  time.Duration             // of the servers' clocks before the machine's
	skew   time.Duration             // every other node is so much ahead of that, and the ones between behind
	single bool                      // no two calls of a user at once
	calm   atomic.Bool               // every call has to be answered
	dark   atomic.Bool               // the power is gone: no answer gets out any more
	seen   auth.EventID              // the latest event of the last audit; empty: there was none
	gone   struct{ calls, open int } // of clients that are not among the users any more
}

// client is one user's.
type client struct {
	*history
	*script
	crowd   *crowd
	pending *call        // the latest one, when it was not answered
	since   auth.EventID // all events of the user come after it
	turned  int          // how often in a row a server said in calm conditions that it cannot do its work now
}

// mostTurned is how often in a row that may be: a machine that is slow now and then is no fault, and one call without any answer is.
const mostTurned = 5

func newCrowd(n int, seed uint64, l limits) *crowd {
	w := &crowd{}
	for i := range n {
		w.users = append(w.users, &client{history: newHistory(someone(i), l), script: newScript(seed, uint64(i), false), crowd: w})
	}
	return w
}

func (w *crowd) now() time.Time { return time.Now().Add(w.ahead) }

// slack is how far a server's clock may be from the clients'.
const slack = 300 * time.Millisecond

// twice are the calls that a client sometimes makes twice at once, for one effect.
func (c call) twice() bool {
	switch c.kind {
	case login, backendLogin, refresh, verify, recoverByCode, proveReset, resetByToken, logout, change:
		return true
	}
	return false
}

// step makes the next call, or a pair of the same.
func (c *client) step(ctx context.Context) {
	calls := []call{c.next(c.history)}
	switch {
	case c.crowd.single:
	case calls[0].twice() && c.chance(15):
		calls = append(calls, c.twin(calls[0]))
	case calls[0].mixes() && c.chance(10):
		if second := (call{kind: change}); c.possible(second, c.history) {
			calls = append(calls, c.fill(second, c.history, false))
		}
	}
	c.make(ctx, calls)
}

// mixes are the calls beside which a client sometimes changes its password: what they give must not outlive the change.
func (c call) mixes() bool {
	switch c.kind {
	case login, backendLogin, refresh, verify, look, recoverByCode:
		return true
	}
	return false
}

// twin is the same call once more, with a place of its own for what comes of it.
func (c *client) twin(first call) call {
	second := first
	switch first.kind {
	case login, backendLogin, change, recoverByCode:
		second.fresh = c.sessions
		c.sessions++
	case proveReset:
		second.fresh = c.resetCount()
	}
	switch first.kind {
	case change, recoverByCode, resetByToken:
		c.words++
		second.next = c.words
	}
	return second
}

func (s *script) resetCount() int {
	s.resets++
	return s.resets - 1
}

// make makes calls at the same time, each at a node of its own.
func (c *client) make(ctx context.Context, calls []call) {
	answers := make([]answer, len(calls))
	calm := c.crowd.calm.Load()
	first := c.IntN(len(c.crowd.nodes))
	begun := c.crowd.now()
	var all sync.WaitGroup
	for i, one := range calls {
		on := c.crowd.nodes[(first+i)%len(c.crowd.nodes)]
		all.Go(func() { answers[i] = on.do(ctx, c.person, one) })
	}
	all.Wait()
	if c.crowd.dark.Load() {
		for i := range answers {
			answers[i] = answer{class: lost, detail: ": the power went, or " + string(answers[i].class) + answers[i].detail}
		}
	}
	c.pending = nil
	for i, a := range answers {
		if a.class != lost {
			continue
		}
		c.pending = &calls[i]
		if c.turned++; calm && (!a.away || c.turned >= mostTurned) {
			c.breaks("a call was not answered in calm conditions%s\n%s", a.detail, c.crowd.faults())
		}
	}
	if c.pending == nil || !calm {
		c.turned = 0
	}
	c.observe(calls, answers, begun, c.crowd.now(), slack+2*c.crowd.skew)
	if k := calls[0].kind; (k == askCode || k == askRecovery) && answers[0].class == ok {
		c.readInbox(ctx)
	}
}

// faults are the latest ones that the servers have logged of their own.
func (w *crowd) faults() string {
	const most = 3
	var all []string
	for _, n := range w.nodes {
		var found []string
		for line := range strings.Lines(n.server.Log()) {
			if strings.Contains(line, `"status":5`) || strings.Contains(line, `"level":"ERROR"`) || !strings.HasPrefix(line, "{") {
				found = append(found, strings.TrimSpace(line))
			}
		}
		all = append(all, found[max(0, len(found)-most):]...)
	}
	return strings.Join(all, "\n")
}

// readInbox fetches the codes that came, and compares their number with what was asked for.
func (c *client) readInbox(ctx context.Context) {
	on := c.crowd.nodes[0]
	read := maps.Clone(c.read)
	sms, err1 := on.codes(ctx, c.phone, read)
	mails, err2 := on.codes(ctx, c.email, read)
	if err := errors.Join(err1, err2); err != nil || c.crowd.dark.Load() {
		if c.crowd.calm.Load() {
			c.breaks("the inbox cannot be read: %v", err)
		}
		return
	}
	c.read, c.sms, c.mails = read, append(c.sms, sms...), append(c.mails, mails...)
	c.see(fmt.Sprintf("%d codes came by SMS and %d by e-mail", len(c.sms), len(c.mails)), func(w world) bool {
		return w.sms == len(c.sms) && w.mails == len(c.mails)
	})
}

// storm lets all clients work until stop is closed, or a call of theirs is not answered. While it lasts, faults may happen.
func (w *crowd) storm(ctx context.Context, stop <-chan struct{}) {
	w.calm.Store(false)
	w.each(func(c *client) {
		for c.broken == "" {
			select {
			case <-stop:
				return
			default:
			}
			if c.step(ctx); c.pending != nil {
				return
			}
		}
	})
}

// each runs fn for every client at the same time.
func (w *crowd) each(fn func(*client)) {
	var all sync.WaitGroup
	for _, c := range w.users {
		all.Go(func() { fn(c) })
	}
	all.Wait()
}

// check has every client use what it holds, with nothing broken: the tokens of its latest sessions, and then n calls more.
func (w *crowd) check(ctx context.Context, n int) {
	w.calm.Store(true)
	w.each(func(c *client) {
		c.readInbox(ctx)
		for in := max(0, len(c.tokens)-6); in < len(c.tokens) && c.broken == ""; in++ {
			if c.tokens[in] != "" && c.refresh[in] == nil {
				c.make(ctx, []call{{kind: look, in: in}})
			}
		}
		for i := 0; i < n && c.broken == ""; i++ {
			c.step(ctx)
		}
	})
}

// retry has every client that lost the answer to an exchange of a refresh token ask again, while the same successor is still to be had.
func (w *crowd) retry(ctx context.Context) {
	w.calm.Store(true)
	w.each(func(c *client) {
		if p := c.pending; p != nil && p.kind == refresh && c.broken == "" {
			c.make(ctx, []call{*p})
		}
		c.pending = nil
	})
}

// ready sets the clocks of all nodes.
func (w *crowd) ready(ctx context.Context) error {
	for i, n := range w.nodes {
		skew := w.skew
		if i%2 == 1 {
			skew = -skew
		}
		if err := n.ready(ctx, w.ahead+skew); err != nil {
			return err
		}
	}
	return nil
}

// audit compares the events of a database, which no server need have open, with what the clients were told.
func (w *crowd) audit(ctx context.Context, database string) error {
	db, err := store.Open(ctx, database, store.Options{Beside: true})
	if err != nil {
		return fmt.Errorf("open the database for its events: %w", err)
	}
	events, last, err := countEvents(ctx, db, w.earliest())
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.seen = last
	for _, c := range w.users {
		done := events[auth.UserID(c.id)]
		c.see(fmt.Sprintf("the events tell of %+v", done), func(w world) bool { return w.done == done })
	}
	return db.Close()
}

// earliest is the latest event that comes before all of the users.
func (w *crowd) earliest() auth.EventID {
	first := w.users[0].since
	for _, c := range w.users {
		first = min(first, c.since)
	}
	return first
}

// calls is how many calls the clients made, and how many of them were not answered.
func (w *crowd) calls() (made, open int) {
	made, open = w.gone.calls, w.gone.open
	for _, c := range w.users {
		made += c.calls
		open += c.open
	}
	return made, open
}

// broken tells the histories that cannot have happened; empty: none.
func (w *crowd) broken() string {
	var all []string
	for _, c := range w.users {
		if c.broken != "" {
			all = append(all, c.report())
		}
	}
	return strings.Join(all, "\n\n")
}
