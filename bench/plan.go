package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// plan says what is measured, and for how long.
type plan struct {
	users      int
	rounds     int
	window     time.Duration // of one run in one round
	conns      []int         // connections that log in
	launches   int           // how often each start is timed
	rest       time.Duration // before memory is read for the last time; 0: it is not
	postgres   bool
	loginsOnly bool
	progress   io.Writer
}

// tokenConns is the number of connections of everything that is no login.
const tokenConns = 8

// results is everything that was measured.
type results struct {
	kernel        string
	hash, handler *limit
	common        *limit // the hash of x/crypto
	kernels       []*kernel
	commits       []*limit
	places        []*place
	logins        []*run
	tokens        []*run
	starts        []startup
}

// startup is how long a start took, from the process to the answer of its first login, and the processor time of that.
type startup struct {
	name  string
	took  []time.Duration
	spent []time.Duration // 0 where it is not measured
}

// bench is a plan on its way.
type bench struct {
	plan
	*site
	results
	ctx context.Context
}

// begin builds and starts what a measurement needs. close takes it away.
func (p plan) begin(ctx context.Context, wait time.Duration) (_ *bench, err error) {
	b := &bench{plan: p, ctx: ctx}
	b.note("building and starting")
	if b.site, err = newSite(p.users, p.postgres, wait); err != nil {
		return nil, err
	}
	b.kernel = b.hasher.Kernel()
	return b, nil
}

