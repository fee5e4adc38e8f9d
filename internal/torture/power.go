package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the integrity check is SQLite's own

	"countersign/internal/launch"
)

// powerLoss pulls the power from the file system of a SQLite database, and looks whether all that was answered is there. A control, with
// a build that leaves the last commits to chance, has to lose something: otherwise nothing is proved.
func (e *env) powerLoss(ctx context.Context) (result, error) {
	rounds := e.scale(16, 3000)
	var out result
	for group := 0; group*groupRounds < rounds; group++ {
		n := min(groupRounds, rounds-group*groupRounds)
		one, err := e.cutPower(ctx, e.site.program, n, e.seed+uint64(group))
		out.runs, out.operations, out.open, out.broken = out.runs+one.runs, out.operations+one.operations, out.open+one.open, one.broken
		if err != nil || out.broken != "" {
			return out, err
		}
	}
	careless, err := launch.Build("-tags", "blindtest")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(filepath.Dir(careless))
	for try := 1; try <= controlTries; try++ {
		control, err := e.cutPower(ctx, careless, groupRounds, e.seed+uint64(try))
		if ctx.Err() == nil && control.runs > 0 && (control.broken != "" || err != nil) { // a database that is no more one is a loss, too
			out.note = fmt.Sprintf("a control that does not sync lost some after %d", control.runs)
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("control: %w", err)
		}
	}
	return out, errors.New("the control lost nothing without syncing: the proof is blind")
}

// controlTries bounds how often the control may be lucky.
const controlTries = 3

// cutPower lets a crowd work on a volume that loses its power n times.
func (e *env) cutPower(ctx context.Context, program string, n int, seed uint64) (out result, err error) {
	dir, err := os.MkdirTemp(e.site.dir, "power-")
	if err != nil {
		return out, err
	}
	v, err := newVolume(dir, 128)
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
	cut := func(context.Context) error {
		time.Sleep(time.Duration(100+l.IntN(700)) * time.Millisecond)
		l.dark.Store(true) // the process outlives the cut for a moment, which no process on a machine without power does
		return v.cut()
	}
	mend := func(ctx context.Context) error {
		l.dark.Store(false)
		return errors.Join(v.restore(), sound(ctx, path))
	}
	cuts := 0
	defer l.fall()
	if err := errors.Join(l.rise(ctx), v.flush()); err != nil {
		return out, err
	}
	for ; cuts < n && l.broken() == "" && err == nil; cuts++ {
		err = l.round(ctx, cut, mend)
	}
	out.add(l, cuts)
	return out, err
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
