package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// proxied has two nodes reach their database through a proxy that breaks the connections in every way, and expects them to heal without a
// restart.
func (e *env) proxied(ctx context.Context) (out result, err error) {
	p, err := e.behindProxy()
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.rise(ctx); err != nil {
		return out, err
	}
	faults := p.wireFaults()
	rounds := e.scale(2*len(faults), 200)
	for n := range rounds {
		err := p.healing(ctx, p.direct, faults[n%len(faults)].begin)
		if err != nil || p.broken() != "" {
			out.add(p.lives, n+1)
			return out, err
		}
	}
	out.add(p.lives, rounds)
	out.note = fmt.Sprintf("%d faults met a connection; the nodes were never restarted", p.proxy.felt)
	return out, nil
}

// behindProxy makes a pair whose nodes reach PostgreSQL through a proxy.
func (e *env) behindProxy() (*pair, error) {
	p, err := e.pair(e.seed, "")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(p.direct)
	if err == nil {
		p.proxy, err = newProxy(filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), e.seed)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.database = fmt.Sprintf("postgres://%s@127.0.0.1:%d/torture?sslmode=disable", url.PathEscape(u.Query().Get("user")), p.proxy.port())
	return p, nil
}

// wireFault begins something, and returns what ends it.
type wireFault func(context.Context) (end func() error, err error)

// namedFault is one for people.
type namedFault struct {
	name  string
	begin wireFault
}

// wireFaults are all that can happen between a server and PostgreSQL, and to PostgreSQL itself while it goes on.
func (p *pair) wireFaults() []namedFault {
	var all []namedFault
	for m := passing + 1; m < blackhole; m++ {
		all = append(all, namedFault{m.String(), func(context.Context) (func() error, error) {
			p.proxy.set(m)
			return func() error { p.proxy.set(passing); return nil }, nil
		}})
	}
	return append(all,
		namedFault{blackhole.String(), func(context.Context) (func() error, error) { return p.swallow(p.proxy), nil }},
		namedFault{"no connection left", func(ctx context.Context) (func() error, error) { return crowdOut(ctx, p.direct) }},
		namedFault{"tables locked", func(ctx context.Context) (func() error, error) { return holdLock(ctx, p.direct) }},
	)
}

// swallow has nothing arrive any more, until a node has given up and told somebody so (C-18).
func (l *lives) swallow(p *proxy) (end func() error) {
	away := func() (n int64) {
		for _, on := range l.nodes {
			n += on.away.Load()
		}
		return n
	}
	before := away()
	p.set(blackhole)
	return func() error {
		defer p.set(passing)
		for deadline := time.Now().Add(patience); away() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return errors.New("nodes whose database does not answer leave their callers without an answer")
			}
		}
		return nil
	}
}

// crowdOut takes all connections that PostgreSQL has left, and cuts what it has given, so that servers ask for new ones in vain.
func crowdOut(ctx context.Context, direct string) (func() error, error) {
	var taken []*pgx.Conn
	end := func() (err error) {
		for _, c := range taken {
			err = errors.Join(err, c.Close(context.WithoutCancel(ctx)))
		}
		return err
	}
	for {
		c, err := pgx.Connect(ctx, direct)
		if err != nil && len(taken) == 0 {
			return nil, err
		}
		if err != nil {
			break // it has no more
		}
		taken = append(taken, c)
	}
	const cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'countersign'"
	_, err := taken[0].Exec(ctx, cut)
	for err == nil { // and those that they have left
		var c *pgx.Conn
		if c, err = pgx.Connect(ctx, direct); err == nil {
			taken = append(taken, c)
		}
	}
	return end, nil
}

// holdLock has another session hold the tables that everybody writes to.
func holdLock(ctx context.Context, direct string) (func() error, error) {
	c, err := pgx.Connect(ctx, direct)
	if err != nil {
		return nil, err
	}
	end := func() error { return c.Close(context.WithoutCancel(ctx)) }
	if _, err := c.Exec(ctx, "BEGIN; LOCK TABLE attempts, sessions, events IN EXCLUSIVE MODE"); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// pass begins a fault, and ends it after a while.
func (l *lives) pass(ctx context.Context, fault wireFault) error {
	time.Sleep(time.Duration(50+l.IntN(150)) * time.Millisecond)
	end, err := fault(ctx)
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(300+l.IntN(500)) * time.Millisecond)
	return end()
}

// healing lets the crowd work under a fault that ends by itself, and checks what was told against the servers that have outlived it.
func (l *lives) healing(ctx context.Context, direct string, fault wireFault) error {
	if err := l.during(ctx, func() error { return l.pass(ctx, fault) }); err != nil {
		return err
	}
	if err := errors.Join(settled(ctx, direct), l.audit(ctx, direct)); err != nil {
		return err
	}
	return l.goOn(ctx, 5)
}
