//go:build postgres

package apitest

import (
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
