package passhash

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// herd has n callers come at once to a door that lets one out every 12.5 ms,
// at moments that the given function spreads them over, and come back when told
// to until each has been let in. While they come first, a hash takes slow times
// as long as in the twenty seconds before. It returns when each got in, and how
// often each came.
func herd(t *testing.T, n int, slow float64, moment func(i int) time.Duration) (in []time.Duration, came []int) {
	t.Helper()
	const slots, each = 2, 12500 * time.Microsecond
	g := newGate(slots, slots+16, 1024, 450*time.Millisecond, 1024)
	for calm := time.Now(); slow > 1 && time.Since(calm) < 20*time.Second; {
		s, err := g.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(slots * each)
		g.give(s)
	}
	begin := time.Now()
	in, came = make([]time.Duration, n), make([]int, n)
	for i := range n {
		go func() {
			for time.Sleep(moment(i)); ; {
				came[i]++
				err := g.enter(t.Context())
				if err == nil {
					break
				}
				time.Sleep(err.(*BusyError).RetryAfter)
			}
			if s, err := g.take(t.Context()); err == nil {
				took := time.Duration(slots * each)
				if time.Since(begin) < moment(n) {
					took = time.Duration(float64(took) * slow)
				}
				time.Sleep(took)
				g.give(s)
			}
			g.leave()
			in[i] = time.Since(begin)
		}()
	}
	time.Sleep(time.Hour)
	wantLoad(t, g, 0, 0, 0)
	return in, came
}

// TestHerdComesBackInTheTimeItNeeds: the door has work nearly all the time until
// everybody is in, and nobody comes often. Callers who come in one part of a
// second can come back in that part only, and leave the rest of it unused (C-21).
func TestHerdComesBackInTheTimeItNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		users   int
		over    time.Duration // of the first time that they come
		slow    float64
		busy    float64 // least share of the time in which the door has work
		average float64 // most visits of a user
		most    int
	}{
		"two thousand in half a second":            {2000, 500 * time.Millisecond, 1, 0.50, 2.1, 4},
		"four thousand in a second":                {4000, time.Second, 1, 0.80, 2.1, 4},
		"two thousand in a second, slowed by that": {2000, time.Second, 2.3, 0.60, 2.5, 5},
		"six thousand in ten seconds":              {6000, 10 * time.Second, 1, 0.90, 2.2, 8},
		"twelve thousand, more than a minute":      {12000, time.Second, 1, 0.90, 3, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, came := herd(t, test.users, test.slow, func(i int) time.Duration { return test.over * time.Duration(i) / time.Duration(test.users) })
				busy, visits := float64(test.users)*(12500*time.Microsecond).Seconds()/slices.Max(in).Seconds(), 0
				for _, n := range came {
					visits += n
				}
				if busy < test.busy {
					t.Errorf("all were in after %v, with work in %.2f of it, want %.2f", slices.Max(in), busy, test.busy)
				}
				if average := float64(visits) / float64(test.users); average > test.average || slices.Max(came) > test.most {
					t.Errorf("they came %.2f times, at most %d, want %.2f and %d", average, slices.Max(came), test.average, test.most)
				}
			})
		})
	}
}

// TestDiaryGivesOutNoMomentTwice: as many are told the same second as leave in a part of it, beside the queue; those after them the
// next, none more than a minute, and nobody sooner than asked for (C-21).
func TestDiaryGivesOutNoMomentTwice(t *testing.T) {
	const each, wait = 20 * time.Millisecond, 100 * time.Millisecond
	d := newDiary(400 * time.Millisecond) // ten parts a second, in which five leave
	now := time.Now()
	told := func() (after time.Duration) { return d.book(now, 2500*time.Millisecond, each, wait, 0) }
	for _, want := range []time.Duration{3, 4, 5} {
		for n := range 10 { // five that leave, and a queue of five
			if got := told(); got != want*time.Second {
				t.Errorf("second %d, caller %d: got %v", want, n, got)
			}
		}
	}
	now = now.Add(time.Second)
	if got := told(); got != 5*time.Second { // what was the sixth second
		t.Errorf("a second later: got %v, want 5s", got)
	}
	now = now.Add(100 * time.Millisecond) // another part, in which five leave after a queue of five
	for range 5 {
		if got := told(); got != 3*time.Second {
			t.Errorf("a part later: got %v, want 3s", got)
		}
	}
	full := map[time.Duration]int{}
	for range 10*60 + 58 {
		full[told()]++
	}
	for s := 3; s <= 60; s++ {
		if full[time.Duration(s)*time.Second] == 0 {
			t.Errorf("nobody was told %d s", s)
		}
	}
	if len(full) != 58 {
		t.Errorf("got %v", full)
	}
	now = now.Add(-time.Hour) // and any other time finds the diary empty
	if got := told(); got != 3*time.Second {
		t.Errorf("long after: got %v, want 3s", got)
	}
	if got := d.book(now, 2*time.Minute, each, wait, 0); got != time.Minute {
		t.Errorf("after two minutes: got %v, want 1m", got)
	}
}
