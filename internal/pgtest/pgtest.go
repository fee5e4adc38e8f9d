// Package pgtest gives tests databases on a real PostgreSQL.
//
// It starts one server for a test process, with the binaries that are
// installed, in a temporary directory, as an ordinary user and reachable over a
// Unix socket alone, and takes all of it away when the tests are over. It knows
// nothing of what the tests store, and imports no driver: it asks PostgreSQL's
// own client programs.
//
// A test process opts in with
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// A program that measures rather than tests has a [Server] of its own.
package pgtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The one server of the process. It is a variable of the package because Main, which ends it, and the tests, which begin it, have
// nothing else in common.
var (
	mu       sync.Mutex
	inMain   bool
	settings []string
	started  *Server
	startErr error
)

// Main runs the tests and exits, without leaving a server behind. Each setting is one of postgresql.conf, such as "fsync=off"; by
// default the server is as safe as it comes, so that tests meet what production has.
func Main(m *testing.M, set ...string) {
	mu.Lock()
	inMain, settings = true, set
	mu.Unlock()
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Database returns the URL of an empty database that is t's alone and goes with it. Its collation is that of a language, as in
// production, so that text which is not ordered by its bytes shows. When there is no PostgreSQL, the test fails.
func Database(t testing.TB) string {
	t.Helper()
	s, n, err := running()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := "test_" + strconv.Itoa(n)
	database, err := s.Create(name)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.client("dropdb", "--force", name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return database
}

// running returns the server, started if need be, and the number of the database to make in it.
func running() (*Server, int, error) {
	mu.Lock()
	defer mu.Unlock()
	if !inMain {
		return nil, 0, errors.New("call pgtest.Main from TestMain, or the server would stay")
	}
	if started == nil && startErr == nil {
		started, startErr = Start(settings...)
	}
	if startErr != nil {
		return nil, 0, startErr
	}
	started.databases++
	return started, started.databases, nil
}

const superuser = "postgres"

// Server is a running PostgreSQL.
type Server struct {
	bin       string // where its programs are
	dir       string // its log, its socket and, as a rule, its data
	kept      string // where its data is if not there
	settings  []string
	as        *syscall.Credential
	process   *os.Process
	ended     chan error // gets the end of process
	guard     *exec.Cmd
	lifeline  io.Closer // the guard's input, closed by nothing but the end of this process
	databases int
}

// Start makes a cluster and runs a server on it, which the caller stops. Each setting is one of postgresql.conf.
func Start(settings ...string) (*Server, error) { return StartIn("", settings...) }

// StartIn is Start for a cluster whose data is made in a directory of the caller's, who takes it away. The server's user has to reach it.
func StartIn(parent string, settings ...string) (_ *Server, err error) {
	s := &Server{ended: make(chan error, 1), settings: settings}
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if s.dir, s.as, err = directory(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if parent != "" {
		s.kept = filepath.Join(parent, "postgres")
		if err := s.own(s.kept); err != nil {
			return nil, err
		}
	}
	// The cluster need not outlive a crash of the machine: only what happens afterwards is synced.
	initdb := s.command("initdb", "--pgdata="+s.data(), "--locale=C", "--encoding=UTF8", "--auth=trust", "--username="+superuser, "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, s.resume()
}

// own makes a directory for the server's user.
func (s *Server) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil || s.as == nil {
		return err
	}
	return os.Chown(dir, int(s.as.Uid), int(s.as.Gid))
}

// resume runs the server on its cluster.
func (s *Server) resume() error {
	if err := s.run(s.settings); err != nil {
		return err
	}
	return s.await()
}

// Create makes an empty database, as [Database] does, and returns its URL.
func (s *Server) Create(name string) (string, error) {
	if err := s.client("createdb", "--template=template0", "--locale-provider=icu", "--icu-locale=en-US", name); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

// PID is the process that all others of the server come from.
func (s *Server) PID() int { return s.process.Pid }

func (s *Server) data() string { return cmp.Or(s.kept, filepath.Join(s.dir, "data")) }
func (s *Server) log() string  { return filepath.Join(s.dir, "log") }

// run starts the server process.
func (s *Server) run(settings []string) error {
	args := []string{"-D", s.data()}
	for _, set := range slices.Concat([]string{
		"listen_addresses=", "unix_socket_directories=" + s.dir, "max_connections=300",
	}, settings) {
		args = append(args, "-c", set)
	}
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Setpgid = true // an interrupt from the keyboard is for the tests; they end the server
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd.Process
	go func() { s.ended <- cmd.Wait() }()
	return s.watch()
}

// guard is a shell script that waits until its input ends, as it does with the process of the tests, however that ends, and then does
// what Stop would have done.
const guard = `cat
kill -QUIT "$1" && for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; kill -0 "$1" || break; done
rm -rf "$2"`

// watch starts a guard over the server.
func (s *Server) watch() (err error) {
	s.guard = exec.Command("/bin/sh", "-c", guard, "guard", strconv.Itoa(s.process.Pid), s.dir)
	s.guard.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	if s.lifeline, err = s.guard.StdinPipe(); err != nil {
		return err
	}
	return s.guard.Start()
}

// await returns when the server takes connections.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.client("pg_isready", "--quiet") == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-s.ended:
			s.process = nil
			return s.withLog(fmt.Errorf("postgres ended before it took connections: %v", err))
		case <-ctx.Done():
			return s.withLog(errors.New("postgres takes no connections"))
		}
	}
}

func (s *Server) withLog(err error) error {
	text, _ := os.ReadFile(s.log())
	return fmt.Errorf("%w\n%s", err, text)
}

// Dump returns all of a database as text.
func (s *Server) Dump(name string) ([]byte, error) {
	out, err := s.command("pg_dump", "--host="+s.dir, "--username="+superuser, name).Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w", err)
	}
	return out, nil
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error {
	s.dismiss()
	var err error
	if s.process != nil {
		if err = s.process.Signal(syscall.SIGQUIT); err == nil { // immediate shutdown: the data goes anyway
			<-s.ended
		}
		s.process = nil
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// dismiss ends the guard.
func (s *Server) dismiss() {
	if s.guard != nil && s.guard.Process != nil {
		s.guard.Process.Kill()
		s.guard.Wait() // it was killed, and says so
	}
	s.guard = nil
}

// client runs one of the client programs.
func (s *Server) client(name string, args ...string) error {
	cmd := s.command(name, slices.Concat([]string{"--host=" + s.dir, "--username=" + superuser}, args)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// command returns a command that runs as the server's user, in its directory and without the caller's PGHOST, PGPORT and the like.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.bin, "HOME=" + s.dir, "LC_ALL=C", "PGPORT=5432"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// programs returns the directory of PostgreSQL's programs: that of the initdb in PATH, else the newest of Debian's.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL in PATH or /usr/lib/postgresql: `make test` installs it")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// maxDir keeps the name of the socket below the 107 bytes that the system allows.
const maxDir = 80

// directory makes a directory for an ordinary user: this one, or nobody, since PostgreSQL does not run as root.
func directory() (string, *syscall.Credential, error) {
	parent := os.TempDir()
	if os.Getuid() == 0 || len(parent) > maxDir {
		parent = "/tmp" // open to all
	}
	dir, err := os.MkdirTemp(parent, "pgtest")
	if err != nil || os.Getuid() != 0 {
		return dir, nil, err
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	uid, err1 := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
