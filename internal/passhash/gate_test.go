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
func testGate(slots, room, queue int) *gate {
	return newGate(slots, room, queue, 5*time.Second, 1024)
}

// known is a pace that has been seen for long.
func known(g *gate, each time.Duration) pace {
	p := pace{window: g.wait / 2}
	for range 1000 {
		p.add(time.Time{}.Add(time.Hour), each)
	}
	return p
}

func mustEnter(t *testing.T, g *gate) {
	t.Helper()
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustTake(t *testing.T, g *gate) *slot {
	t.Helper()
	s, err := g.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit waits to be let in, calls f and leaves. It is for goroutines.
func visit(t *testing.T, g *gate, f func()) {
	if err := g.enter(t.Context()); err != nil {
		t.Error(err)
		return
	}
	defer g.leave()
	f()
}

// occupy waits for a slot, calls f with it and gives it back. It is for goroutines.
func occupy(t *testing.T, g *gate, f func()) {
	s, err := g.take(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	f()
	g.give(s)
}

// wantLoad checks the gauges when nothing moves any more.
func wantLoad(t *testing.T, g *gate, running, inside, queued int) {
	t.Helper()
	synctest.Wait()
	l := g.load()
	if l.running != running || l.inside != inside || l.queued != queued {
		t.Errorf("got %d running, %d inside and %d queued, want %d, %d and %d", l.running, l.inside, l.queued, running, inside, queued)
	}
}

func wantBusy(t *testing.T, err error, after time.Duration) {
	t.Helper()
	var busy *BusyError
	if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) || busy.RetryAfter != after {
		t.Errorf("got error %#v, want a BusyError for %v", err, after)
	}
}

func TestDoorLetsInInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10)
		mustEnter(t, g)
		var got []int
		for i := range 10 {
			go visit(t, g, func() { got = append(got, i) })
			wantLoad(t, g, 0, 1, i+1)
		}
		g.leave()
		wantLoad(t, g, 0, 0, 0)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("got order %v, want %v", got, want)
		}
	})
}

func TestSlotsAreHandedOnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 10, 10)
		first := mustTake(t, g)
		var got []int
		for i := range 5 {
			go occupy(t, g, func() { got = append(got, i) })
			synctest.Wait()
		}
		g.give(first)
		wantLoad(t, g, 0, 0, 0)
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
			t.Errorf("got order %v, want %v", got, want)
		}
	})
}

func TestGateNeverRunsMoreThanItsSlots(t *testing.T) { // A-145 B-56
	synctest.Test(t, func(t *testing.T) {
		const slots, room = 3, 7
		g := testGate(slots, room, 1000)
		var mu sync.Mutex
		var inside, hashing, mostInside, mostHashing int
		count := func(n, most *int, add int) {
			mu.Lock()
			defer mu.Unlock()
			*n += add
			*most = max(*most, *n)
		}
		for range 200 {
			go visit(t, g, func() {
				count(&inside, &mostInside, 1)
				time.Sleep(time.Millisecond) // of the bubble's clock: at a database
				occupy(t, g, func() {
					count(&hashing, &mostHashing, 1)
					time.Sleep(time.Millisecond)
					count(&hashing, &mostHashing, -1)
				})
				count(&inside, &mostInside, -1)
			})
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0, 0)
		if mostHashing != slots || mostInside != room {
			t.Errorf("got at most %d hashing and %d inside, want %d and %d", mostHashing, mostInside, slots, room)
		}
	})
}

func TestDoorRefusesWhenTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 2, 1)
		mustEnter(t, g)
		mustEnter(t, g)
		go visit(t, g, func() {})
		wantLoad(t, g, 0, 2, 1)
		wantBusy(t, g.enter(t.Context()), time.Second)
		if l := g.load(); l.refused != 1 {
			t.Errorf("got %d refused, want 1", l.refused)
		}
		g.leave()
		g.leave()
		wantLoad(t, g, 0, 0, 0)
	})
}

// TestDoorRefusesWhoWouldWaitTooLong: at once, with the queue far from full (C-20, C-21).
func TestDoorRefusesWhoWouldWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 4, 100)
		g.holds = known(g, time.Second) // so with two slots eight callers are as much as the wait allows
		for range 4 {
			mustEnter(t, g)
		}
		for range 4 {
			go visit(t, g, func() {})
		}
		wantLoad(t, g, 0, 4, 4)
		begin := time.Now()
		wantBusy(t, g.enter(t.Context()), 5*time.Second)
		if took := time.Since(begin); took != 0 {
			t.Errorf("refused after %v", took)
		}
		for range 4 {
			g.leave()
		}
		wantLoad(t, g, 0, 0, 0)
		mustEnter(t, g) // there is room again
	})
}

