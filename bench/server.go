package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/pgtest"
)

// masterKey seals the databases of a run, which go with it.
const masterKey = "YmVuY2htYXJrcyBvbmx5OiAzMiBieXRlcyBvZiBrZXkh"

// envKernel chooses the hash kernel of the server, and so that of the limit.
const envKernel = "COUNTERSIGN_HASH_KERNEL"

// site is what a run stands on: the program, built from the present source, databases, and a directory that goes at the end.
type site struct {
	dir      string
	program  string
	users    int
	wait     time.Duration // of logins for their turn
	hasher   *passhash.Hasher
	encoded  string         // hash of the password, which all users have
	postgres *pgtest.Server // nil without PostgreSQL
}

// How long logins wait for their turn: as they do by default, and as is due to closed loops, which do not overload a server.
const (
	usualWait   = 450 * time.Millisecond
	patientWait = answerLimit
)

// newSite builds and starts what a run needs. close takes it away.
func newSite(users int, withPostgres bool, wait time.Duration) (_ *site, err error) {
	s := &site{users: users, wait: wait}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	s.program = filepath.Join(s.dir, "countersign")
	build := exec.Command("go", "build", "-o", s.program, "countersign/cmd/countersign")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // without the C library, as a release
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build countersign: %w\n%s", err, out)
	}
	if s.hasher, err = passhash.New(passhash.Config{Slots: hashers, Kernel: os.Getenv(envKernel)}); err != nil {
		return nil, err
	}
	if s.encoded, err = s.hasher.Hash(context.Background(), []byte(password)); err != nil {
		return nil, err
	}
	if withPostgres {
		s.postgres, err = pgtest.Start()
	}
	return s, err
}

