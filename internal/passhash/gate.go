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

// A BusyError says that a caller was not let in: too many were waiting, or it
// waited for too long.
type BusyError struct {
	// RetryAfter is when to try again: whole seconds between 1 s and 60 s. It
	// is not the same for all, who are to come back spread over the time that
	// they need.
	RetryAfter time.Duration
}

func (e *BusyError) Error() string { return ErrBusy.Error() }

func (e *BusyError) Unwrap() error { return ErrBusy }

// A gate has a door, behind which there is room for some callers at a time, and
// behind that the slots. Both are had in the order in which callers came.
//
// Callers wait outside, where they hold nothing that others need. Those inside
// may have other work than to hash, before and after it; there are more of them
// than slots, so that the slots need not stand empty meanwhile. Whatever they
// are slowed down by, they leave more slowly, and so fewer are let in.
type gate struct {
	room  int
	slots int
	queue int
	wait  time.Duration

	mu       sync.Mutex
	inside   int
	door     line[struct{}] // empty if there is room
	free     []*slot        // the last one is the last used, so the others can go idle
	waiters  line[*slot]    // of those inside; empty if any slot is free
	running  int
	refused  uint64
	pace     time.Duration // moving average of how long slots are held
	interval time.Duration // moving average of the times between departures while there is no room
	still    time.Time     // since when there has been no room and no departure; zero: there is room
	returns  *diary        // of those who were turned away
	closed   bool
}

func newGate(slots, room, queue int, wait time.Duration, words int) *gate {
	g := &gate{room: room, queue: queue, wait: wait, slots: slots, returns: newDiary(wait)}
	for range slots {
		g.free = append(g.free, &slot{size: words})
	}
	return g
}

// A line is of callers who wait for a T.
type line[T any] struct{ turns list.List } // of chan T with room for one

func (l *line[T]) len() int { return l.turns.Len() }

// serve hands v to the first in line.
func (l *line[T]) serve(v T) { l.turns.Remove(l.turns.Front()).(chan T) <- v }

// dismiss tells all that there is nothing to wait for any more.
func (l *line[T]) dismiss() {
	for l.len() > 0 {
		close(l.turns.Remove(l.turns.Front()).(chan T))
	}
}

// await waits for the turn of the caller, who holds mu before and after. The
// error is ErrClosed, that of ctx, or errLate when late comes first.
func (l *line[T]) await(ctx context.Context, mu *sync.Mutex, first bool, late <-chan time.Time) (T, error) {
	turn := make(chan T, 1)
	place := l.turns.PushBack(turn)
	if first {
		l.turns.MoveToFront(place)
	}
	mu.Unlock()
	var err error
	select {
	case v, served := <-turn:
		mu.Lock()
		return v, closedUnless(served)
	case <-ctx.Done():
		err = ctx.Err()
	case <-late:
		err = errLate
	}
	mu.Lock()
	l.turns.Remove(place)
	select {
	case v, served := <-turn: // while we gave up
		return v, closedUnless(served)
	default:
		var none T
		return none, err
	}
}

var errLate = errors.New("waited for too long")

func closedUnless(served bool) error {
	if served {
		return nil
	}
	return ErrClosed
}

// enter lets a caller in, who has to leave.
func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.admit(ctx)
	if err == nil && !g.comeIn() {
		late := time.NewTimer(g.wait)
		defer late.Stop()
		if _, err = g.door.await(ctx, &g.mu, false, late.C); errors.Is(err, errLate) {
			err = g.busy()
		}
	}
	if err != nil {
		g.refused++
	}
	return err
}

// admit says why a caller may not even wait.
func (g *gate) admit(ctx context.Context) error {
	switch {
	case g.closed:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case g.inside < g.room:
		return nil
	case g.door.len() >= g.queue || g.ahead() > g.wait*4/5: // the rest is for what the estimate misses
		return g.busy()
	}
	return nil
}

// comeIn takes the room of one, if there is some.
func (g *gate) comeIn() bool {
	if g.inside >= g.room {
		return false
	}
	if g.inside++; g.inside == g.room {
		g.still = time.Now()
	}
	return true
}

// ahead estimates when the next to come would have left. A standstill is
// expected to last as long again.
func (g *gate) ahead() time.Duration {
	all := time.Duration(g.inside+g.door.len()+1) * g.each()
	if !g.still.IsZero() {
		all += time.Since(g.still)
	}
	return all
}

// each estimates how often a caller leaves; 0: it cannot be told yet.
func (g *gate) each() time.Duration { return max(g.interval, g.pace/time.Duration(g.slots)) }

// busy turns a caller away, and says when there will be room: not before those
// who wait now are gone, and when those who were told to come back make a queue
// that is well within the wait.
func (g *gate) busy() *BusyError {
	each := g.each()
	if each == 0 {
		each = 20 * time.Millisecond // about a hash
	}
	return &BusyError{RetryAfter: g.returns.book(time.Now(), g.ahead(), each, g.wait/3, g.inside+g.door.len())}
}

// leave ends the stay of a caller, and measures how often that happens while
// others would like to come in.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.still.IsZero() {
		g.interval += (min(time.Since(g.still), g.wait) - g.interval) / 32 // during a longer one all were refused anyway
	}
	g.makeRoom()
}

func (g *gate) makeRoom() {
	if g.door.len() > 0 && !g.closed {
		g.still = time.Now()
		g.door.serve(struct{}{})
		return
	}
	g.inside--
	g.still = time.Time{}
}

// stepOut and stepIn are leave and enter of a caller who waits for something in
// between. They come back before those at the door, and are not refused.
func (g *gate) stepOut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom()
}

func (g *gate) stepIn(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if g.comeIn() {
		return nil
	}
	_, err := g.door.await(ctx, &g.mu, true, nil)
	return err
}

// take returns a slot to a caller who is inside, and hands it back with give.
func (g *gate) take(ctx context.Context) (*slot, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n := len(g.free) - 1; n >= 0 {
		s := g.free[n]
		g.free = g.free[:n]
		g.running++
		s.begin()
		return s, nil
	}
	return g.waiters.await(ctx, &g.mu, false, nil)
}

// give hands a slot to the next caller, or keeps it.
func (g *gate) give(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := time.Since(s.since)
	if g.pace == 0 {
		g.pace = took
	}
	g.pace += (took - g.pace) / 8
	switch {
	case g.closed:
		g.running--
		s.release()
	case g.waiters.len() > 0:
		s.begin()
		g.waiters.serve(s)
	default:
		g.running--
		g.free = append(g.free, s)
		s.rest(func() { g.expire(s) })
	}
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
	g.door.dismiss()
	g.waiters.dismiss()
}

// load is what a gate has to do at the moment.
type load struct {
	running, waiting int // for a slot
	inside, queued   int // at the door
	refused          uint64
}

func (g *gate) load() load {
	g.mu.Lock()
	defer g.mu.Unlock()
	return load{g.running, g.waiters.len(), g.inside, g.door.len(), g.refused}
}
