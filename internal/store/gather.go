package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"countersign/internal/auth"
)

// gathering lets checks of tokens that come while another's statement is on its way share the next one, which for eight
// costs three times what it does for one. Alone, a check goes at once. Who comes first after it leads a crowd, waits until the one before has its answer,
// and asks for all who have come by then. Who comes later is not answered by that, so that whatever was committed before a check is seen by it.
type gathering struct {
	queries []string      // for 2, 4 … crowdMost hashes
	turn    lane          // of one crowd
	grace   time.Duration // how long a crowd waits for it, lest one statement that takes its time keeps all others
	mu      sync.Mutex
	open    *crowd // that others may join; nil: none
}

func newGathering(bearer string, grace time.Duration) *gathering {
	g := &gathering{turn: make(lane, 1), grace: grace}
	for n := 2; n <= crowdMost; n *= 2 {
		g.queries = append(g.queries, bearersQuery(bearer, n))
	}
	return g
}

// crowd is some checks of tokens that share a statement.
type crowd struct {
	hashes  []auth.TokenHash
	answers [][]bearerRow // in the order of hashes
	err     error
	done    chan struct{} // closed when the two are there
}

// crowdMost bounds a crowd.
const crowdMost = 16

// errLeft is what a crowd is told whose leader did not come to ask.
var errLeft = errors.New("the statement was shared and not run")

// bearer returns the rows of a token. Its caller runs no other statement in its View, and has not given up yet.
func (g *gathering) bearer(r reads, verb string, hash auth.TokenHash) ([]bearerRow, error) {
	c, place := g.join(hash)
	if place == 0 {
		g.lead(c, r, verb)
	} else if _, err := r.h.before(r.ctx, r.h.store.live.bearer, nil); err != nil {
		return nil, r.h.fail(r.ctx, verb, err)
	} else {
		<-c.done // it has the patience of its leader, who came before
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.answers[place], nil
}

// join returns a crowd and the place of the caller in it. The first one leads it.
func (g *gathering) join(hash auth.TokenHash) (c *crowd, place int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = &crowd{err: errLeft, done: make(chan struct{})}
	}
	c = g.open
	c.hashes = append(c.hashes, hash)
	if len(c.hashes) == crowdMost {
		g.open = nil
	}
	return c, len(c.hashes) - 1
}

// lead asks for a crowd, whether or not who leads it gives up meanwhile.
func (g *gathering) lead(c *crowd, r reads, verb string) {
	defer close(c.done)
	defer g.wait()()
	g.close(c)
	r.ctx = context.WithoutCancel(r.ctx)
	c.ask(r, verb)
}

// wait returns when the statement before has its answer, or is waited for no more. What it returns is called after the next one.
func (g *gathering) wait() (leave func()) {
	select {
	case g.turn <- struct{}{}:
		return g.turn.leave
	default:
	}
	late := time.NewTimer(g.grace)
	defer late.Stop()
	select {
	case g.turn <- struct{}{}:
		return g.turn.leave
	case <-late.C:
		return func() {}
	}
}

// close lets nobody join a crowd any more.
func (g *gathering) close(c *crowd) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == c {
		g.open = nil
	}
}

// gatheredRow is a bearerRow with its place in a crowd.
type gatheredRow struct {
	bearerRow
	place int64
}

func (g *gatheredRow) fields() []any { return append(g.bearerRow.fields(), &g.place) }

// ask runs the statement.
func (c *crowd) ask(r reads, verb string) {
	c.answers = make([][]bearerRow, len(c.hashes))
	if len(c.hashes) == 1 {
		c.answers[0], c.err = read(r, verb, r.h.store.live.bearer, filter{args: []any{c.hashes[0][:]}}, (*bearerRow).fields)
		return
	}
	query := 0
	for 2<<query < len(c.hashes) {
		query++
	}
	f := filter{args: make([]any, 2<<query)}
	for i := range f.args {
		f.args[i] = []byte{} // the hash of nothing
	}
	for i := range c.hashes {
		f.args[i] = c.hashes[i][:]
	}
	var rows []gatheredRow
	rows, c.err = read(r, verb, r.h.store.gathering.queries[query], f, (*gatheredRow).fields)
	for i := range rows {
		c.answers[rows[i].place] = append(c.answers[rows[i].place], rows[i].bearerRow)
	}
}

// bearersQuery is bearer for n hashes, whose rows it returns with the place of each. What is in LATERAL is planned for one hash, as bearer is,
// for OFFSET keeps it apart: else PostgreSQL reads tables whole that were small when it planned. The number of hashes is part of the text, so that
// it finds one plan as good for any hashes as another, and keeps it.
func bearersQuery(bearer string, n int) string {
	places := make([]string, n)
	for i := range places {
		places[i] = "(" + strconv.Itoa(i) + ", $" + strconv.Itoa(i+1) + "::bytea)"
	}
	one := strings.Replace(strings.TrimPrefix(bearer, "-- name: Bearer :many\n"), "$1", "v.hash", 1)
	return "-- name: Bearers :many\nSELECT x.*, v.place FROM (VALUES " + strings.Join(places, ", ") + ") AS v (place, hash), LATERAL (\n" +
		one + "\nOFFSET 0) AS x"
}
