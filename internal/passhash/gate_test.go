package passhash

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testGate returns a gate whose slots have a little memory.
func testGate(slots, queue int) *gate {
	return newGate(slots, queue, 5*time.Second, 1024)
}

func mustEnter(t *testing.T, g *gate) *slot {
	t.Helper()
	s, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit waits for a slot, calls f with it and leaves. It is for goroutines.
func visit(t *testing.T, g *gate, f func()) {
	s, err := g.enter(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	f()
	g.leave(s)
}

// wantLoad checks the gauges when nothing moves any more.
func wantLoad(t *testing.T, g *gate, running, waiting int) {
	t.Helper()
	synctest.Wait()
	if r, w, _ := g.load(); r != running || w != waiting {
		t.Errorf("got %d running and %d waiting, want %d and %d", r, w, running, waiting)
	}
}

func TestGateServesInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 10)
		first := mustEnter(t, g)
		var got []int
		for i := range 10 {
			go visit(t, g, func() { got = append(got, i) })
			wantLoad(t, g, 1, i+1)
		}
		g.leave(first)
		wantLoad(t, g, 0, 0)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("got order %v, want %v", got, want)
		}
	})
}

func TestGateNeverRunsMoreThanItsSlots(t *testing.T) { // A-145 B-56
	synctest.Test(t, func(t *testing.T) {
		const slots = 3
		g := testGate(slots, 1000)
		var mu sync.Mutex
		var inside, most int
		for range 200 {
			go visit(t, g, func() {
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				time.Sleep(time.Millisecond) // of the bubble's clock
				mu.Lock()
				inside--
				mu.Unlock()
			})
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0)
		if most != slots {
			t.Errorf("got at most %d at a time, want %d", most, slots)
		}
	})
}

func TestGateRefusesWhenTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 1)
		a, b := mustEnter(t, g), mustEnter(t, g)
		go visit(t, g, func() {})
		wantLoad(t, g, 2, 1)
		_, err := g.enter(t.Context())
		var busy *BusyError
		if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) {
			t.Errorf("got error %v, want a BusyError", err)
		} else if busy.RetryAfter != time.Second {
			t.Errorf("got retry after %v, want 1s", busy.RetryAfter)
		}
		if _, _, refused := g.load(); refused != 1 {
			t.Errorf("got %d refused, want 1", refused)
		}
		g.leave(a)
		g.leave(b)
		wantLoad(t, g, 0, 0)
	})
}

// TestGateRefusesWhoWouldWaitTooLong: at once, with the queue far from full (C-20, C-21).
func TestGateRefusesWhoWouldWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 100)
		g.pace = time.Second // so four turns, of two callers each, are as much as the wait allows
		a, b := mustEnter(t, g), mustEnter(t, g)
		for range 8 {
			go visit(t, g, func() {})
		}
		wantLoad(t, g, 2, 8)
		begin := time.Now()
		for _, ask := range []func() error{
			func() error { return g.full(t.Context()) },
			func() error { _, err := g.enter(t.Context()); return err },
		} {
			var busy *BusyError
			if err := ask(); !errors.As(err, &busy) || busy.RetryAfter != 5*time.Second {
				t.Errorf("got error %v, want a BusyError for 5s", err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("refused after %v", took)
		}
		g.leave(a)
		g.leave(b)
		wantLoad(t, g, 0, 0)
		if err := g.full(t.Context()); err != nil {
			t.Errorf("with slots free: got %v", err)
		}
	})
}

func TestGateRefusesAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 10)
		s := mustEnter(t, g)
		begin := time.Now()
		if _, err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("got error %v, want ErrBusy", err)
		}
		if got, want := time.Since(begin), 5*time.Second; got != want {
			t.Errorf("got refused after %v, want %v", got, want)
		}
		wantLoad(t, g, 1, 0)
		g.leave(s)
		wantLoad(t, g, 0, 0)
		g.leave(mustEnter(t, g)) // the one who gave up took nothing along
	})
}

func TestGateSaysWhenToRetry(t *testing.T) {
	for _, test := range []struct {
		pace    time.Duration
		waiting int
		want    time.Duration
	}{
		{0, 0, time.Second},
		{100 * time.Millisecond, 3, time.Second},
		{100 * time.Millisecond, 24, 2 * time.Second},
		{time.Second, 100, 51 * time.Second},
		{time.Second, 1000, time.Minute},
	} {
		g := testGate(2, 10)
		g.pace = test.pace
		for range test.waiting {
			g.waiters.PushBack(nil)
		}
		if got := g.busy().RetryAfter; got != test.want {
			t.Errorf("pace %v, %d waiting: got %v, want %v", test.pace, test.waiting, got, test.want)
		}
	}
}

func TestCancelledCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 10)
		s := mustEnter(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		go func() { _, err = g.enter(ctx) }()
		wantLoad(t, g, 1, 1)
		cancel()
		wantLoad(t, g, 1, 0)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want context.Canceled", err)
		}
		if _, err := g.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: got error %v, want context.Canceled", err)
		}
		g.leave(s)
	})
}

func TestCancelledCallerKeepsItsSlot(t *testing.T) { // A-145 B-56
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 10)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := g.enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go visit(t, g, func() {})
		cancel()
		wantLoad(t, g, 1, 1)
		g.leave(s)
		wantLoad(t, g, 0, 0)
	})
}

// TestNoSlotIsLost makes callers give up at the moment at which they are served.
func TestNoSlotIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 2
		g := testGate(slots, 1000)
		for i := range 300 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
				defer cancel()
				if s, err := g.enter(ctx); err == nil {
					time.Sleep(time.Millisecond)
					g.leave(s)
				}
			}()
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0)
		for range slots {
			mustEnter(t, g)
		}
	})
}

func TestIdleSlotGivesItsMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 10)
		a, b := mustEnter(t, g), mustEnter(t, g)
		for _, s := range []*slot{a, b} {
			if s.arena != nil {
				t.Error("got memory before its first use")
			}
			if mem, err := s.memory(1000); err != nil || len(mem) != 1000 {
				t.Errorf("got %d words, error %v", len(mem), err)
			}
		}
		g.leave(a)
		time.Sleep(idleFor - 1)
		if got := mustEnter(t, g); got != a {
			t.Error("got a new slot, want the one used before")
		}
		time.Sleep(2 * idleFor)
		if a.arena == nil {
			t.Error("a slot in use lost its memory")
		}
		g.leave(a)
		g.leave(b)
		time.Sleep(idleFor + 1)
		synctest.Wait()
		if a.arena != nil || b.arena != nil {
			t.Error("got memory kept by idle slots")
		}
		if _, err := mustEnter(t, g).memory(1024); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseRefusesAndFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 10)
		a, b := mustEnter(t, g), mustEnter(t, g)
		a.memory(1)
		b.memory(1)
		g.leave(a)
		c := mustEnter(t, g)
		var err error
		go func() { _, err = g.enter(t.Context()) }()
		wantLoad(t, g, 2, 1)
		g.close()
		wantLoad(t, g, 2, 0)
		if !errors.Is(err, ErrClosed) {
			t.Errorf("waiting: got error %v, want ErrClosed", err)
		}
		if _, err := g.enter(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after: got error %v, want ErrClosed", err)
		}
		g.leave(b)
		g.leave(c)
		wantLoad(t, g, 0, 0)
		if a.arena != nil || b.arena != nil {
			t.Error("got memory kept after close")
		}
	})
}
