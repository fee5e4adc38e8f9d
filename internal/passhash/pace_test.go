package passhash

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// burst has n callers come at once, and counts what becomes of them when each stays for a while.
type burst struct {
	sync.Mutex
	in, refused int
	waited      time.Duration // the longest of those who were let in, until they left
	told        time.Duration // the longest of those who were refused
	late        int           // refused after half of the wait
}

func (b *burst) offer(t *testing.T, g *gate, n int, stays func(nth int) time.Duration) {
	begin := time.Now()
	for range n {
		go func() {
			err := g.enter(t.Context())
			b.Lock()
			defer b.Unlock()
			if err != nil {
				if b.refused++; time.Since(begin) > g.wait/2 {
					b.late++
				}
				b.told = max(b.told, time.Since(begin))
				return
			}
			b.in++
			nth := b.in
			b.Unlock()
			time.Sleep(stays(nth))
			g.leave()
			b.Lock()
			b.waited = max(b.waited, time.Since(begin))
		}()
	}
	time.Sleep(20 * time.Second)
	wantLoad(t, g, 0, 0, 0)
}

func (b *burst) want(t *testing.T, least, most int, told time.Duration) {
	t.Helper()
	if b.in < least || b.in > most || b.told > told || b.waited > 5*time.Second {
		t.Errorf("got %d in, done within %v, and %d told to come back within %v; want %d to %d in, told within %v",
			b.in, b.waited, b.refused, b.told, least, most, told)
	}
}

func steady(each time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return each }
}

// TestFirstBurst: right after a start nothing is known. Everybody may wait, and whom the wait would not help is told once it is known how fast
// callers leave (C-20).
func TestFirstBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10000)
		var b burst
		b.offer(t, g, 2000, steady(10*time.Millisecond))
		b.want(t, 480, 500, 1010*time.Millisecond)
	})
}

// TestHiccupTurnsNobodyAway: a standstill of a moment, at the end of a burst, is one departure of hundreds and not the pace of the next burst
// (C-20).
func TestHiccupTurnsNobodyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10000)
		var first, second burst
		first.offer(t, g, 600, func(nth int) time.Duration {
			if nth == 590 {
				return 500 * time.Millisecond
			}
			return 5 * time.Millisecond
		})
		first.want(t, 600, 600, 0)
		second.offer(t, g, 2000, steady(5*time.Millisecond))
		second.want(t, 600, 800, 0)
	})
}

// TestOneSlowHash is TestHiccupTurnsNobodyAway for the slots.
func TestOneSlowHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10000)
		for i := range 400 {
			occupy(t, g, func() {
				if i == 399 {
					time.Sleep(500 * time.Millisecond)
				}
				time.Sleep(5 * time.Millisecond)
			})
		}
		var b burst
		b.offer(t, g, 2000, steady(5*time.Millisecond))
		b.want(t, 500, 800, 0)
	})
}

// TestFirstHashOfAll: the first hash of a process is slow, and the door waits for no more than the second to know it (C-20).
func TestFirstHashOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10000)
		for _, takes := range []time.Duration{500 * time.Millisecond, 5 * time.Millisecond} {
			occupy(t, g, func() { time.Sleep(takes) })
		}
		var b burst
		b.offer(t, g, 2000, steady(5*time.Millisecond))
		b.want(t, 790, 800, 0)
	})
}

// TestSlowerThanThought: who was let wait on an estimate that does not hold is told before the wait is over; who need not wait so long, is not.
func TestSlowerThanThought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(1, 1, 10000)
		g.leaves = known(g, 5*time.Millisecond)
		var b burst
		b.offer(t, g, 2000, steady(20*time.Millisecond))
		b.want(t, 240, 250, 5*time.Second)
		if b.late > 100 { // of 550
			t.Errorf("%d were told to come back when they had waited for long", b.late)
		}
	})
}

// TestPaceSaysNothingTooSoon: neither from a few times nor from a moment.
func TestPaceSaysNothingTooSoon(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	few, moment := pace{window: 2500 * time.Millisecond}, pace{window: 2500 * time.Millisecond}
	for range fewest - 1 {
		few.add(at, time.Second)
	}
	for range 999 {
		moment.add(at, time.Millisecond)
	}
	if few.each() != 0 || moment.each() != 0 {
		t.Errorf("got %v of a few times and %v of a moment", few.each(), moment.each())
	}
	if few.guess() != time.Second || moment.guess() != time.Millisecond {
		t.Errorf("got a guess of %v and %v, want the least so far", few.guess(), moment.guess())
	}
	few.add(at, time.Hour) // a standstill counts no more than a second
	moment.add(at, time.Millisecond)
	if few.each() != time.Second || moment.each().Round(time.Microsecond) != time.Millisecond {
		t.Errorf("got %v and %v, want 1s and 1ms", few.each(), moment.each())
	}
}

// TestPaceAges: a rest of any length leaves what is known, at a weight that a second of anything else outweighs.
func TestPaceAges(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p := pace{window: 2500 * time.Millisecond}
	for range 1000 {
		p.add(at, 10*time.Millisecond)
	}
	at = at.Add(time.Hour)
	p.add(at, 500*time.Millisecond)
	if got := p.each(); got < 10*time.Millisecond || got > 20*time.Millisecond {
		t.Errorf("got %v after a rest and a hiccup, want little more than 10ms", got)
	}
	for range 1000 {
		at = at.Add(time.Millisecond)
		p.add(at, time.Millisecond)
	}
	if got := p.each(); got > 4*time.Millisecond {
		t.Errorf("got %v after a second of 1ms each", got)
	}
}

// TestOverloadInProduction: with the wait of production, at five times the capacity and with hashes that take now more and now less, the slots
// are never idle and whoever is let in is done soon (C-21).
func TestOverloadInProduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, each, lasting = 2, 10 * time.Millisecond, 20 * time.Second
		g := newGate(slots, slots+16, 1024, 450*time.Millisecond, 1024)
		rnd := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		var in, late, refused int
		var slowest time.Duration
		for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(time.Duration(rnd.ExpFloat64() * float64(time.Millisecond))) {
			takes := time.Duration((0.5 + rnd.Float64()) * float64(each))
			go func() {
				begin := time.Now()
				err := g.enter(t.Context())
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					if refused++; time.Since(begin) > 0 {
						late++
					}
					return
				}
				in++
				mu.Unlock()
				occupy(t, g, func() { time.Sleep(takes) })
				g.leave()
				mu.Lock()
				slowest = max(slowest, time.Since(begin))
			}()
		}
		time.Sleep(time.Second)
		wantLoad(t, g, 0, 0, 0)
		capacity := int(slots * lasting / each)
		if in < capacity*95/100 || slowest > 500*time.Millisecond || late > refused/20 {
			t.Errorf("got %d of %d let in, done within %v, and %d refused, %d of them after a wait", in, capacity, slowest, refused, late)
		}
	})
}
