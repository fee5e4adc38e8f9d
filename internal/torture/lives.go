package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"countersign/internal/launch"
	"countersign/internal/pgtest"
)

// lives are the lives of the servers of one database, one after the other, and the crowd that outlasts them.
type lives struct {
	*crowd
	*rand.Rand
	site     *site
	program  string
	database string
	seedFile string
	servers  []*launch.Server
}

// usersOfServers is how many users with a client a server has; each is a run of its own at every fault. There is one more, for an
// experiment to do with as it likes.
const usersOfServers = 8

// begin makes lives of n servers, which are not started.
func (s *site) begin(database string, n int, seed uint64) (*lives, error) {
	l := &lives{
		Rand: rand.New(rand.NewPCG(seed, 0xfa017)), site: s, program: s.program, database: database, servers: make([]*launch.Server, n),
	}
	return l, l.inhabit(usersOfServers+1, served(), seed)
}

// inhabit gives the servers so many users, under limits of their own; the first ones have a client.
func (l *lives) inhabit(users int, limits limits, seed uint64) (err error) {
	l.crowd = newCrowd(usersOfServers, seed, limits)
	l.seedFile, err = l.site.seed(users, limits)
	return err
}

// start starts the n-th server.
func (l *lives) start(n int) (*launch.Server, error) {
	return launch.Start(l.program, nil, l.arguments()...)
}

func (l *lives) arguments() []string {
	return []string{"sandbox", "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--data", l.database, "--seed", l.seedFile}
}

// rise starts all servers that there are not, and sets the clocks of all.
func (l *lives) rise(ctx context.Context) (err error) {
	l.nodes = grow(l.nodes, len(l.servers)-1)
	for i, s := range l.servers {
		if s != nil {
			continue
		}
		if l.nodes[i] != nil {
			l.nodes[i].close()
		}
		if l.servers[i], err = l.start(i); err != nil {
			return err
		}
		l.nodes[i] = dial(l.servers[i])
	}
	return l.ready(ctx)
}

// fall kills all servers that there are.
func (l *lives) fall() {
	for i, s := range l.servers {
		if s != nil {
			s.Kill()
		}
		l.servers[i] = nil
	}
}

// advance moves the clocks: as a rule so far that what a crash left under way counts as a failure, sometimes beyond the end of a lock.
func (l *lives) advance(ctx context.Context) error {
	l.ahead += contract().reservation + 2*time.Second
	if l.IntN(4) == 0 {
		l.ahead += 31 * time.Minute
	}
	return l.ready(ctx)
}

// rounds has the crowd work, breaks something under it, and checks what was told against what is there, n times. fault is called while the
// crowd works, and ends when the servers are gone or whole again; mend brings back what it broke, before the servers are started anew.
func (l *lives) rounds(ctx context.Context, n int, fault func(context.Context) error, mend func(context.Context) error) error {
	defer l.fall()
	for range n {
		if err := l.round(ctx, fault, mend); err != nil || l.broken() != "" {
			return err
		}
	}
	return nil
}

func (l *lives) round(ctx context.Context, fault func(context.Context) error, mend func(context.Context) error) error {
	if l.servers[0] == nil {
		if err := l.rise(ctx); err != nil {
			return err
		}
	}
	if err := l.during(ctx, func() error { return fault(ctx) }); err != nil {
		return err
	}
	l.fall()
	if err := mend(ctx); err != nil {
		return err
	}
	if strings.HasPrefix(l.database, "postgres:") {
		if err := settled(ctx, l.database); err != nil {
			return err
		}
	}
	if err := l.audit(ctx, l.database); err != nil {
		return err
	}
	if err := l.rise(ctx); err != nil {
		return err
	}
	return l.goOn(ctx, 6)
}

// goOn has the clients repeat what was not answered, sets the clock forward and checks what is left.
func (l *lives) goOn(ctx context.Context, calls int) error {
	l.retry(ctx)
	if err := l.advance(ctx); err != nil {
		return err
	}
	l.check(ctx, calls)
	return nil
}

