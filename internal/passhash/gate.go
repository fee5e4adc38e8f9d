package passhash

import (
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
// are slowed down by, they leave more slowly, and so fewer are let in. Who waits
// and will not be let in soon enough after all is told so when that is known.
type gate struct {
	room  int
	slots int
	queue int
	wait  time.Duration

	mu      sync.Mutex
	inside  int
	door    line[struct{}] // empty if there is room
	free    []*slot        // the last one is the last used, so the others can go idle
	waiters line[*slot]    // of those inside; empty if any slot is free
	running int
	refused uint64
	holds   pace      // of the slots
	usual   pace      // of the slots, over some ten seconds
	leaves  pace      // of departures while others wait at the door
	still   time.Time // since when there has been no room and no departure; zero: there is room
	served  time.Time // when the last departure let somebody in from the door; zero: it did not
	returns *diary    // of those who were turned away
	closed  bool
}

func newGate(slots, room, queue int, wait time.Duration, words int) *gate {
	g := &gate{room: room, queue: queue, wait: wait, slots: slots, returns: newDiary(wait)}
	g.holds.window, g.usual.window, g.leaves.window = wait/2, 10*time.Second, wait/2
	for range slots {
		g.free = append(g.free, &slot{size: words})
	}
	return g
}

// enter lets a caller in, who has to leave.
func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.admit(ctx)
	if err == nil && !g.comeIn() {
		if _, err = g.door.await(ctx, &g.mu, false, g.wait); errors.Is(err, errLate) {
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

// each estimates the time from one departure to the next while there is no
// room; zero: it cannot be said yet. Slots bound it from below.
func (g *gate) each() time.Duration {
	return max(g.leaves.each(), g.holds.guess()/time.Duration(g.slots))
}

// busy turns a caller away, and says when there will be room: not before those
// who wait now are gone, and when those who were told to come back make a queue
// that is well within the wait.
func (g *gate) busy() *BusyError {
	each := g.spread()
	if each == 0 {
		each = 20 * time.Millisecond // about a hash
	}
	return &BusyError{RetryAfter: g.returns.book(time.Now(), g.ahead(), each, g.wait/3, g.inside+g.door.len())}
}

// spread is each for those who come back. A crowd that comes within a second
// slows down itself what it comes for: to turn somebody away takes a processor,
// too. So it is told what is usual, yet at most twice as many as now leave, for
// what else may have become slow stays so.
func (g *gate) spread() time.Duration {
	each, usual := g.each(), g.usual.each()/time.Duration(g.slots)
	if usual == 0 {
		return each
	}
	return min(each, max(usual, each/2))
}

// leave ends the stay of a caller, and measures how often that happens while
// others would like to come in.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.served.IsZero() {
		g.leaves.add(time.Now(), time.Since(g.served))
	}
	g.makeRoom()
	for each := g.leaves.each(); each > 0 && g.door.hopeless(time.Duration(g.inside+g.door.len())*each); {
		g.door.giveUp()
	}
}

func (g *gate) makeRoom() {
	if g.door.len() > 0 && !g.closed {
		g.still = time.Now()
		g.served = g.still
		g.door.serve(struct{}{})
		return
	}
	g.inside--
	g.still, g.served = time.Time{}, time.Time{}
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
	_, err := g.door.await(ctx, &g.mu, true, 0)
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
	return g.waiters.await(ctx, &g.mu, false, 0)
}

// give hands a slot to the next caller, or keeps it.
func (g *gate) give(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := time.Since(s.since)
	g.holds.add(time.Now(), took)
	g.usual.add(time.Now(), took)
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
