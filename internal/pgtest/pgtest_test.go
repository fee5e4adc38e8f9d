//go:build postgres

package pgtest_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"countersign/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabaseIsReachableOverASocketAlone(t *testing.T) {
	first, second := pgtest.Database(t), pgtest.Database(t)
	if first == second {
		t.Errorf("two databases have one URL %s", first)
	}
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	dir := u.Query().Get("host")
	info, err := os.Stat(filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Type() != os.ModeSocket {
		t.Errorf("got %s, want a socket", info.Mode())
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: got %v, %v, want drwx------", info.Mode(), err)
	}
}
