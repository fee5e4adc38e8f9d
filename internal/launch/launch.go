// Package launch starts the program from outside, as a process, and ends it in every way that a process ends.
//
// It knows the program's command line and the line that it logs once it serves. It knows no test and no rule: whoever starts a server says
// what is wrong with it.
package launch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Build compiles the program from the present source into a directory of its own and returns its path. Nothing tells it when the process
// ends, so it takes away what earlier ones left behind.
func Build(flags ...string) (string, error) {
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
	args := append([]string{"build", "-o", binary}, flags...)
	out, err := exec.Command("go", append(args, "countersign/cmd/countersign")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build countersign: %w\n%s", err, out)
	}
	return binary, nil
}

// MasterKey seals the databases of servers that Serve configures.
const MasterKey = "c2VydmUgdGVzdHMgb25seTogMzIgYnl0ZXMgb2Yga2V5IQ=="

// Config is a configuration of `serve` on loopback; more is YAML that follows.
func Config(listen, database, seed, more string) string {
	config := fmt.Sprintf("listen: %s\nops_listen: 127.0.0.1:0\npublic_url: http://127.0.0.1\ndatabase: %q\nmaster_key: %s\n%s",
		listen, database, MasterKey, more)
	if seed != "" {
		config += fmt.Sprintf("\nseed: %q\n", seed)
	}
	return config
}

// Server is a running server.
type Server struct {
	URL string // of the public listener
	Ops string // of the operators' listener

	command *exec.Cmd
	done    chan error
	mu      sync.Mutex
	output  bytes.Buffer // what it logged
	banner  bytes.Buffer // what it printed
}

// startLimit is how long a server may take to say where it listens.
const startLimit = 30 * time.Second

// ErrEnded means that a server ended before it served.
var ErrEnded = errors.New("the server ended")

// Start starts the program and returns when it serves. env is added to the present environment.
func Start(program string, env []string, args ...string) (*Server, error) {
	s := &Server{command: exec.Command(program, args...), done: make(chan error, 1)}
	s.command.Env = append(os.Environ(), env...)
	stderr, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	s.command.Stdout = &locked{s, &s.banner}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go s.watch(stderr, ready)
	select {
	case <-ready:
		return s, nil
	case <-time.After(startLimit):
		s.Kill()
		return nil, fmt.Errorf("the server did not say where it listens:\n%s%s", s.Banner(), s.Log())
	case err := <-s.done:
		s.done <- err
		return nil, fmt.Errorf("%w: %v\n%s%s", ErrEnded, err, s.Banner(), s.Log())
	}
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

// Forget drops what the server has logged so far, for one that runs for hours.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output = bytes.Buffer{}
}

// Banner returns what the server has printed so far.
func (s *Server) Banner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.banner.String()
}

// PID is the server's process.
func (s *Server) PID() int { return s.command.Process.Pid }

// Signal sends the server a signal; one that has ended takes none.
func (s *Server) Signal(sig syscall.Signal) error { return s.command.Process.Signal(sig) }

// Kill ends the server at once, with nothing flushed, and waits until it is gone. A server that ended is no error.
func (s *Server) Kill() {
	_ = s.command.Process.Kill()
	s.done <- <-s.done
}

// Stop ends the server as an operator would and returns how it exited.
func (s *Server) Stop() error {
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(startLimit):
		return errors.New("the server did not stop")
	}
}

// Ended is closed to waiting when the server has ended by itself: it returns how, and false while it runs.
func (s *Server) Ended() (error, bool) {
	select {
	case err := <-s.done:
		s.done <- err
		return err, true
	default:
		return nil, false
	}
}
