// Package apitest tests the whole server from outside: the very binary, over HTTP, on both databases.
//
// It owns the starting and stopping of servers for tests, the language of the scripts in testdata/script, and the proofs that need
// several processes or a kill. It does not test a rule that a test of package auth could.
package apitest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// build compiles the program once for the whole test process. Nothing tells it when the process ends, so it takes away what earlier ones
// left behind.
var build = sync.OnceValues(func() (string, error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "countersign-test-*"))
	if err != nil {
		return "", err
	}
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(dir) // another process may be at it, too
		}
	}
	dir, err := os.MkdirTemp("", "countersign-test-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "countersign")
	args := append([]string{"build", "-o", binary}, buildFlags()...)
	out, err := exec.Command("go", append(args, "countersign/cmd/countersign")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build countersign: %w\n%s", err, out)
	}
	return binary, nil
})

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
const MasterKey = "c2VydmUgdGVzdHMgb25seTogMzIgYnl0ZXMgb2Yga2V5IQ=="

// Server is a running server.
type Server struct {
	URL    string // of the public listener
	Ops    string // of the operators' listener
	Config string // path of the configuration of `serve`

	command *exec.Cmd
	done    chan error
	mu      sync.Mutex
	output  bytes.Buffer // what it logged
	banner  bytes.Buffer // what it printed
}

// Start starts a server and waits until it is ready. It is stopped when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Data == "" {
		o.Data = filepath.Join(t.TempDir(), "test.db")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	args := []string{"sandbox", "--listen", o.Listen, "--ops", "127.0.0.1:0", "--data", o.Data}
	if o.Seed != "" {
		args = append(args, "--seed", o.Seed)
	}
	if o.Config != "" {
		args = []string{"serve", "--config", writeConfig(t, o)}
		migrate := exec.Command(Binary(t), "migrate", "--config", args[2])
		if out, err := migrate.CombinedOutput(); err != nil {
			t.Fatalf("migrate: %v\n%s", err, out)
		}
	}
	s := &Server{command: exec.Command(Binary(t), args...), done: make(chan error, 1)}
	if o.Config != "" {
		s.Config = args[2]
	}
	s.command.Env = append(os.Environ(), o.Env...)
	stderr, err := s.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.command.Stdout = &locked{s, &s.banner}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if log := s.Log(); strings.Contains(log, "DATA RACE") {
			t.Errorf("the server raced:\n%s", log)
		}
	})
	ready := make(chan struct{})
	go s.watch(stderr, ready)
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		t.Fatalf("the server did not say where it listens:\n%s%s", s.Banner(), s.Log())
	case err := <-s.done:
		s.done <- err
		t.Fatalf("the server ended: %v\n%s%s", err, s.Banner(), s.Log())
	}
	return s
}

func writeConfig(t testing.TB, o Options) string {
	t.Helper()
	config := fmt.Sprintf("listen: %s\nops_listen: 127.0.0.1:0\npublic_url: http://127.0.0.1\ndatabase: %q\nmaster_key: %s\n%s",
		o.Listen, o.Data, MasterKey, o.Config)
	if !strings.Contains(o.Config, "hash:") { // crowds on a slow machine are no overload
		config += "\nhash: {wait: 30s}\n"
	}
	if o.Seed != "" {
		config += fmt.Sprintf("\nseed: %q\n", o.Seed)
	}
	path := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var servingLine = regexp.MustCompile(`"msg":"serving".*"address":"([^"]+)"(?:.*"ops":"([^"]+)")?`)

// watch keeps the log and tells when the server serves.
func (s *Server) watch(stderr io.Reader, ready chan<- struct{}) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		s.mu.Lock()
		s.output.WriteString(line)
		s.mu.Unlock()
		if m := servingLine.FindStringSubmatch(line); m != nil && ready != nil {
			s.URL = "http://" + m[1]
			if m[2] != "" {
				s.Ops = "http://" + m[2]
			}
			close(ready)
			ready = nil
		}
		if err != nil {
			s.done <- s.command.Wait()
			return
		}
	}
}

type locked struct {
	s *Server
	b *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.b.Write(p)
}

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

// Banner returns what the server has printed so far.
func (s *Server) Banner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.banner.String()
}

// PID is the server's process.
func (s *Server) PID() int { return s.command.Process.Pid }

// Kill ends the server as a power cut would: at once, with nothing flushed. A server that ended is no error.
func (s *Server) Kill() {
	_ = s.command.Process.Kill()
	s.done <- <-s.done
}

// Stop ends the server as an operator would and returns how it exited.
func (s *Server) Stop(t testing.TB) error {
	t.Helper()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not stop")
		return nil
	}
}

// Metric reads a counter or gauge of the operators' listener.
func (s *Server) Metric(t testing.TB, name string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
