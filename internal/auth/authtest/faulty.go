package authtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"countersign/internal/auth"
)

// ErrFault is how a call of a FaultyStore fails.
var ErrFault = errors.New("the store failed")

// FaultyStore fails chosen calls in the place of the database.
type FaultyStore struct {
	auth.Store
	Writes bool   // count writes and updates only
	When   When   // how far a failing call comes
	Fail   []int  // the numbers of the calls that fail, from one
	After  func() // called after each counted call that did not fail
	Calls  int    // so far

	mu    sync.Mutex
	fired bool
}

// When says how much of a failing call takes place.
type When int

const (
	NotAtAll   When = iota // the database is away
	RolledBack             // it went away before the commit
	Committed              // it went away before its answer
)

// Whens are all of them.
func Whens() []When { return []When{NotAtAll, RolledBack, Committed} }

// Arm makes the n-th call from now on fail, and no other.
func (f *FaultyStore) Arm(n int, when When) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Fail, f.When, f.fired = []int{f.Calls + n}, when, false
}

// Disarm makes no call fail any more, and reports whether one has since Arm.
func (f *FaultyStore) Disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	fired := f.fired
	f.Fail, f.fired = nil, false
	return fired
}

func (f *FaultyStore) run(ctx context.Context, call func(context.Context, func(error) error) error) error {
	f.mu.Lock()
	f.Calls++
	failing := slices.Contains(f.Fail, f.Calls)
	f.fired = f.fired || failing
	f.mu.Unlock()
	if !failing {
		err := call(ctx, func(err error) error { return err })
		if f.After != nil {
			f.After()
		}
		return err
	}
	switch f.When {
	case RolledBack:
		return call(ctx, func(err error) error { return errors.Join(err, ErrFault) })
	case Committed:
		return errors.Join(call(ctx, func(err error) error { return err }), ErrFault)
	}
	return ErrFault
}

// View implements auth.Store.
func (f *FaultyStore) View(ctx context.Context, fn func(auth.Reads) error) error {
	if f.Writes {
		return f.Store.View(ctx, fn)
	}
	return f.run(ctx, func(ctx context.Context, end func(error) error) error {
		return f.Store.View(ctx, func(r auth.Reads) error { return end(fn(r)) })
	})
}

// Update implements auth.Store.
func (f *FaultyStore) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return f.run(ctx, func(ctx context.Context, end func(error) error) error {
		return f.Store.Update(ctx, func(tx auth.Tx) error { return end(fn(tx)) })
	})
}

// Write implements auth.Store.
func (f *FaultyStore) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return f.run(ctx, func(ctx context.Context, end func(error) error) error {
		return f.Store.Write(ctx, func(w auth.Writes) error { return end(fn(w)) })
	})
}

// WriteUnsynced implements auth.Store.
func (f *FaultyStore) WriteUnsynced(ctx context.Context, fn func(auth.Writes) error) error {
	return f.run(ctx, func(ctx context.Context, end func(error) error) error {
		return f.Store.WriteUnsynced(ctx, func(w auth.Writes) error { return end(fn(w)) })
	})
}
