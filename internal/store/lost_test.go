//go:build postgres

package store

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"countersign/internal/pgtest"
)

// TestUnsent: what a closed connection refuses was never sent, and may begin again on another; what its caller gave up is no loss of a connection.
func TestUnsent(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.Exec(over, "SELECT 1"); err == nil || unsent(err) || connectionLost(err) {
		t.Errorf("given up: got %v, unsent %t, lost %t", err, unsent(err), connectionLost(err))
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil || !unsent(err) || !connectionLost(err) {
		t.Errorf("after the end: got %v, unsent %t, lost %t", err, unsent(err), connectionLost(err))
	}
}

// TestWhatTheLogWaitsFor: a transaction says of itself alone that its commit does not wait for the log.
func TestWhatTheLogWaitsFor(t *testing.T) {
	s, err := OpenPostgres(t.Context(), pgtest.Database(t), Options{Migrate: true, MaxConns: 1}) // the same connection for all
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		kind kind
		want string
	}{{write, "on"}, {writeUnsynced, "off"}, {write, "on"}, {writeUnsynced, "off"}, {update, "on"}} {
		var got string
		err := s.transact(t.Context(), c.kind, func(tx *tx) error {
			rows, err := tx.reads.h.QueryContext(t.Context(), "SHOW synchronous_commit")
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			return rows.Scan(&got)
		})
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.kind, got, err, c.want)
		}
	}
}
