//go:build postgres

package auth_test

import (
	"testing"

	"countersign/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestStatementsByCallOnPostgres(t *testing.T) { countStatements(t, pgtest.Database(t)) }

func TestFailuresOutliveAFloodOnPostgres(t *testing.T) { failThroughFlood(t, pgtest.Database(t), 800) }
