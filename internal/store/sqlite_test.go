package store_test

import (
	"path/filepath"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/store"
	"countersign/internal/store/storetest"
)

// openSQLite returns an empty store in a file of its own.
func openSQLite(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.Migrate = true
	s, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"), o)
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

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) auth.Store { return openSQLite(t, store.Options{}) })
}
