package archtest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestMigrationsCountUp: each has a number of its own, without a gap. Two that were made beside each other would meet only on a database.
func TestMigrationsCountUp(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join(root(t), "internal", "store", "migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Fatal("there are no migrations")
	}
	for i, e := range entries {
		if n, err := strconv.Atoi(e.Name()[:min(5, len(e.Name()))]); err != nil || n != i+1 {
			t.Errorf("%s: want the number %05d", e.Name(), i+1)
		}
	}
}
