package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// longRun is hours of a crowd's work with a fault every half a minute, and shows what only time does: what grows. Every user is renewed
// after a while, so that neither the users nor what is known of them become more.
//
// Until the middle everything happens; from then on the first server is not ended any more, so that it lives long enough to be measured.
type longRun struct {
	*lives
	pace
	seed     uint64
	direct   string // the database, past any proxy
	faults   []longFault
	next     []longFault // of the present turn
	renewed  int         // users
	passed   int         // faults
	last     string      // the name of the latest
	logins   int         // of the bursts
	figures  series
	previous count
}

// pace is how fast a long run goes.
type pace struct {
	work  int           // calls that every client makes between two faults
	think time.Duration // before each of them, on average
	most  int           // calls of one user
	night int           // faults between two nights
	rest  time.Duration // at most, before a look at the servers
	burst int           // logins at once
	least int           // values that a figure has to have to be judged
}

// halfMinute is the pace of hours: faults come some thirty seconds apart.
func halfMinute() pace {
	return pace{
		work: 130, think: 150 * time.Millisecond, most: 400, night: 5, rest: 5 * time.Second, burst: 300, least: leastSamples,
	}
}

// hurried are limits under which sessions end within hours, so that a run sees them swept: after two nights nothing is left of them.
func hurried() limits {
	l := contract()
	l.idle, l.absolute, l.backendIdle, l.backend = 2*time.Hour, 6*time.Hour, 4*time.Hour, 12*time.Hour
	return l
}

// oneNight is how far the clocks go forward at once.
const oneNight = 20 * time.Hour

// bystanders are users of no client, for bursts.
const bystanders = 48

// longFault is something that happens while the crowd works. Servers that it ended are not there afterwards.
type longFault struct {
	name   string
	ends   bool // the first server, too
	strike func(context.Context) error
}

// longSQLite is the long run of one server.
func (e *env) longSQLite(ctx context.Context) (result, error) {
	return e.lastOnSQLite(ctx, halfMinute(), e.progress())
}

func (e *env) lastOnSQLite(ctx context.Context, p pace, progress func() float64) (out result, err error) {
	path := filepath.Join(e.site.dir, "long.db")
	l, err := e.site.begin(path, 1, e.seed)
	if err != nil {
		return out, err
	}
	r, err := newLongRun(l, path, e.seed, p)
	if err != nil {
		return out, err
	}
	r.faults = append(r.ends(0), r.pauses(), r.bursts(),
		r.brief("a reader holds a snapshot", func(ctx context.Context) (func() error, error) { return holdSnapshot(ctx, path) }))
	return r.run(ctx, progress)
}

// longPostgres is the long run of two nodes, which reach their database through a proxy.
func (e *env) longPostgres(ctx context.Context) (result, error) {
	return e.lastOnPostgres(ctx, halfMinute(), e.progress())
}

func (e *env) lastOnPostgres(ctx context.Context, at pace, progress func() float64) (out result, err error) {
	p, err := e.behindProxy()
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	r, err := newLongRun(p.lives, p.direct, e.seed, at)
	if err != nil {
		return out, err
	}
	r.faults = append(r.ends(1), r.pauses(), r.bursts())
	for _, w := range p.wireFaults() {
		r.faults = append(r.faults, r.brief(w.name, w.begin))
	}
	return r.run(ctx, progress)
}

// newLongRun makes a run on servers that have not been started, without a fault.
func newLongRun(l *lives, direct string, seed uint64, p pace) (*longRun, error) {
	return &longRun{lives: l, pace: p, seed: seed, direct: direct}, l.inhabit(usersOfServers+bystanders, hurried(), seed)
}

// progress tells how much of the time of a long run is over, from 0 to 1.
func (e *env) progress() func() float64 {
	lasts := e.lasts
	if lasts == 0 {
		lasts = 20 * time.Minute
		if e.long {
			lasts = 4 * time.Hour
		}
	}
	begun := time.Now()
	return func() float64 { return time.Since(begun).Seconds() / lasts.Seconds() }
}

// ends are the ways in which a server ends, one of them, and all.
func (r *longRun) ends(n int) []longFault {
	all := []longFault{
		{fmt.Sprintf("kill -9 of server %d", n+1), n == 0, func(context.Context) error { return r.end(n, false) }},
		{fmt.Sprintf("SIGTERM to server %d", n+1), n == 0, func(context.Context) error { return r.end(n, true) }},
	}
	if n > 0 {
		all = append(all, longFault{"kill -9 of all servers", true, r.kill})
	}
	return all
}

// end ends one server in the middle of its work. One that is asked to finishes what it has begun and exits well (C-22).
func (r *longRun) end(n int, asked bool) error {
	time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
	s := r.servers[n]
	r.servers[n] = nil
	if !asked {
		s.Kill()
		return nil
	}
	if err := s.Stop(); err != nil {
		s.Kill()
		return fmt.Errorf("a server that was asked to end: %w\n%s", err, tail(s.Log()))
	}
	return nil
}

