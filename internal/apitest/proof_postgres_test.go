//go:build postgres

package apitest

import (
	"os/exec"
	"testing"

	"countersign/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// serveTwo starts two servers on one PostgreSQL database, and the second reads what the first was seeded with.
func serveTwo(t *testing.T, seed, config string) []*node {
	t.Helper()
	data := pgtest.Database(t)
	var nodes []*node
	for range 2 {
		nodes = append(nodes, dial(t, Start(t, Options{Data: data, Config: config + "\n", Seed: seed}), crowdSize))
	}
	return nodes
}

func TestParallelGuessesAreCountedFirstByTwoNodes(t *testing.T) { // A-015 A-016 A-018 B-01
	proveParallelGuesses(t, serveTwo(t, people(t, 1, "rate_limits: false"), ""))
}

func TestParallelGuessesUnderRateLimitOfTwoNodes(t *testing.T) { // A-015 A-023 B-01
	nodes := serveTwo(t, people(t, 1, "rate_limits: true"), "trusted_proxies: [127.0.0.1]")
	proveParallelGuessesUnderRateLimit(t, nodes)
}

func TestParallelGuessesAtNobodyOnTwoNodes(t *testing.T) { // A-015 A-028 B-01 B-12
	proveParallelGuessesAtNobody(t, serveTwo(t, people(t, 1, "rate_limits: false"), ""))
}

func TestParallelHonestLoginsAllSucceedOnTwoNodes(t *testing.T) { // A-020 A-027 B-02
	proveHonestLogins(t, serveTwo(t, people(t, 2, ""), ""))
}

func TestKillForgetsNoFailureOnPostgres(t *testing.T) { // A-020 A-022 B-04 C-01
	proveKillForgetsNoFailure(t, pgtest.Database(t))
}

func TestKillAmidGuessesCountsThemOnPostgres(t *testing.T) { // A-015 A-022 C-01
	proveKillAmidGuesses(t, pgtest.Database(t))
}

func TestKillCountsWhatIsInFlightOnPostgres(t *testing.T) { // A-015 A-022 C-01
	proveInFlightCounts(t, pgtest.Database(t))
}

func TestParallelCallsOfOneRefTakeEffectOnceOnTwoNodes(t *testing.T) { // C-08
	proveOnceInParallel(t, serveTwo(t, bearers(t, 2, ""), ""))
}

func TestKillLosesNoAnswerOnPostgres(t *testing.T) { // A-052 C-03 C-08
	proveKillLosesNoAnswer(t, pgtest.Database(t))
}

func TestGrantsObeyTheLockOfAnotherNode(t *testing.T) { // A-017 B-05
	proveGrantsObeyLock(t, serveTwo(t, people(t, 1, "rate_limits: false"), ""))
}

func TestLogoutIsSeenByTheNextRequestOnAnotherNode(t *testing.T) { // A-039 B-34 C-28
	proveLogout(t, serveTwo(t, people(t, 4, ""), ""))
}

func TestPasswordChangeEndsEverythingElseOnAnotherNode(t *testing.T) { // A-011 A-012 B-33
	provePasswordChange(t, serveTwo(t, people(t, 2, ""), ""))
}

func TestUsedOnceOnTwoNodes(t *testing.T) { // A-052 A-067 A-068 A-076 B-15
	proveUsedOnce(t, sandboxes(t, 2, pgtest.Database(t), useSeed(t)))
}

func TestPINGuessesAreCountedFirstByTwoNodes(t *testing.T) { // A-015 A-073 B-01
	provePINGuesses(t, sandboxes(t, 2, pgtest.Database(t), bearers(t, 1, "rate_limits: false, push: {pin: server}")))
}

func TestGuessesOverAllChallengesOnTwoNodes(t *testing.T) { // A-053 B-16
	proveGuesses(t, sandboxes(t, 2, pgtest.Database(t), useSeed(t)))
}

func TestSuspensionIsSeenByTheNextRequest(t *testing.T) { // A-012 C-28
	data, seed := pgtest.Database(t), people(t, 1, "")
	options := Options{Data: data, Config: "\n", Seed: seed}
	nodes := []*node{dial(t, Start(t, options), crowdSize), dial(t, Start(t, options), crowdSize)}
	const p = person(1)
	operate := func(verb string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), Binary(t), "user", verb, "--config", writeConfig(t, options), "proof", p.id())
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("user %s: %v\n%s", verb, err, out)
		}
	}
	var all []grants
	for _, on := range nodes {
		g := on.grantsOf(t, p, rightWord)
		if got := on.use(t, on.grantsOf(t, p, rightWord)); !same(got, alive()) {
			t.Errorf("grants before the suspension: %v", got)
		}
		all = append(all, g)
	}
	operate("suspend")
	for _, on := range nodes {
		for _, g := range all {
			if got := on.use(t, g); !same(got, dead()) {
				t.Errorf("grants after the suspension: %v, want %v", got, dead())
			}
		}
		for _, w := range ways[:2] {
			if got := w.verdict(on.login(t, w, w.identifier(p), rightWord)); got != refused {
				t.Errorf("right password of a suspended user by %v: %s, want %s", w, got, refused)
			}
		}
	}
	operate("resume")
	for _, on := range nodes {
		for _, g := range all {
			if got := on.use(t, g); !same(got, dead()) {
				t.Errorf("grants from before the suspension, after it: %v, want %v", got, dead())
			}
		}
		if got := on.use(t, on.grantsOf(t, p, rightWord)); !same(got, alive()) {
			t.Errorf("grants of a resumed user: %v", got)
		}
	}
}

func TestStatesCostTheSameOnBothSidesOfARaise(t *testing.T) { // A-029 B-10 B-11
	data, all := pgtest.Database(t), states(t)
	seed := matrix(t, all, "rate_limits: false, lockout: {failures: 100}")
	serve := func(config string) *node {
		on := dial(t, Start(t, Options{Data: data, Config: config, Seed: seed}), crowdSize)
		on.awaitKeys(t)
		return on
	}
	present, next := serve("\n"), serve("hash: {passes: 3}\n")
	probe(t, present, all, wrongWord, 3)
	probe(t, next, all, wrongWord, 4)
	if got := ways[0].verdict(next.login(t, ways[0], person(1).email(), rightWord)); got != admitted {
		t.Errorf("right password: %s", got)
	}
	probe(t, present, all, wrongWord, 4) // the first hash of the next server counts at once for the present one
	probe(t, next, all, wrongWord, 4)
}
