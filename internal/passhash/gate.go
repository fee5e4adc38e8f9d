package passhash

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrBusy is what a [*BusyError] wraps.
var ErrBusy = errors.New("too many passwords are being hashed")

// ErrClosed is the error of a [Hasher] after Close.
var ErrClosed = errors.New("password hashing is closed")

// A BusyError says that a call got no slot: too many were waiting, or it waited
// for too long.
type BusyError struct {
	// RetryAfter is when it may be worth to try again: whole seconds, the
	// time that the callers now waiting need, between 1 s and 60 s.
	RetryAfter time.Duration
}

func (e *BusyError) Error() string { return ErrBusy.Error() }

func (e *BusyError) Unwrap() error { return ErrBusy }

// idleFor is how long a slot keeps its memory without being used.
const idleFor = 30 * time.Second

// A gate hands out slots, to callers in the order in which they came.
type gate struct {
	queue int
	wait  time.Duration
	slots int

	mu      sync.Mutex
	free    []*slot   // the last one is the last used, so the others can go idle
	waiters list.List // of chan *slot with room for one; empty if any slot is free
	running int
	refused uint64
	pace    time.Duration // moving average of how long slots are held
	closed  bool
}

// A slot is the right to run a hash, and the memory to do it.
type slot struct {
	size  int // of the memory, in words
	arena *arena
	since time.Time   // when it was last taken
	idle  *time.Timer // frees the memory of the slot when it stays free
}

func newGate(slots, queue int, wait time.Duration, words int) *gate {
	g := &gate{queue: queue, wait: wait, slots: slots}
	for range slots {
		g.free = append(g.free, &slot{size: words})
	}
	return g
}

// enter returns a slot, which the caller hands back with leave.
func (g *gate) enter(ctx context.Context) (*slot, error) {
	g.mu.Lock()
	if err := g.admit(ctx); err != nil {
		g.refused++
		g.mu.Unlock()
		return nil, err
	}
	if n := len(g.free) - 1; n >= 0 {
		s := g.free[n]
		g.free = g.free[:n]
		g.take(s)
		g.mu.Unlock()
		return s, nil
	}
	served := make(chan *slot, 1)
	place := g.waiters.PushBack(served)
	g.mu.Unlock()

	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	var err error
	select {
	case s := <-served:
		if s != nil {
			return s, nil
		}
		err = ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiters.Remove(place)
	select {
	case s := <-served: // while we gave up
		if s != nil && err == nil {
			return s, nil
		}
		if s != nil {
			g.pass(s)
		}
	default:
	}
	if err == nil {
		err = g.busy()
	}
	g.refused++
	return nil, err
}

// full says why a caller would be refused now.
func (g *gate) full(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.admit(ctx)
	if err != nil {
		g.refused++
	}
	return err
}

// admit says why a caller may not even wait.
func (g *gate) admit(ctx context.Context) error {
	if g.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(g.free) == 0 && (g.waiters.Len() >= g.queue || g.ahead() > g.wait*4/5) { // the rest is for what the estimate misses
		return g.busy()
	}
	return nil
}

// ahead estimates how long the next to come would wait.
func (g *gate) ahead() time.Duration { return time.Duration(g.waiters.Len()/g.slots+1) * g.pace }

func (g *gate) busy() *BusyError {
	after := (g.ahead() + time.Second - 1).Truncate(time.Second)
	return &BusyError{RetryAfter: min(max(after, time.Second), time.Minute)}
}

// leave hands a slot to the next caller, or keeps it.
func (g *gate) leave(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace += (time.Since(s.since) - g.pace) / 8
	g.pass(s)
}

func (g *gate) pass(s *slot) {
	g.running--
	if g.closed {
		s.release()
		return
	}
	if g.waiters.Len() > 0 {
		g.take(s)
		g.next() <- s
		return
	}
	g.free = append(g.free, s)
	if s.idle == nil {
		s.idle = time.AfterFunc(idleFor, func() { g.expire(s) })
	} else {
		s.idle.Reset(idleFor)
	}
}

// next removes the first waiter.
func (g *gate) next() chan *slot {
	return g.waiters.Remove(g.waiters.Front()).(chan *slot)
}

// expire frees the memory of s if it is not in use.
func (g *gate) expire(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.free {
		if f == s {
			s.release()
		}
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, s := range g.free {
		s.release()
	}
	g.free = nil
	for g.waiters.Len() > 0 {
		close(g.next())
	}
}

func (g *gate) load() (running, waiting int, refused uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running, g.waiters.Len(), g.refused
}

func (g *gate) take(s *slot) {
	g.running++
	s.since = time.Now()
	if s.idle != nil {
		s.idle.Stop()
	}
}

// memory returns the first n words of the slot's memory, or nothing if n is 0.
// It is taken from the system at its first use.
func (s *slot) memory(n int) ([]uint64, error) {
	if n == 0 {
		return nil, nil
	}
	if s.arena == nil {
		a, err := newArena(s.size)
		if err != nil {
			return nil, err
		}
		s.arena = a
	}
	return s.arena.words[:n], nil
}

func (s *slot) release() {
	if s.idle != nil {
		s.idle.Stop()
	}
	if s.arena != nil {
		s.arena.free()
		s.arena = nil
	}
}
