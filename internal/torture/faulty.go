package main

import (
	"context"
	"errors"
	"sync"

	"countersign/internal/auth"
)

var errFault = errors.New("the store failed")

// faultyStore fails one call in the place of the database: the n-th from when it was armed.
type faultyStore struct {
	auth.Store

	mu    sync.Mutex
	left  int // calls until the one that fails; 0: none does
	how   howFar
	fired bool
}

// howFar says how much of a failing call takes place.
type howFar int

const (
	notAtAll   howFar = iota // the database is away
	rolledBack               // it went away before the commit
	committed                // it went away before its answer
	howFars
)

// arm makes the n-th call from now on fail.
func (f *faultyStore) arm(n int, how howFar) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.how, f.fired = n, how, false
}

// disarm reports whether a call failed.
func (f *faultyStore) disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	fired := f.fired
	f.left, f.fired = 0, false
	return fired
}

func (f *faultyStore) run(call func(end func(error) error) error) error {
	f.mu.Lock()
	failing := f.left == 1
	if f.left > 0 {
		f.left--
	}
	f.fired = f.fired || failing
	how := f.how
	f.mu.Unlock()
	as := func(err error) error { return err }
	switch {
	case !failing:
		return call(as)
	case how == rolledBack:
		return call(func(err error) error { return errors.Join(err, errFault) })
	case how == committed:
		return errors.Join(call(as), errFault)
	}
	return errFault
}

// View implements auth.Store.
func (f *faultyStore) View(ctx context.Context, fn func(auth.Reads) error) error {
	return f.run(func(end func(error) error) error {
		return f.Store.View(ctx, func(r auth.Reads) error { return end(fn(r)) })
	})
}

// Update implements auth.Store.
func (f *faultyStore) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return f.run(func(end func(error) error) error {
		return f.Store.Update(ctx, func(tx auth.Tx) error { return end(fn(tx)) })
	})
}

// Write implements auth.Store.
func (f *faultyStore) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return f.run(func(end func(error) error) error {
		return f.Store.Write(ctx, func(w auth.Writes) error { return end(fn(w)) })
	})
}
