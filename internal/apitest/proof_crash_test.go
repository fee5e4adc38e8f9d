package apitest

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// life starts a sandbox, which has a clock to move, on data that an earlier life may have left.
func life(t *testing.T, data, seed string) *node {
	t.Helper()
	return dial(t, Start(t, Options{Data: data, Seed: seed}), crowdSize)
}

func TestKillForgetsNoFailure(t *testing.T) { // A-020 A-022 B-04 C-01
	proveKillForgetsNoFailure(t, filepath.Join(t.TempDir(), "test.db"))
}

// proveKillForgetsNoFailure fails four times, kills the server, and fails once more.
func proveKillForgetsNoFailure(t *testing.T, data string) {
	seed := people(t, 1, "rate_limits: false")
	const victim = person(1)
	try := func(on *node, w way, password string, want verdict) {
		t.Helper()
		if got := w.verdict(on.login(t, w, w.identifier(victim), password)); got != want {
			t.Errorf("%v: %s, want %s", w, got, want)
		}
	}
	first := life(t, data, seed)
	for i := range 4 {
		try(first, ways[i%len(ways)], wrongWord, refused)
	}
	first.Kill()
	second := life(t, data, seed)
	try(second, ways[4], wrongWord, refused)
	for _, w := range ways {
		try(second, w, rightWord, held)
	}
	second.Kill()
	third := life(t, data, seed)
	try(third, ways[0], rightWord, held)
	third.advance(t, 31*time.Minute)
	for range 4 {
		try(third, ways[1], wrongWord, refused)
	}
	try(third, ways[0], rightWord, admitted)
}

func TestKillAmidGuessesCountsThem(t *testing.T) { // A-015 A-022 C-01
	proveKillAmidGuesses(t, filepath.Join(t.TempDir(), "test.db"))
}

// proveKillAmidGuesses kills the server in the middle of a crowd of guesses, as soon as a number of them were refused, and lets the
// crowd go on with the next server. What was in flight at the kill counts: both lives together verify no more than five.
func proveKillAmidGuesses(t *testing.T, data string) {
	const rounds = 4
	seed := people(t, rounds, "rate_limits: false")
	on := life(t, data, seed)
	var ahead time.Duration // of the clock, which each life has to be told again
	for round := range rounds {
		victim := person(round + 1)
		verified := guessUntilKilled(t, on, victim, round)
		on = life(t, data, seed)
		on.advance(t, ahead)
		before := count(t, []*node{on})
		guess := func(n int) {
			t.Helper()
			got := crowd(t, []*node{on}, n, func(i int, on *node) verdict {
				w := ways[i%len(ways)]
				return w.verdict(on.login(t, w, w.identifier(victim), wrongWord))
			})
			got.only(t, refused, held, throttled)
			verified += float64(got[refused])
		}
		if round == 0 {
			guess(20) // what the crash left in flight is still waited for here, in vain
		}
		on.advance(t, 121*time.Second)
		guess(20)
		if verified > 5 {
			t.Errorf("round %d: %v guesses were verified over both lives, want at most 5", round, verified)
		}
		if cost := count(t, []*node{on}).since(before); cost.verified > 5 {
			t.Errorf("round %d: the second life verified %v", round, cost.verified)
		}
		w := ways[round%len(ways)]
		if got := w.verdict(on.login(t, w, w.identifier(victim), rightWord)); got != held {
			t.Errorf("round %d: right password after the guesses: %s, want %s", round, got, held)
		}
		on.advance(t, 31*time.Minute)
		ahead += 121*time.Second + 31*time.Minute
		if got := w.verdict(on.login(t, w, w.identifier(victim), rightWord)); got != admitted {
			t.Errorf("round %d: right password when the lock is over: %s, want %s", round, got, admitted)
		}
	}
}

// guessUntilKilled guesses on all sides until more than n guesses were refused, kills the server, and returns how many are known to
// have been verified.
func guessUntilKilled(t *testing.T, on *node, victim person, n int) float64 {
	t.Helper()
	before := count(t, []*node{on})
	verdicts := make(chan verdict)
	var guessers sync.WaitGroup
	for i := range 40 {
		guessers.Go(func() {
			w := ways[i%len(ways)]
			verdicts <- w.verdict(on.login(t, w, w.identifier(victim), fmt.Sprint(wrongWord, i)))
		})
	}
	go func() {
		guessers.Wait()
		close(verdicts)
	}()
	got, counted := make(tally), 0.0
	for v := range verdicts {
		if got[v]++; got[refused] == n+1 && v == refused {
			counted = count(t, []*node{on}).since(before).verified
			on.Kill()
		}
	}
	t.Logf("killed after %d refusals: %v, %v verified by then", n+1, got, counted)
	got.only(t, refused, held, throttled, lost)
	return max(counted, float64(got[refused]))
}

func TestKillCountsWhatIsInFlight(t *testing.T) { // A-015 A-022 C-01
	proveInFlightCounts(t, filepath.Join(t.TempDir(), "test.db"))
}

// proveInFlightCounts kills the server while it computes its first hashes for a crowd that guesses: as many as may fail are in flight,
// none has been answered, and the next server owes none of them.
func proveInFlightCounts(t *testing.T, data string) {
	const victim = person(1)
	slow, err := bcrypt.GenerateFromPassword([]byte(rightWord), 13)
	if err != nil {
		t.Fatal(err)
	}
	seed := writeSeed(t, proofSeed("rate_limits: false")+victim.entry(fmt.Sprintf("hash: %q", slow), ""))
	first := life(t, data, seed)
	var guessers sync.WaitGroup
	for i := range 40 {
		guessers.Go(func() {
			w := ways[i%len(ways)]
			if got := w.verdict(first.login(t, w, w.identifier(victim), wrongWord)); got != lost {
				t.Errorf("a guess was answered before the kill: %s", got)
			}
		})
	}
	await(t, "five guesses in flight", func() bool {
		return first.Metric(t, "countersign_password_running")+first.Metric(t, "countersign_password_waiting") == 5
	})
	first.Kill()
	guessers.Wait()
	second := life(t, data, seed)
	second.advance(t, 121*time.Second)
	for _, word := range []string{wrongWord, rightWord} {
		for _, w := range ways {
			if got := w.verdict(second.login(t, w, w.identifier(victim), word)); got != held {
				t.Errorf("%q by %v after the kill: %s, want %s", word, w, got, held)
			}
		}
	}
	if cost := count(t, []*node{second}); cost != (hashes{}) {
		t.Errorf("the second life computed %+v, want nothing", cost)
	}
	second.advance(t, 31*time.Minute)
	if got := ways[0].verdict(second.login(t, ways[0], victim.email(), rightWord)); got != admitted {
		t.Errorf("right password when the lock is over: %s, want %s", got, admitted)
	}
}