// kill ends the servers, or only some, at a random moment.
func (l *lives) kill(context.Context) error {
	time.Sleep(time.Duration(l.IntN(600)) * time.Millisecond)
	l.fall()
	return nil
}

// pause stops one server in the middle of whatever it does, for longer than anything it does takes, and lets it go on.
func (l *lives) pause(context.Context) error {
	time.Sleep(time.Duration(l.IntN(200)) * time.Millisecond)
	s := l.servers[l.IntN(len(l.servers))]
	if err := s.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(time.Duration(300+l.IntN(1200)) * time.Millisecond)
	return s.Signal(syscall.SIGCONT)
}

func nothing(context.Context) error { return nil }

// groupRounds is after how many rounds a database and its users are left: what is known of a user grows with every call, here and there. Each
// group is one of a seed of its own, so that one that finds something need not wait for those before it to be run again.
const groupRounds = 15

// broken is what comes of servers that something happens to again and again, on one kind of database.
func (e *env) broken(
	ctx context.Context, rounds, servers int, fault func(*lives, context.Context) error, database func(group int) (string, error),
) (result, error) {
	var out result
	for group := 0; group*groupRounds < rounds; group++ {
		data, err := database(group)
		if err != nil {
			return out, err
		}
		out.seed = e.seed + uint64(group)
		l, err := e.site.begin(data, servers, out.seed)
		if err != nil {
			return out, err
		}
		n := min(groupRounds, rounds-group*groupRounds)
		err = l.rounds(ctx, n, func(ctx context.Context) error { return fault(l, ctx) }, nothing)
		out.add(l, n)
		if err != nil || out.broken != "" {
			return out, err
		}
	}
	return out, nil
}

func (e *env) killSQLite(ctx context.Context) (result, error) {
	return e.broken(ctx, e.scale(24, 600), 1, (*lives).kill, func(group int) (string, error) {
		return filepath.Join(e.site.dir, fmt.Sprintf("kill-%d.db", group)), nil
	})
}

func (e *env) killPostgres(ctx context.Context) (result, error) {
	return e.onPostgres(ctx, e.scale(12, 600), (*lives).kill)
}

func (e *env) pausePostgres(ctx context.Context) (result, error) {
	return e.onPostgres(ctx, e.scale(8, 300), (*lives).pause)
}

// onPostgres is broken for two nodes on one database.
func (e *env) onPostgres(ctx context.Context, rounds int, fault func(*lives, context.Context) error) (out result, err error) {
	server, err := pgtest.Start()
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	return e.broken(ctx, rounds, 2, fault, func(group int) (string, error) { return server.Create(fmt.Sprintf("torture_%d", group)) })
}

// sideBySide has a crowd work with two nodes on one PostgreSQL that begin makes ready, and checks it round after round.
func (e *env) sideBySide(ctx context.Context, calls int, begin func(*lives) error) (out result, err error) {
	p, err := e.pair(e.seed, "")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := begin(p.lives); err != nil {
		return out, err
	}
	rounds := e.scale(4, 60)
	for range rounds {
		p.check(ctx, calls)
		if err := errors.Join(p.audit(ctx, p.direct), p.advance(ctx)); err != nil {
			return out, err
		}
	}
	out.add(p.lives, rounds)
	return out, nil
}

// pair are two nodes on one PostgreSQL of their own.
type pair struct {
	*lives
	server *pgtest.Server
	direct string // the database, also where the nodes reach it by another way
	proxy  *proxy // nil: they do not
}

// pair makes PostgreSQL with a data directory in dir (empty: its own), and two nodes, which are not started.
func (e *env) pair(seed uint64, dir string, settings ...string) (*pair, error) {
	server, err := pgtest.StartIn(dir, settings...)
	if err != nil {
		return nil, err
	}
	database, err := server.Create("torture")
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	l, err := e.site.begin(database, 2, seed)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return &pair{lives: l, server: server, direct: database}, nil
}

func (p *pair) close() (err error) {
	p.fall()
	if p.proxy != nil {
		err = p.proxy.close()
	}
	return errors.Join(err, p.server.Stop())
}
