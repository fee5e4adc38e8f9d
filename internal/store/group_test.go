package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"modernc.org/sqlite"
)

// groupTest is a group over a table of numbers, in a bubble: synctest.Wait returns when all writers wait.
type groupTest struct {
	*testing.T
	*group
	path string
	all  sync.WaitGroup
}

func withGroup(t *testing.T, fn func(g *groupTest)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		db := (&Store{breaker: newBreaker()}).sqlitePool(&sqlite.Driver{}, path, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)")
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		fn(&groupTest{T: t, group: newGroup(db), path: path})
	})
}

func add(n int) func(*sql.Tx) error {
	return func(t *sql.Tx) error {
		_, err := t.Exec("INSERT INTO numbers (n) VALUES (?)", n)
		return err
	}
}

// held starts a writer of the number that does not end before release is called; those that start meanwhile queue behind it.
func (g *groupTest) held(n int) (release func()) {
	gate := make(chan struct{})
	g.start(g.Context(), func(t *sql.Tx) error {
		<-gate
		return add(n)(t)
	}, nil)
	return func() { close(gate); g.all.Wait() }
}

// start starts a writer and waits until it is held or waits.
func (g *groupTest) start(ctx context.Context, fn func(*sql.Tx) error, want error) {
	g.all.Go(func() {
		if err := g.run(ctx, true, fn); !errors.Is(err, want) {
			g.Errorf("got %v, want %v", err, want)
		}
	})
	synctest.Wait()
}

// commits counts the transactions in the write-ahead log: the frames that say how long the file is after them (the SQLite file format, §4.1).
func (g *groupTest) commits() int {
	log, err := os.ReadFile(g.path + "-wal")
	if err != nil {
		g.Fatal(err)
	}
	page := int(binary.BigEndian.Uint32(log[8:]))
	n := 0
	for at := 32; at+24+page <= len(log); at += 24 + page {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 {
			n++
		}
	}
	return n
}

func (g *groupTest) numbers() []int {
	rows, err := g.db.Query("SELECT n FROM numbers ORDER BY n")
	if err != nil {
		g.Fatal(err)
	}
	defer rows.Close()
	var all []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			g.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func (g *groupTest) want(numbers ...int) {
	g.Helper()
	if got := g.numbers(); !slices.Equal(got, numbers) {
		g.Errorf("stored: %v, want %v", got, numbers)
	}
}

func TestGroupSharesCommits(t *testing.T) {
	t.Parallel()
	withGroup(t, func(g *groupTest) {
		before := g.commits()
		release := g.held(1)
		for n := 2; n <= 2*maxBatch+1; n++ {
			g.start(g.Context(), add(n), nil)
		}
		release()
		if n := len(g.numbers()); n != 2*maxBatch+1 {
			g.Errorf("%d numbers stored", n)
		}
		if got := g.commits() - before; got != 3 {
			g.Errorf("%d writers made %d commits, want 3 of at most %d", 2*maxBatch+1, got, maxBatch)
		}
	})
}

// TestGroupSyncsForWhoWaits: a commit is synced if anybody waits for the disk, and who does is never seen before it; whoever comes while such a
// batch is open is in it. A batch of none who does is not synced, and all of it is there for those that come after.
func TestGroupSyncsForWhoWaits(t *testing.T) {
	t.Parallel()
	const full, normal = "2", "1" // https://sqlite.org/pragma.html#pragma_synchronous
	withGroup(t, func(g *groupTest) {
		var levels []string
		start := func(n int, synced bool, more func(*sql.Tx)) {
			g.all.Go(func() {
				err := g.run(g.Context(), synced, func(t *sql.Tx) error {
					var level string
					if err := t.QueryRow("PRAGMA synchronous").Scan(&level); err != nil {
						return err
					}
					levels = append(levels, level)
					if more != nil {
						more(t)
					}
					return add(n)(t)
				})
				if err != nil {
					g.Error(err)
				}
			})
			synctest.Wait()
		}
		for _, c := range []struct {
			synced  []bool
			levels  []string
			commits int
		}{
			{[]bool{true, false, true}, []string{full, full, full}, 1},
			{[]bool{false, false}, []string{normal, normal}, 1},
			{[]bool{false, false, true, false, true}, []string{normal, normal, full, full, full}, 2},
			{[]bool{true}, []string{full}, 1},
			{[]bool{false}, []string{normal}, 1},
			{[]bool{true, false}, []string{full, full}, 1},
		} {
			levels = nil
			before, stored, gate := g.commits(), len(g.numbers()), make(chan struct{})
			for i, synced := range c.synced {
				hold := func(*sql.Tx) { <-gate }
				if i > 0 {
					hold = nil
				}
				start(stored+i, synced, hold)
			}
			close(gate)
			g.all.Wait()
			if got := g.commits() - before; got != c.commits || !slices.Equal(levels, c.levels) || len(g.numbers()) != stored+len(c.synced) {
				g.Errorf("%v: %d commits at %v, of %d; want %d at %v", c.synced, got, levels, len(g.numbers())-stored, c.commits, c.levels)
			}
		}
	})
}

// TestGroupMemberFails: it takes back its own and nothing else, wherever it stands, and however it fails.
func TestGroupMemberFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fail := func(n int) func(*sql.Tx) error {
		return func(t *sql.Tx) error { return errors.Join(add(n)(t), boom) }
	}
	withGroup(t, func(g *groupTest) {
		gate := make(chan struct{})
		g.start(g.Context(), func(t *sql.Tx) error { <-gate; return fail(100)(t) }, boom)
		g.start(g.Context(), add(1), nil)
		g.start(g.Context(), fail(101), boom)
		g.start(g.Context(), add(2), nil)
		g.all.Go(func() {
			defer func() {
				if p := recover(); p != "boom" {
					g.Errorf("got panic %v", p)
				}
			}()
			g.run(g.Context(), true, func(t *sql.Tx) error { add(102)(t); panic("boom") })
		})
		synctest.Wait()
		ending, cancel := context.WithCancel(g.Context())
		g.start(ending, func(t *sql.Tx) error { cancel(); return add(103)(t) }, context.Canceled)
		g.start(g.Context(), add(3), nil)
		g.start(g.Context(), fail(104), boom) // the last one, which commits for the others
		close(gate)
		g.all.Wait()
		g.want(1, 2, 3)
	})
}

