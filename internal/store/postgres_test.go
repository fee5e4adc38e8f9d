//go:build postgres

package store_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
	"countersign/internal/store"
	"countersign/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// openPostgres returns an empty store in a database of its own.
func openPostgres(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.Migrate = true
	s, err := store.OpenPostgres(t.Context(), pgtest.Database(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) auth.Store { return openPostgres(t, store.Options{}) })
}
