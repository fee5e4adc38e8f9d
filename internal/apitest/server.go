// Package apitest tests the whole server from outside: the very binary, over HTTP, on both databases.
//
// It owns the starting and stopping of servers for tests, the language of the scripts in testdata/script, and the proofs that need
// several processes or a kill. It does not test a rule that a test of package auth could.
package apitest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/launch"
)

// build compiles the program once for the whole test process.
var build = sync.OnceValues(func() (string, error) { return launch.Build(buildFlags()...) })

// Binary returns the path of the program, built from the present source.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Options say how a server is started.
type Options struct {
	Data string   // database of the sandbox, or of the configuration; empty: a SQLite file of the test's
	Seed string   // path of a seed file; empty: the built-in demo (sandbox), none (serve)
	Env  []string // beyond the environment of the test
	// Listen is the address of the public listener; empty: a free port on loopback. A server that is to be found again after a
	// restart, with the issuer it had, is given its former address.
	Listen string
	// Config, if set, starts `serve` with this configuration (YAML without listen, ops_listen, database, public_url, master_key and
	// seed, which are filled in) instead of `sandbox`. A single line feed will do.
	Config string
}

// MasterKey seals the databases of tests that start `serve`.
const MasterKey = launch.MasterKey

// Server is a running server.
type Server struct {
	*launch.Server
	Config string // path of the configuration of `serve`
}

// patience is how long a call may wait for PostgreSQL or for its turn at a password: a crowd on a slow machine is no overload. It is below what
// clients wait for an answer.
const patience = "20s"

// Start starts a server and waits until it is ready. It is stopped when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Data == "" {
		o.Data = filepath.Join(t.TempDir(), "test.db")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	args := []string{"sandbox", "--listen", o.Listen, "--ops", "127.0.0.1:0", "--data", o.Data, "--wait", patience}
	if o.Seed != "" {
		args = append(args, "--seed", o.Seed)
	}
	s := &Server{}
	if o.Config != "" {
		s.Config = writeConfig(t, o)
		args = []string{"serve", "--config", s.Config}
		migrate := exec.Command(Binary(t), "migrate", "--config", s.Config)
		if out, err := migrate.CombinedOutput(); err != nil {
			t.Fatalf("migrate: %v\n%s", err, out)
		}
	}
	var err error
	if s.Server, err = launch.Start(Binary(t), o.Env, args...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if log := s.Log(); strings.Contains(log, "DATA RACE") {
			t.Errorf("the server raced:\n%s", log)
		}
	})
	return s
}

func writeConfig(t testing.TB, o Options) string {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if !strings.Contains(o.Config, "hash:") {
		o.Config += "\nhash: {wait: " + patience + "}\n"
	}
	o.Config += "\ndatabase_wait: " + patience + "\n"
	path := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(path, []byte(launch.Config(o.Listen, o.Data, o.Seed, o.Config)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Stop ends the server as an operator would and returns how it exited.
func (s *Server) Stop(t testing.TB) error {
	t.Helper()
	return s.Server.Stop()
}

// Metric reads a counter or gauge of the operators' listener.
func (s *Server) Metric(t testing.TB, name string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.Ops+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			var v float64
			if _, err := fmt.Sscan(value, &v); err != nil {
				t.Fatalf("metric %s: %v", name, err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
