package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the integrity check is SQLite's own

	"countersign/internal/launch"
)

// outage lets a crowd work on a volume that loses its power n times.
type outage func(ctx context.Context, n int, seed uint64) (result, error)

// outages pulls the power again and again, and looks whether all that was answered is there. Its control, which leaves the last commits to
// chance, has to lose something: otherwise nothing is proved.
func (e *env) outages(ctx context.Context, rounds int, safe, careless outage) (out result, err error) {
	for group := 0; group*groupRounds < rounds; group++ {
		n := min(groupRounds, rounds-group*groupRounds)
		out.seed = e.seed + uint64(group)
		one, err := safe(ctx, n, out.seed)
		out.runs, out.operations, out.open, out.broken = out.runs+one.runs, out.operations+one.operations, out.open+one.open, one.broken
		if err != nil || out.broken != "" {
			return out, err
		}
	}
	for try := 1; try <= controlTries; try++ {
		control, err := careless(ctx, groupRounds, e.seed+uint64(try))
		if err != nil {
			return out, fmt.Errorf("control: %w", err)
		}
		if control.broken != "" {
			out.note = fmt.Sprintf("a control that does not sync lost some after %d", control.runs)
			return out, nil
		}
	}
	return out, errors.New("the control lost nothing without syncing: the proof is blind")
}

// controlTries bounds how often the control may be lucky.
const controlTries = 3

// powerLoss pulls the power from the file system of a SQLite database. Its control is a build of its own.
func (e *env) powerLoss(ctx context.Context) (out result, err error) {
	careless, err := launch.Build("-tags", "blindtest")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(careless))) }()
	with := func(program string) outage {
		return func(ctx context.Context, n int, seed uint64) (result, error) {
			return e.cutSQLite(ctx, program, n, seed)
		}
	}
	return e.outages(ctx, e.scale(16, 3000), with(e.site.program), with(careless))
}

// powerPostgres pulls it from that of PostgreSQL's data. Its control is a PostgreSQL that does not wait for its log.
func (e *env) powerPostgres(ctx context.Context) (result, error) {
	with := func(settings ...string) outage {
		return func(ctx context.Context, n int, seed uint64) (result, error) {
			return e.cutPostgres(ctx, settings, n, seed)
		}
	}
	return e.outages(ctx, e.scale(6, 1000), with(), with("synchronous_commit=off"))
}

// cutSQLite is an outage of a server with a SQLite database.
func (e *env) cutSQLite(ctx context.Context, program string, n int, seed uint64) (out result, err error) {
	v, err := e.site.volume("power-", 128)
	if err != nil {
		return out, err
	}
	defer v.remove()
	path := filepath.Join(v.dir, "torture.db")
	l, err := e.site.begin(path, 1, seed)
	if err != nil {
		return out, err
	}
	l.program = program
	return l.darken(ctx, n, v, v.cut, func(ctx context.Context) error { return errors.Join(v.restore(), sound(ctx, path)) })
}

// cutPostgres is an outage of PostgreSQL, under two nodes that do not stand where it does.
func (e *env) cutPostgres(ctx context.Context, settings []string, n int, seed uint64) (out result, err error) {
	v, err := e.site.volume("power-", 512)
	if err != nil {
		return out, err
	}
	defer v.remove()
	p, err := e.pair(seed, v.dir, append(settings, "max_wal_size=64MB")...)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	cut := func() error { return errors.Join(v.cut(), p.server.Crash()) }
	return p.darken(ctx, n, v, cut, func(context.Context) error {
		return errors.Join(v.restore(), p.server.Restart(), p.server.Sound("torture"))
	})
}

// darken has the crowd work, and an attacker guess, through n cuts; mend brings back what is left.
func (l *lives) darken(ctx context.Context, n int, v *volume, cut func() error, mend func(context.Context) error) (out result, err error) {
	attacker := newGuesser(l.Uint64())
	off := func(ctx context.Context) error {
		var guessing sync.WaitGroup
		guessing.Go(func() { attacker.until(ctx, l) })
		defer guessing.Wait()
		time.Sleep(time.Duration(100+l.IntN(700)) * time.Millisecond)
		l.dark.Store(true) // the process outlives the cut for a moment, which no process on a machine without power does
		return cut()
	}
	on := func(ctx context.Context) error {
		l.dark.Store(false)
		return mend(ctx)
	}
	cuts := 0
	defer l.fall()
	if err := errors.Join(l.rise(ctx), v.flush()); err != nil {
		return out, err
	}
	for ; cuts < n && l.broken() == "" && err == nil; cuts++ {
		err = l.round(ctx, off, on)
		attacker.judge(l)
	}
	out.add(l, cuts)
	return out, err
}

// volume makes a file system of some MiB below the site.
func (s *site) volume(name string, mib int64) (*volume, error) {
	dir, err := os.MkdirTemp(s.dir, name)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(s.dir, 0o711)); err != nil { // PostgreSQL is another user, and goes through
		return nil, err
	}
	return newVolume(dir, mib)
}

// sound has SQLite check a database.
func sound(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		return fmt.Errorf("the database is damaged: %s, %w", said, err)
	}
	return nil
}
