package main

import (
	"context"
	"math"
	"strings"
	"testing"
)

// shortly is the pace of a small version: as few calls as renew every user. It is over before the servers have swept, which they do by the
// minute, so that nothing can be said of what grows.
func shortly() pace { return pace{work: 4, most: 30, night: 3, burst: 60, least: math.MaxInt} }

// turns is the progress of a run in which every fault comes so often; in the last turn, if there are more, the first server lives on.
func turns(faults, n int) func() float64 {
	done := 0
	return func() float64 {
		done++
		if done < faults || n > 1 && done < faults*n {
			return float64(done/faults) / float64(n)
		}
		return 1
	}
}

// smallRun has every fault happen.
func smallRun(t *testing.T, faults, n int, last func(*env, context.Context, pace, func() float64) (result, error)) {
	s, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	got, err := last(&env{site: s, seed: 1}, t.Context(), shortly(), turns(faults, n))
	if err != nil || got.broken != "" {
		t.Fatalf("%v\n%s", err, got.broken)
	}
	if got.runs != faults*n*usersOfServers || strings.Contains(got.note, " 0 users renewed") {
		t.Errorf("got %d runs, want %d faults under %d users: %s", got.runs, faults*n, usersOfServers, got.note)
	}
}

// TestLongRun is a small version of the long run (C-34).
func TestLongRun(t *testing.T) {
	smallRun(t, 5, 2, (*env).lastOnSQLite)
}

// TestEveryFaultHasItsTurn: none comes again before all others, and late in a run none ends the first server.
func TestEveryFaultHasItsTurn(t *testing.T) {
	t.Parallel()
	s := &site{dir: t.TempDir()}
	l, err := s.begin("unused", 2, 7)
	if err != nil {
		t.Fatal(err)
	}
	r := &longRun{lives: l}
	r.faults = append(r.ends(1), r.bursts(), r.pauses())
	for range 3 {
		seen := map[string]int{}
		for range r.faults {
			seen[r.draw(false).name]++
		}
		if len(seen) != len(r.faults) {
			t.Errorf("of %d faults %v came", len(r.faults), seen)
		}
	}
	for range 2 * len(r.faults) {
		if f := r.draw(true); f.ends {
			t.Errorf("late in a run: %s", f.name)
		}
	}
}
