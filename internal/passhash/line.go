package passhash

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// A line is of callers who wait for a T.
type line[T any] struct{ places list.List } // of *place[T]

// place is one caller's.
type place[T any] struct {
	turn chan turn[T] // has room for one
	ends time.Time    // the caller does not wait longer; zero: it does
}

// turn is how the wait of a caller ends.
type turn[T any] struct {
	given T
	err   error
}

var errLate = errors.New("waited for too long")

func (l *line[T]) len() int { return l.places.Len() }

// serve hands v to the first in line.
func (l *line[T]) serve(v T) { l.end(l.places.Front(), turn[T]{given: v}) }

// dismiss tells all that there is nothing to wait for any more.
func (l *line[T]) dismiss() {
	for l.len() > 0 {
		l.end(l.places.Front(), turn[T]{err: ErrClosed})
	}
}

// hopeless reports whether the last in line has not as long to wait as that.
func (l *line[T]) hopeless(wait time.Duration) bool {
	last := l.places.Back()
	if last == nil {
		return false
	}
	ends := last.Value.(*place[T]).ends
	return !ends.IsZero() && wait > time.Until(ends)
}

// giveUp tells the last in line that it has waited for too long, or will have.
func (l *line[T]) giveUp() { l.end(l.places.Back(), turn[T]{err: errLate}) }

func (l *line[T]) end(at *list.Element, t turn[T]) { l.places.Remove(at).(*place[T]).turn <- t }

// await waits for the turn of the caller, who holds mu before and after, for as
// long as its patience; zero: as long as it takes. The error is ErrClosed, that
// of ctx, or errLate.
func (l *line[T]) await(ctx context.Context, mu *sync.Mutex, first bool, patience time.Duration) (T, error) {
	p := &place[T]{turn: make(chan turn[T], 1)}
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		p.ends, late = time.Now().Add(patience), timer.C
	}
	at := l.places.PushBack(p)
	if first {
		l.places.MoveToFront(at)
	}
	mu.Unlock()
	var err error
	select {
	case t := <-p.turn:
		mu.Lock()
		return t.given, t.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-late:
		err = errLate
	}
	mu.Lock()
	l.places.Remove(at)
	select {
	case t := <-p.turn: // while we gave up
		return t.given, t.err
	default:
		var none T
		return none, err
	}
}