// TestDoorLearnsHowFastCallersLeave: hashes take next to nothing, and what keeps callers inside is something else (C-19).
func TestDoorLearnsHowFastCallersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room, each = 10, 100 * time.Millisecond // ten leave in the time of one
		g := testGate(2, room, 10000)
		var mu sync.Mutex
		var slowest time.Duration
		offer := func(lasting time.Duration, every time.Duration) (refused int) {
			for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(every) {
				go func() {
					begin := time.Now()
					if g.enter(t.Context()) != nil {
						mu.Lock()
						defer mu.Unlock()
						refused++
						return
					}
					time.Sleep(each)
					g.leave()
					mu.Lock()
					defer mu.Unlock()
					slowest = max(slowest, time.Since(begin))
				}()
			}
			time.Sleep(10 * time.Second)
			wantLoad(t, g, 0, 0, 0)
			return refused
		}
		if refused := offer(10*time.Second, 11*time.Millisecond); refused > 0 {
			t.Errorf("below the capacity %d were refused", refused)
		}
		// Of 10,000 the capacity are 2,000, and the queue 400.
		if refused := offer(20*time.Second, 2*time.Millisecond); refused < 6000 {
			t.Errorf("at five times the capacity %d were refused", refused)
		}
		if slowest > g.wait {
			t.Errorf("somebody was done after %v", slowest)
		}
		if refused := offer(10*time.Second, 11*time.Millisecond); refused > 0 {
			t.Errorf("below the capacity, after the overload, %d were refused", refused)
		}
	})
}

// TestDoorShutsWhenNobodyLeaves: whoever comes later is refused at once, not after a wait, and all is well when it moves again (C-18, C-19).
func TestDoorShutsWhenNobodyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 3, 1000)
		moves := make(chan struct{})
		for range 3 {
			go visit(t, g, func() { <-moves })
		}
		synctest.Wait()
		for range 5 {
			go func() { // lets in nobody before it gives up
				if err := g.enter(t.Context()); err == nil {
					t.Error("got in")
				}
			}()
		}
		time.Sleep(g.wait - 1)
		wantLoad(t, g, 0, 3, 5)
		begin := time.Now()
		wantBusy(t, g.enter(t.Context()), 5*time.Second)
		if took := time.Since(begin); took != 0 {
			t.Errorf("refused after %v", took)
		}
		time.Sleep(time.Minute)
		wantBusy(t, g.enter(t.Context()), time.Minute)
		close(moves)
		wantLoad(t, g, 0, 0, 0)
		for range 100 {
			visit(t, g, func() { time.Sleep(time.Millisecond) })
		}
		for range 10 {
			go visit(t, g, func() { time.Sleep(time.Millisecond) })
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0, 0)
	})
}

func TestDoorRefusesAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10)
		mustEnter(t, g)
		begin := time.Now()
		if err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("got error %v, want ErrBusy", err)
		}
		if got, want := time.Since(begin), 5*time.Second; got != want {
			t.Errorf("got refused after %v, want %v", got, want)
		}
		wantLoad(t, g, 0, 1, 0)
		g.leave()
		wantLoad(t, g, 0, 0, 0)
		mustEnter(t, g) // the one who gave up took nothing along
	})
}

func TestGateSaysWhenToRetry(t *testing.T) {
	for _, test := range []struct {
		pace, interval time.Duration
		waiting        int
		want           time.Duration
	}{
		{0, 0, 0, time.Second},
		{100 * time.Millisecond, 0, 3, time.Second},
		{100 * time.Millisecond, 0, 24, 2 * time.Second},
		{100 * time.Millisecond, 200 * time.Millisecond, 24, 5 * time.Second},
		{time.Second, 0, 100, 51 * time.Second},
		{time.Second, 0, 1000, time.Minute},
	} {
		g := testGate(2, 1, 10)
		g.holds, g.leaves = known(g, test.pace), known(g, test.interval)
		for range test.waiting {
			g.door.places.PushBack(nil)
		}
		if got := g.busy().RetryAfter; got != test.want {
			t.Errorf("pace %v, interval %v, %d waiting: got %v, want %v", test.pace, test.interval, test.waiting, got, test.want)
		}
	}
}

func TestCancelledCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 2, 10)
		mustEnter(t, g)
		mustEnter(t, g)
		s := mustTake(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		var atDoor, atSlots error
		go func() { atDoor = g.enter(ctx) }()
		go func() { _, atSlots = g.take(ctx) }()
		wantLoad(t, g, 1, 2, 1)
		cancel()
		wantLoad(t, g, 1, 2, 0)
		_, late := g.take(ctx)
		for _, err := range []error{atDoor, atSlots, g.enter(ctx), late} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want context.Canceled", err)
			}
		}
		g.give(s)
		wantLoad(t, g, 0, 2, 0)
	})
}

func TestCancelledCallerKeepsItsSlot(t *testing.T) { // A-145 B-56
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 2, 10)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := g.take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		served := false
		go occupy(t, g, func() { served = true })
		cancel()
		if wantLoad(t, g, 1, 0, 0); served {
			t.Error("the slot was given to another")
		}
		g.give(s)
		if wantLoad(t, g, 0, 0, 0); !served {
			t.Error("the slot was not handed on")
		}
	})
}

// TestNothingIsLost makes callers give up at the moment at which they are served, at the door and at the slots, and step out and in again.
func TestNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, room = 2, 3
		g := testGate(slots, room, 1000)
		g.wait = time.Minute
		h := &Hasher{gate: g}
		for i := range 300 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
				defer cancel()
				v, err := h.Enter(ctx)
				if err != nil {
					return
				}
				defer v.Leave()
				if i%3 == 0 && v.Outside(ctx, func() error { time.Sleep(time.Millisecond); return nil }) != nil {
					return
				}
				if s, err := g.take(ctx); err == nil {
					time.Sleep(time.Millisecond)
					g.give(s)
				}
			}()
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0, 0)
		for range room {
			mustEnter(t, g)
		}
		for range slots {
			mustTake(t, g)
		}
	})
}

// TestVisitMakesRoomOutside: who waits for others lets one of them in, and comes back before those who came to the door meanwhile.
func TestVisitMakesRoomOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10)
		h := &Hasher{gate: g}
		v, err := h.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		settled := make(chan struct{})
		go func() {
			err := v.Outside(t.Context(), func() error { <-settled; return nil })
			order = append(order, "back")
			if err != nil {
				t.Error(err)
			}
			v.Leave()
		}()
		synctest.Wait()
		go visit(t, g, func() {
			close(settled)
			time.Sleep(time.Millisecond)
			order = append(order, "first")
		})
		synctest.Wait()
		go visit(t, g, func() { order = append(order, "second") })
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0, 0)
		if want := []string{"first", "back", "second"}; !slices.Equal(order, want) {
			t.Errorf("got order %v, want %v", order, want)
		}

		if v, err = h.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone := errors.New("gone")
		if err := v.Outside(t.Context(), func() error { return gone }); !errors.Is(err, gone) {
			t.Errorf("got error %v, want that of the wait", err)
		}
		v.Leave() // has no effect any more
		wantLoad(t, g, 0, 0, 0)
	})
}

func TestCloseRefusesAndFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 3, 10)
		h := &Hasher{gate: g}
		v, err := h.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			mustEnter(t, g)
		}
		a, b := mustTake(t, g), mustTake(t, g)
		a.memory(1)
		b.memory(1)
		g.give(a)
		c := mustTake(t, g)
		var atDoor, atSlots, outside error
		go func() { atDoor = g.enter(t.Context()) }()
		go func() { _, atSlots = g.take(t.Context()) }()
		wantLoad(t, g, 2, 3, 1)
		closed := make(chan struct{})
		go func() { outside = v.Outside(t.Context(), func() error { <-closed; return nil }) }()
		wantLoad(t, g, 2, 3, 0) // the one at the door is in
		go func() { atDoor = g.enter(t.Context()) }()
		wantLoad(t, g, 2, 3, 1)
		g.close()
		close(closed)
		wantLoad(t, g, 2, 3, 0)
		_, late := g.take(t.Context())
		for _, err := range []error{atDoor, atSlots, outside, g.enter(t.Context()), late} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("got error %v, want ErrClosed", err)
			}
		}
		g.give(b)
		g.give(c)
		for range 3 {
			g.leave()
		}
		wantLoad(t, g, 0, 0, 0)
		if a.arena != nil || b.arena != nil {
			t.Error("got memory kept after close")
		}
	})
}
