package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"countersign/internal/apitest"
)

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }

// TestOutputThatIsLost: a command whose answer could not be printed does not end well.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "c.yaml")
	text := "public_url: https://auth.example.com\ndatabase: sqlite:" + filepath.Join(dir, "test.db")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{envMasterKey + "=" + apitest.MasterKey}
	for _, args := range [][]string{{"migrate"}, {"tenant", "create", "acme"}} {
		if err := run(t.Context(), append(args, "--config", config), env, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	full := fullDisk{errors.New("no space left")}
	for _, args := range [][]string{
		{"tenant", "list"}, {"check"}, {"migrate"}, {"restored"}, {"key", "create", "acme", "k"}, {"key", "list", "acme"}, {"signing-key", "rotate"},
	} {
		if err := run(t.Context(), append(args, "--config", config), env, full, io.Discard); !errors.Is(err, full.err) {
			t.Errorf("%q: got %v, want %v", args, err, full.err)
		}
	}
}