func (s *site) close() error {
	var err error
	if s.postgres != nil {
		err = s.postgres.Stop()
	}
	if s.hasher != nil {
		err = errors.Join(err, s.hasher.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// database is a migrated and seeded database, and the configuration of its server.
type database struct {
	name   string // as in the report
	dsn    string
	config string // file
}

// sqlite makes a database in a file of that name.
func (s *site) sqlite(name string) (database, error) {
	return s.prepare("SQLite", name, "sqlite:"+filepath.Join(s.dir, name+".db"))
}

// postgreSQL makes a database of that name on the server of the run.
func (s *site) postgreSQL(name string) (database, error) {
	dsn, err := s.postgres.Create(name)
	if err != nil {
		return database{}, err
	}
	return s.prepare("PostgreSQL", name+"-pg", dsn)
}

// prepare migrates a database, seeds it by a first start of the server and settles it.
func (s *site) prepare(name, file, dsn string) (database, error) {
	return s.prepareWith(name, file, dsn, seedOf(s.users, s.encoded))
}

// prepareWith is prepare with a seed file of this text.
func (s *site) prepareWith(name, file, dsn, seedText string) (database, error) {
	config := fmt.Sprintf("listen: 127.0.0.1:0\npublic_url: http://127.0.0.1\ndatabase: %q\nmaster_key: %s\nhash: {wait: %s}\n", dsn, masterKey, s.wait)
	d := database{name, dsn, filepath.Join(s.dir, file+".yaml")}
	first, seed := filepath.Join(s.dir, file+"-first.yaml"), filepath.Join(s.dir, "seed.yaml")
	for path, text := range map[string]string{
		d.config: config, first: config + fmt.Sprintf("seed: %q\n", seed), seed: seedText,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return d, err
		}
	}
	if out, err := exec.Command(s.program, "migrate", "--config", first).CombinedOutput(); err != nil {
		return d, fmt.Errorf("migrate: %w\n%s", err, out)
	}
	server, err := s.start(s.program, "serve", "--config", first)
	if err != nil {
		return d, err
	}
	return d, errors.Join(s.settle(server, dsn), server.stop())
}

// settle brings a new database into the state of one that has been in use: every user has logged in, and PostgreSQL has the statistics
// that it makes by itself within a minute.
func (s *site) settle(server *server, dsn string) error {
	clients := make([]*client, hashers)
	for n := range clients {
		var err error
		if clients[n], err = dial(server.address); err != nil {
			return err
		}
		defer clients[n].close()
	}
	var wait sync.WaitGroup
	failed := make([]error, hashers)
	for n, c := range clients {
		wait.Go(func() {
			for user := n; user < s.users && failed[n] == nil; user += hashers {
				_, failed[n] = c.want(http.StatusOK, multiLogin(user))
			}
		})
	}
	wait.Wait()
	if !strings.HasPrefix(dsn, "postgres:") {
		return errors.Join(failed...)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	_, err = db.Exec("ANALYZE")
	return errors.Join(errors.Join(failed...), err, db.Close())
}

// identity is the number of the identity that a user is root of.
func identity(user int) int { return 10000 + user }

// seedOf is a seed file with users that all have one password, in a hash made beforehand.
func seedOf(users int, encoded string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `tenants:
  - id: bench
    mode: live
    settings: {rate_limits: false, password_grant: true}
    api_keys: [{name: bench, key: %s}]
    clients:
      - {id: %s, secret: %s, kind: application, app_name: Bench, redirect_uris: [%q]}
      - {id: %s, secret: %s, kind: management}
    identities:
      - {type: CORPORATE, id: "%d", name: Organization}
`, apiKey, clientID, clientSecret, redirectURI, managerID, clientSecret, organizationID)
	for n := range users {
		fmt.Fprintf(&b, "      - {type: CONSUMER, id: \"%d\", name: User %d}\n", identity(n), n)
	}
	b.WriteString("    users:\n")
	for n := range users {
		fmt.Fprintf(&b, "      - {id: \"%d\", email: %s, email_verified: true, password: {hash: %q}, root_of: [\"CONSUMER:%d\"]}\n",
			n+1, email(n), encoded, identity(n))
	}
	return b.String()
}

// server is a running process that answers at an address.
type server struct {
	address string
	begun   time.Time
	command *exec.Cmd
	ended   chan error
}

var (
	servingLine = regexp.MustCompile(`"msg":"serving".*"address":"([^"]+)"`)
	addressLine = regexp.MustCompile(`^(127\.0\.0\.1:\d+)\n`)
)

// startLimit is how long a server may take to say where it listens.
const startLimit = 30 * time.Second

// start runs a program, with its output in a file, as in production, and returns when it says where it listens.
func (s *site) start(program string, args ...string) (*server, error) {
	log, err := os.CreateTemp(s.dir, "log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &server{command: exec.Command(program, args...), ended: make(chan error, 1)}
	p.command.Stdout, p.command.Stderr = log, log
	p.begun = time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.command.Wait() }()
	for {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		for _, line := range []*regexp.Regexp{servingLine, addressLine} {
			if m := line.FindSubmatch(text); m != nil {
				p.address = string(m[1])
				return p, nil
			}
		}
		select {
		case err := <-p.ended:
			return nil, fmt.Errorf("%s ended: %v\n%s", filepath.Base(program), err, text)
		case <-time.After(time.Millisecond):
		}
		if time.Since(p.begun) > startLimit {
			return nil, errors.Join(fmt.Errorf("%s does not say where it listens\n%s", filepath.Base(program), text), p.stop())
		}
	}
}

// stop ends the process as an operator would.
func (p *server) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-p.ended; err != nil {
		return fmt.Errorf("stop %s: %w", filepath.Base(p.command.Path), err)
	}
	return nil
}

// kill ends a process that has nothing to lose.
func (p *server) kill() {
	_ = p.command.Process.Kill() // it fails only for what has ended
	<-p.ended
}

func (p *server) pid() int { return p.command.Process.Pid }

// firstLogin starts a server, logs in once, and returns how long it took from the start of the process to the answer, and the processor
// time that the process had used by then.
func (s *site) firstLogin(ask []byte, args ...string) (took, spent time.Duration, err error) {
	p, err := s.start(s.program, args...)
	if err != nil {
		return 0, 0, err
	}
	c, err := dial(p.address)
	if err == nil {
		_, err = c.want(http.StatusOK, ask)
		c.close()
	}
	took = time.Since(p.begun)
	spent, _ = fineCPU(p.pid()) // 0 where it is not measured
	return took, spent, errors.Join(err, p.stop())
}