func tail(log string) string { return log[max(0, len(log)-2000):] }

func (r *longRun) pauses() longFault { return longFault{"SIGSTOP, SIGCONT", false, r.pause} }

// bursts are more logins at once than are let in. They are of users without a client, and each has to be answered.
func (r *longRun) bursts() longFault {
	users := people(usersOfServers, bystanders)
	return longFault{"a burst of logins", false, func(ctx context.Context) error {
		r.logins += r.burst
		_, err := logInAtOnce(ctx, r.nodes[r.IntN(len(r.nodes))], r.burst, users)
		return err
	}}
}

// brief is a fault that ends by itself.
func (r *longRun) brief(name string, fault wireFault) longFault {
	return longFault{name, false, func(ctx context.Context) error { return r.pass(ctx, fault) }}
}

// holdSnapshot has another process's reader stay in a SQLite database, so that its log cannot be written back (C-30).
func holdSnapshot(ctx context.Context, path string) (func() error, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	end := func() error { return errors.Join(tx.Rollback(), db.Close()) }
	n := 0
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM meta").Scan(&n); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// run goes on until progress, which is from 0 to 1, is at its end.
func (r *longRun) run(ctx context.Context, progress func() float64) (out result, err error) {
	defer r.fall()
	if err = r.rise(ctx); err == nil {
		err = r.audit(ctx, r.direct)
	}
	for done := 0.0; err == nil && done < 1 && r.broken() == ""; done = progress() {
		err = r.round(ctx, done >= 0.5)
	}
	out.add(r.lives, r.passed)
	out.operations += r.logins
	if out.broken != "" {
		out.broken += fmt.Sprintf("\n\nThe latest of %d faults was: %s", r.passed, r.last)
	}
	if err != nil || out.broken != "" {
		return out, err
	}
	if grown := r.figures.judge(r.least); len(grown) > 0 {
		out.broken = fmt.Sprintf("after %d faults something has grown that should not:\n%s", r.passed, strings.Join(grown, "\n"))
	}
	out.note = fmt.Sprintf("%d faults, %d users renewed; %s", r.passed, r.renewed, r.figures.summary(r.least))
	return out, nil
}

// round is some work, a fault, and a look at what is left.
func (r *longRun) round(ctx context.Context, late bool) error {
	r.labour(ctx)
	if r.broken() != "" {
		return ctx.Err()
	}
	if err := r.sample(ctx); err != nil {
		return err
	}
	fault := r.draw(late)
	r.last = fault.name
	if err := r.during(ctx, func() error { return fault.strike(ctx) }); err != nil {
		return fmt.Errorf("%s: %w", fault.name, err)
	}
	r.passed++
	for _, step := range []func(context.Context) error{r.settle, r.rise, r.goOnAll, r.renew, r.sleep, r.sample} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("after fault %d, %s: %w", r.passed, fault.name, err)
		}
		if r.broken() != "" {
			return ctx.Err()
		}
	}
	for _, s := range r.servers {
		s.Forget()
	}
	return nil
}

// labour has every client make its calls, with nothing broken.
func (r *longRun) labour(ctx context.Context) {
	r.calm.Store(true)
	r.each(func(c *client) {
		for n := 0; n < r.pace.work && c.broken == "" && ctx.Err() == nil; n++ {
			if c.step(ctx); r.think > 0 {
				time.Sleep(time.Duration(c.Int64N(int64(2 * r.think))))
			}
		}
	})
}

// draw is the next fault: each comes once in a turn. Late in a run the first server is spared.
func (r *longRun) draw(late bool) longFault {
	if len(r.next) == 0 {
		r.next = slices.Clone(r.faults)
		r.Shuffle(len(r.next), func(i, j int) { r.next[i], r.next[j] = r.next[j], r.next[i] })
	}
	fault := r.next[0]
	r.next = r.next[1:]
	if late && fault.ends {
		return r.pauses()
	}
	return fault
}

// settle compares the events with what was told, once nothing is under way any more.
func (r *longRun) settle(ctx context.Context) error {
	if strings.HasPrefix(r.direct, "postgres:") {
		if err := settled(ctx, r.direct); err != nil {
			return err
		}
	}
	for i, s := range r.servers {
		if s == nil {
			continue
		}
		if end, ended := s.Ended(); ended {
			return fmt.Errorf("server %d has ended by itself: %v\n%s", i+1, end, tail(s.Log()))
		}
	}
	return r.audit(ctx, r.direct)
}

func (r *longRun) goOnAll(ctx context.Context) error { return r.goOn(ctx, 6) }

// sleep lets a night pass now and then.
func (r *longRun) sleep(ctx context.Context) error {
	if r.passed%r.night != 0 {
		return nil
	}
	r.ahead += oneNight
	return r.ready(ctx)
}
