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