// TestGroupGivesUpWaiting: the batch that was left open for the one that gave up is committed, and nothing of it is stored.
func TestGroupGivesUpWaiting(t *testing.T) {
	t.Parallel()
	withGroup(t, func(g *groupTest) {
		release := g.held(1)
		ctx, cancel := context.WithCancel(g.Context())
		g.start(ctx, add(100), context.Canceled)
		cancel()
		synctest.Wait()
		release()
		g.want(1)
		g.start(g.Context(), add(2), nil)
		g.all.Wait()
		g.want(1, 2)
	})
}

// TestGroupLosesItsTransaction: as when the disk is full, SQLite has rolled back on account of one member. The others are told to run again.
func TestGroupLosesItsTransaction(t *testing.T) {
	t.Parallel()
	withGroup(t, func(g *groupTest) {
		full := errors.New("full")
		gate := make(chan struct{})
		g.start(g.Context(), func(t *sql.Tx) error { <-gate; return add(1)(t) }, errTakenBack)
		g.start(g.Context(), add(2), errTakenBack)
		g.start(g.Context(), func(t *sql.Tx) error {
			if _, err := t.Exec("ROLLBACK"); err != nil {
				return err
			}
			return full
		}, full)
		g.start(g.Context(), add(3), nil)
		close(gate)
		g.all.Wait()
		g.want(3)
	})
}

// TestGroupCommitFails: all who had a part are told.
func TestGroupCommitFails(t *testing.T) {
	t.Parallel()
	withGroup(t, func(g *groupTest) {
		if _, err := g.db.Exec("CREATE TABLE parts (of INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)"); err != nil {
			g.Fatal(err)
		}
		broken := make(chan error, 2)
		gate := make(chan struct{})
		for _, fn := range []func(*sql.Tx) error{
			func(t *sql.Tx) error { <-gate; return add(1)(t) },
			func(t *sql.Tx) error { _, err := t.Exec("INSERT INTO parts (of) VALUES (99)"); return err },
		} {
			g.all.Go(func() { broken <- g.run(g.Context(), true, fn) })
			synctest.Wait()
		}
		close(gate)
		g.all.Wait()
		for range 2 {
			if err := <-broken; err == nil || errors.Is(err, errTakenBack) {
				g.Errorf("got %v, want the refusal of the commit", err)
			}
		}
		g.start(g.Context(), add(2), nil)
		g.all.Wait()
		g.want(2)
	})
}