func (p plan) carryOut(ctx context.Context) (_ *results, err error) {
	b, err := p.begin(ctx, patientWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	databases, err := b.databases("rates")
	if err != nil {
		return nil, err
	}
	if err := b.startups(databases); err != nil {
		return nil, err
	}
	return &b.results, b.serve(databases)
}

func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

// databases makes one of each kind.
func (b *bench) databases(name string) ([]database, error) {
	makers := []func(name string) (database, error){b.sqlite}
	if b.plan.postgres {
		makers = append(makers, b.postgreSQL)
	}
	var all []database
	for _, m := range makers {
		d, err := m(name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// startups times starts of the program, of each kind in turn.
func (b *bench) startups(databases []database) error {
	if b.loginsOnly {
		return nil
	}
	type kind struct {
		ask  []byte
		args func(n int) []string
	}
	var kinds []kind
	for _, d := range databases {
		b.starts = append(b.starts, startup{name: "serve, " + d.name})
		kinds = append(kinds, kind{multiLogin(0), func(int) []string { return []string{"serve", "--config", d.config} }})
	}
	b.starts = append(b.starts, startup{name: "sandbox, new file"})
	kinds = append(kinds, kind{demoLogin(), func(n int) []string {
		return []string{"sandbox", "--listen", "127.0.0.1:0", "--data", filepath.Join(b.dir, fmt.Sprintf("sandbox%d.db", n))}
	}})
	for n := range b.plan.launches {
		for i, k := range kinds {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			took, spent, err := b.firstLogin(k.ask, k.args(n)...)
			if err != nil {
				return err
			}
			b.starts[i].took, b.starts[i].spent = append(b.starts[i].took, took), append(b.starts[i].spent, spent)
			b.note("%s: first login after %v", b.starts[i].name, took.Round(time.Millisecond))
		}
	}
	return nil
}

// serve measures servers that run.
func (b *bench) serve(databases []database) (err error) {
	defer func() {
		for _, p := range b.places {
			err = errors.Join(err, p.server.stop())
		}
	}()
	for _, d := range databases {
		server, err := b.start(b.program, "serve", "--config", d.config)
		if err != nil {
			return err
		}
		postmaster := 0
		if d.name == "PostgreSQL" {
			postmaster = b.site.postgres.PID()
		}
		b.places = append(b.places, &place{database: d, server: server, parties: spending(server, postmaster)})
	}
	if err := b.compareKernels(); err != nil { // meanwhile the servers come to rest
		return err
	}
	if err := b.commitLimits(); err != nil {
		return err
	}
	if err := b.remember(func(p *place) *memory { return &p.idle }); err != nil {
		return err
	}
	if err := b.loginRuns(); err != nil {
		return err
	}
	if err := b.tokenRuns(); err != nil {
		return err
	}
	if err := b.remember(func(p *place) *memory { return &p.after }); err != nil {
		return err
	}
	if b.rest == 0 {
		return nil
	}
	b.note("resting for %v", b.rest)
	select {
	case <-time.After(b.rest):
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	return b.remember(func(p *place) *memory { return &p.settled })
}

// remember reads the memory of all servers.
func (b *bench) remember(into func(*place) *memory) error {
	for _, p := range b.places {
		m, err := memoryOf(p.server.pid())
		if err != nil && !errors.Is(err, errUnmeasured) {
			return err
		}
		*into(p) = m
	}
	return nil
}

// commitLimits measures the databases.
func (b *bench) commitLimits() error {
	b.commits = []*limit{{name: "commit on SQLite, 1 connection", window: b.window, measure: func(d time.Duration) (pace, error) {
		return sqliteCommits(b.dir, d)
	}}}
	if b.plan.postgres {
		url, err := b.site.postgres.Create("bare")
		if err != nil {
			return err
		}
		b.commits = append(b.commits, &limit{name: "commit on PostgreSQL, 8 connections", window: b.window,
			measure: func(d time.Duration) (pace, error) {
				return postgresCommits(url, d)
			}})
	}
	for range b.rounds {
		for _, l := range b.commits {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			rate, err := l.again()
			if err != nil {
				return err
			}
			b.note("%s: %.1f/s", l.name, rate)
		}
	}
	return nil
}

func (b *bench) loginRuns() error {
	b.hash = &limit{name: "Argon2id of this build, kernel " + b.kernel + ", 2 goroutines", window: b.window / 2,
		measure: func(d time.Duration) (pace, error) {
			return rawHash(b.hasher, b.encoded, d)
		}}
	for _, place := range b.places {
		for _, conns := range b.conns {
			b.logins = append(b.logins,
				&run{name: "/multi/login_with_password", place: place, conns: conns, work: loginMulti},
				&run{name: "/cis/v1/auth/password/authenticate", place: place, conns: conns, work: loginCIS})
		}
	}
	return b.interleave(b.hash, b.logins)
}

func (b *bench) tokenRuns() error {
	if b.loginsOnly {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	bare, err := b.start(program, emptyHandler)
	if err != nil {
		return err
	}
	defer bare.kill()
	parties := spending(bare, 0)
	b.handler = &limit{name: fmt.Sprintf("request to an empty net/http handler, %d connections", tokenConns), window: b.window / 3,
		measure: func(d time.Duration) (pace, error) {
			l, err := drive(bare.address, tokenConns, d, parties, empty(spread{}))
			return pace{l.rate, len(l.took), l.spent.total()}, errors.Join(append(l.errors, err)...)
		}}
	for _, place := range b.places {
		for _, r := range []run{
			{name: "check: GET /multi/identities", work: check},
			{name: "POST /multi/access_token", work: access},
			{name: "refresh: POST /oidc/token", work: refresh},
			{name: "client_credentials: POST /oidc/token", work: credentials},
		} {
			r.place, r.conns = place, tokenConns
			b.tokens = append(b.tokens, &r)
		}
	}
	return b.interleave(b.handler, b.tokens)
}

func (b *bench) interleave(l *limit, runs []*run) error {
	return interleave(l, runs, b.rounds, b.window, b.plan.users, func(r *run) error {
		last := len(r.rates) - 1
		b.note("%s on %s, %d connections: %.1f/s, %.3f of the limit", r.name, r.place.name, r.conns, r.rates[last], r.ratios[last])
		return b.ctx.Err()
	})
}
