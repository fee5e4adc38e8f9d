package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/internal/launch"
	"countersign/internal/pgtest"
)

// sickSQLite has a SQLite database on a disk on which a write or a sync fails. The server has to end, and what it has answered until then
// has to be there, also after the power is cut: at once, or while a server works that was started anew in between.
func (e *env) sickSQLite(ctx context.Context) (out result, err error) {
	careless, err := launch.Build("-tags", "blindtest")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(careless))) }()
	ends := 0
	with := func(program string) outage {
		return func(ctx context.Context, n int, seed uint64) (result, error) {
			return e.onSickDisk(ctx, program, n, seed, &ends)
		}
	}
	rounds := e.scale(6, 600)
	out, err = e.outages(ctx, rounds, with(e.site.program), with(careless))
	if err == nil && out.broken == "" && ends < rounds/2 {
		err = fmt.Errorf("the disk failed under %d of %d servers only", ends, rounds)
	}
	out.note = fmt.Sprintf("%d servers ended by it; %s", ends, out.note)
	return out, err
}

// onSickDisk is an outage in which the disk fails first; ends counts the servers that ended by that.
func (e *env) onSickDisk(ctx context.Context, program string, n int, seed uint64, ends *int) (out result, err error) {
	dir, err := os.MkdirTemp(e.site.dir, "sick-")
	if err != nil {
		return out, err
	}
	d, err := newSickDisk(dir)
	if err != nil {
		return out, err
	}
	defer d.remove()
	l, err := e.site.begin(filepath.Join(d.dir, "torture.db"), 1, seed)
	if err != nil {
		return out, err
	}
	l.program = program
	defer l.fall()
	if err := l.rise(ctx); err != nil {
		return out, err
	}
	d.flush()
	rounds := 0
	for ; rounds < n && l.broken() == "" && err == nil; rounds++ {
		err = l.sicken(ctx, d, ends)
	}
	out.add(l, rounds)
	return out, err
}

// sicken has the disk fail under the crowd and then cuts the power, sometimes not before another server has worked on it.
func (l *lives) sicken(ctx context.Context, d *sickDisk, ends *int) error {
	if err := l.during(ctx, func() error { return l.fail(d, ends) }); err != nil {
		return err
	}
	l.fall()
	if again := l.IntN(2) == 0; again {
		if err := l.rise(ctx); err != nil {
			return err
		}
		l.retry(ctx)
		l.check(ctx, 3)
		err := l.during(ctx, func() error {
			time.Sleep(time.Duration(100+l.IntN(300)) * time.Millisecond)
			l.dark.Store(true)
			return d.cut()
		})
		if err != nil {
			return err
		}
		l.fall()
		l.dark.Store(false)
	}
	under := filepath.Join(d.under, filepath.Base(l.database))
	if err := errors.Join(d.unmount(), sound(ctx, under), l.audit(ctx, under), d.mount()); err != nil {
		return err
	}
	if err := l.rise(ctx); err != nil {
		return err
	}
	return l.goOn(ctx, 5)
}

// during runs a fault while the crowd works.
func (l *lives) during(ctx context.Context, fault func() error) error {
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(stop)
		failed <- fault()
	}()
	l.storm(ctx, stop)
	return <-failed
}

// endsWithin is how long a server may take to end whose disk fails, and meanwhile refuses everybody.
const endsWithin = 30 * time.Second

// fail has an operation on the log fail, and waits for the server to end by that. A control may never sync, and is left alone then.
func (l *lives) fail(d *sickDisk, ends *int) error {
	time.Sleep(time.Duration(50+l.IntN(250)) * time.Millisecond)
	op := diskSync
	if l.IntN(3) == 0 {
		op = diskWrite
	}
	d.arm(op, 1+l.IntN(12), "-wal")
	for begun := time.Now(); !d.hit() && time.Since(begun) < 2*time.Second; {
		time.Sleep(time.Millisecond)
	}
	defer d.disarm()
	if !d.hit() {
		return nil
	}
	for begun := time.Now(); time.Since(begun) < endsWithin; time.Sleep(5 * time.Millisecond) {
		if _, ended := l.servers[0].Ended(); ended {
			*ends++
			return nil
		}
	}
	l.users[0].breaks("the server goes on after a %s has failed\n%s", op, l.faults())
	return nil
}

// sickPostgres has PostgreSQL's data on such a disk. PostgreSQL ends all its connections and recovers by itself; the nodes are not restarted.
func (e *env) sickPostgres(ctx context.Context) (out result, err error) {
	dir, err := os.MkdirTemp(e.site.dir, "sick-")
	if err != nil {
		return out, err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(e.site.dir, 0o711)); err != nil {
		return out, err
	}
	d, err := newSickDisk(dir)
	if err != nil {
		return out, err
	}
	defer d.remove()
	d.lasting = true
	p, err := e.pair(e.seed, d.dir)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.rise(ctx); err != nil {
		return out, err
	}
	rounds := e.scale(5, 200)
	for n := range rounds {
		err := p.healing(ctx, p.direct, func(context.Context) (func() error, error) { return p.failLog(d, p.server) })
		if err != nil || p.broken() != "" {
			out.add(p.lives, n+1)
			return out, err
		}
	}
	out.add(p.lives, rounds)
	panics := strings.Count(p.server.Log(), "PANIC:")
	if panics < rounds/2 {
		return out, fmt.Errorf("PostgreSQL felt %d of %d errors only:\n%s", panics, rounds, p.server.Log())
	}
	out.note = fmt.Sprintf("PostgreSQL broke off %d times; the nodes were never restarted", panics)
	return out, nil
}

// failLog has an operation on PostgreSQL's log fail; its end is when PostgreSQL takes connections again.
func (l *lives) failLog(d *sickDisk, server *pgtest.Server) (func() error, error) {
	op := []diskOp{diskSync, diskWrite}[l.IntN(2)]
	d.arm(op, 1+l.IntN(12), "/pg_wal/0")
	return func() error {
		d.disarm()
		return server.Await()
	}, nil
}
