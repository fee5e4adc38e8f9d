package main

import (
	"context"
	"errors"
	"time"

	"countersign/internal/pgtest"
)

// failover kills the primary under two nodes and promotes its synchronous standby. The nodes know both addresses and are not restarted.
func (e *env) failover(ctx context.Context) (out result, err error) {
	for n := range e.scale(2, 100) {
		out.seed = e.seed + uint64(n)
		l, err := e.failOverOnce(ctx, out.seed)
		if l != nil {
			out.add(l, 1)
		}
		if err != nil || out.broken != "" {
			return out, err
		}
	}
	out.note = "the nodes were never restarted"
	return out, nil
}

func (e *env) failOverOnce(ctx context.Context, seed uint64) (_ *lives, err error) {
	primary, err := pgtest.Start()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, primary.Stop()) }()
	if _, err := primary.Create("torture"); err != nil {
		return nil, err
	}
	standby, err := primary.Standby()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, standby.Stop()) }()
	database := primary.Either("torture", standby)
	l, err := e.site.begin(database, 2, seed)
	if err != nil {
		return nil, err
	}
	defer l.fall()
	if err := l.rise(ctx); err != nil {
		return l, err
	}
	l.check(ctx, 4)
	takeOver := func(context.Context) (func() error, error) {
		time.Sleep(time.Duration(l.IntN(300)) * time.Millisecond)
		return func() error { return nil }, errors.Join(primary.Kill(), standby.Promote())
	}
	return l, l.healing(ctx, database, takeOver)
}

// skewed has two nodes whose clocks differ.
func (e *env) skewed(ctx context.Context) (result, error) {
	return e.sideBySide(ctx, 12, func(l *lives) error {
		l.skew = 20 * time.Second // two minutes apart they would take each other's attempts under way for those of a crash
		return l.rise(ctx)
	})
}
