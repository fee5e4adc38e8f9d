package apitest

import (
	"fmt"
	"testing"
)

// crowdSize is how many guess at once.
const crowdSize = 200

// serveOne starts one server on SQLite.
func serveOne(t *testing.T, seed string) []*node {
	return []*node{dial(t, Start(t, Options{Config: "\n", Seed: seed}), crowdSize)}
}

func TestParallelGuessesAreCountedFirst(t *testing.T) { // A-015 A-016 A-018 B-01
	proveParallelGuesses(t, serveOne(t, people(t, 1, "rate_limits: false")))
}

// proveParallelGuesses sends 200 wrong passwords at once at one user, by every way there is: five hashes are computed, whoever
// guesses and however.
func proveParallelGuesses(t *testing.T, nodes []*node) {
	const victim = person(1)
	before := count(t, nodes)
	got := crowd(t, nodes, crowdSize, func(i int, on *node) verdict {
		w := ways[i/len(nodes)%len(ways)]
		return w.verdict(on.login(t, w, w.identifier(victim), fmt.Sprintf("%s%d", wrongWord, i)))
	})
	t.Logf("answers: %v", got)
	got.only(t, refused, held, throttled)
	cost := count(t, nodes).since(before)
	if want := (hashes{verified: 5}); cost != want {
		t.Errorf("200 guesses at once cost %+v, want %+v", cost, want)
	}
	if got[refused] != 5 {
		t.Errorf("%d guesses were told that they are wrong, want 5", got[refused])
	}
	for _, on := range nodes {
		for _, w := range ways {
			if got := w.verdict(on.login(t, w, w.identifier(victim), rightWord)); got != held {
				t.Errorf("right password by %v during the lock: %s, want %s", w, got, held)
			}
		}
	}
	if again := count(t, nodes).since(before); again != cost {
		t.Errorf("logins during the lock cost %+v, want nothing", again.since(cost))
	}
}

func TestParallelGuessesUnderRateLimit(t *testing.T) { // A-015 A-023 B-01
	s := Start(t, Options{Config: "trusted_proxies: [127.0.0.1]\n", Seed: people(t, 1, "rate_limits: true")})
	proveParallelGuessesUnderRateLimit(t, []*node{dial(t, s, crowdSize)})
}

// proveParallelGuessesUnderRateLimit does the same with the limit by address in force, and asks from another address afterwards: the
// servers have to trust the proxy that this test is.
func proveParallelGuessesUnderRateLimit(t *testing.T, nodes []*node) {
	const victim = person(1)
	before := count(t, nodes)
	got := crowd(t, nodes, crowdSize, func(i int, on *node) verdict {
		w := ways[i/len(nodes)%len(ways)]
		return w.verdict(on.login(t, w, w.identifier(victim), wrongWord, "X-Forwarded-For", "192.0.2.1"))
	})
	t.Logf("answers: %v", got)
	got.only(t, refused, held, throttled)
	if cost, want := count(t, nodes).since(before), (hashes{verified: 5}); cost != want {
		t.Errorf("200 guesses at once cost %+v, want %+v", cost, want)
	}
	if got[refused] != 5 || got[throttled] < crowdSize-60*len(nodes)-5 {
		t.Errorf("answers %v: want 5 refused and all beyond 60 a node throttled", got)
	}
	for _, on := range nodes {
		for _, w := range ways {
			a := on.login(t, w, w.identifier(victim), rightWord, "X-Forwarded-For", "192.0.2.2")
			if got := w.verdict(a); got != held {
				t.Errorf("right password by %v from another address: %s, want %s", w, got, held)
			}
		}
	}
}

func TestParallelGuessesAtNobody(t *testing.T) { // A-015 A-028 B-01 B-12
	proveParallelGuessesAtNobody(t, serveOne(t, people(t, 1, "rate_limits: false")))
}

// proveParallelGuessesAtNobody sends the same crowd at an address that nobody has, and gets the same answers at the same cost.
func proveParallelGuessesAtNobody(t *testing.T, nodes []*node) {
	const nobody = person(999)
	before := count(t, nodes)
	byEmail := ways[:2]
	got := crowd(t, nodes, crowdSize, func(i int, on *node) verdict {
		w := byEmail[i/len(nodes)%len(byEmail)]
		return w.verdict(on.login(t, w, w.identifier(nobody), wrongWord))
	})
	t.Logf("answers: %v", got)
	got.only(t, refused, held, throttled)
	if cost, want := count(t, nodes).since(before), (hashes{decoys: 5}); cost != want {
		t.Errorf("200 guesses at nobody cost %+v, want %+v", cost, want)
	}
	if got[refused] != 5 {
		t.Errorf("%d guesses were told that they are wrong, want 5", got[refused])
	}
	for _, on := range nodes {
		for _, w := range byEmail {
			if got := w.verdict(on.login(t, w, w.identifier(nobody), rightWord)); got != held {
				t.Errorf("nobody by %v after the crowd: %s, want %s", w, got, held)
			}
		}
	}
}

func TestParallelHonestLoginsAllSucceed(t *testing.T) { // A-020 A-027 B-02
	proveHonestLogins(t, serveOne(t, people(t, 2, "")))
}

// proveHonestLogins sends 50 right passwords at once, and then 45 right ones with 4 wrong ones among them. It leaves the default
// limit by address on, which must not be in honest users' way.
func proveHonestLogins(t *testing.T, nodes []*node) {
	const alone, pestered = person(1), person(2)
	got := crowd(t, nodes, 50, func(i int, on *node) verdict {
		w := ways[i/len(nodes)%len(ways)]
		return w.verdict(on.login(t, w, w.identifier(alone), rightWord))
	})
	if got[admitted] != 50 {
		t.Errorf("50 right logins at once: %v", got)
	}
	for i := range 4 {
		w, on := ways[i%len(ways)], nodes[i%len(nodes)]
		if got := w.verdict(on.login(t, w, w.identifier(alone), wrongWord)); got != refused {
			t.Errorf("wrong login %d after them: %s, want %s: the counter was not 0", i+1, got, refused)
		}
	}
	if got := ways[0].verdict(nodes[0].login(t, ways[0], alone.email(), rightWord)); got != admitted {
		t.Errorf("right login after four wrong ones: %s", got)
	}

	got = crowd(t, nodes, 49, func(i int, on *node) verdict {
		w, word := ways[i/len(nodes)%len(ways)], rightWord
		if i%12 == 6 {
			word = wrongWord
		}
		return w.verdict(on.login(t, w, w.identifier(pestered), word))
	})
	if got[admitted] != 45 || got[refused] != 4 {
		t.Errorf("45 right logins with 4 wrong ones among them: %v", got)
	}
	if got := ways[0].verdict(nodes[0].login(t, ways[0], pestered.email(), rightWord)); got != admitted {
		t.Errorf("right login after all: %s", got)
	}
}
