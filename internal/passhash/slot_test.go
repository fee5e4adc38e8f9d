package passhash

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleSlotGivesItsMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(2, 10, 10)
		a, b := mustTake(t, g), mustTake(t, g)
		for _, s := range []*slot{a, b} {
			if s.arena != nil {
				t.Error("got memory before its first use")
			}
			if mem, err := s.memory(1000); err != nil || len(mem) != 1000 {
				t.Errorf("got %d words, error %v", len(mem), err)
			}
		}
		g.give(a)
		time.Sleep(idleFor - 1)
		if got := mustTake(t, g); got != a {
			t.Error("got a new slot, want the one used before")
		}
		time.Sleep(2 * idleFor)
		if a.arena == nil {
			t.Error("a slot in use lost its memory")
		}
		g.give(a)
		g.give(b)
		time.Sleep(idleFor + 1)
		synctest.Wait()
		if a.arena != nil || b.arena != nil {
			t.Error("got memory kept by idle slots")
		}
		if _, err := mustTake(t, g).memory(1024); err != nil {
			t.Error(err)
		}
	})
}
