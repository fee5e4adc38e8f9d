package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"countersign/internal/auth"
)

// sqliteError is an error with one of SQLite's extended result codes.
type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprintf("SQLite error %d", int(e)) }
func (e sqliteError) Code() int     { return int(e) }

// TestDiskErrorsBreakTheStore is C-13: after an error of the disk nothing is read or written any more, and after any other one all is as before.
func TestDiskErrorsBreakTheStore(t *testing.T) {
	t.Parallel()
	for code, breaks := range map[int]bool{
		sqlite3.SQLITE_IOERR_READ: true, sqlite3.SQLITE_IOERR_WRITE: true, sqlite3.SQLITE_IOERR_FSYNC: true,
		sqlite3.SQLITE_IOERR_DIR_FSYNC: true, sqlite3.SQLITE_IOERR_TRUNCATE: true,
		sqlite3.SQLITE_FULL: false, sqlite3.SQLITE_BUSY: false, sqlite3.SQLITE_IOERR_NOMEM: false, sqlite3.SQLITE_INTERRUPT: false,
	} {
		s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.breaker.see(sqliteError(code)); got != sqliteError(code) {
			t.Errorf("code %d: became %v", code, got)
		}
		read := s.View(t.Context(), func(r auth.Reads) error { _, err := r.Revision(); return err })
		write := s.Write(t.Context(), func(w auth.Writes) error { return w.SetMeta("name", "value") })
		for _, err := range []error{read, write, s.Failure()} {
			if breaks != (err != nil) || breaks && !errors.Is(err, sqliteError(code)) {
				t.Errorf("code %d: got %v", code, err)
			}
		}
		select {
		case <-s.Broken():
			if !breaks {
				t.Errorf("code %d: broken", code)
			}
		default:
			if breaks {
				t.Errorf("code %d: not broken", code)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// failingConn is a connection on which everything fails.
type failingConn struct {
	baseConn
	err error
}

func (c failingConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c, nil }
func (c failingConn) Commit() error                                                { return c.err }
func (c failingConn) Rollback() error                                              { return c.err }

func (c failingConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return failingStatement{err: c.err}, nil
}

func (c failingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, c.err
}

func (c failingConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, c.err
}

type failingStatement struct {
	statement
	err error
}

func (s failingStatement) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return nil, s.err
}

func (s failingStatement) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return nil, s.err
}

// TestEveryWayToTheDiskIsWatched: whichever call meets an error first, no other one gets through after it.
func TestEveryWayToTheDiskIsWatched(t *testing.T) {
	t.Parallel()
	const kept, plain = "-- name: Kept :exec\nSELECT 1", "SELECT 1"
	ways := map[string]func(*sqliteConn) error{
		"commit": func(c *sqliteConn) error {
			tx, err := c.BeginTx(context.Background(), driver.TxOptions{})
			if err != nil {
				return err
			}
			return tx.Commit()
		},
		"exec":       func(c *sqliteConn) error { _, err := c.ExecContext(context.Background(), plain, nil); return err },
		"query":      func(c *sqliteConn) error { _, err := c.QueryContext(context.Background(), plain, nil); return err },
		"exec kept":  func(c *sqliteConn) error { _, err := c.ExecContext(context.Background(), kept, nil); return err },
		"query kept": func(c *sqliteConn) error { _, err := c.QueryContext(context.Background(), kept, nil); return err },
	}
	for first, meet := range ways {
		b := newBreaker()
		c := &sqliteConn{baseConn: failingConn{err: sqliteError(sqlite3.SQLITE_IOERR_FSYNC)}, statements: map[string]statement{}, breaker: b}
		if err := meet(c); err == nil || b.closed() == nil {
			t.Errorf("%s: got %v, and the store is not broken", first, err)
		}
		whole := &sqliteConn{baseConn: failingConn{}, statements: map[string]statement{}, breaker: b}
		for next, again := range ways {
			if err := again(whole); !errors.Is(err, b.closed()) {
				t.Errorf("%s after %s: got %v", next, first, err)
			}
		}
		if _, err := (sqliteConnector{"file::memory:", &sqlite.Driver{}, b}).Connect(context.Background()); !errors.Is(err, b.closed()) {
			t.Errorf("connect after %s: got %v", first, err)
		}
	}
}

// TestLogOfBeforeIsWrittenOnceMore: as it was, whatever its size.
func TestLogOfBeforeIsWrittenOnceMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := rewrite(filepath.Join(dir, "none")); err != nil {
		t.Errorf("no log: %v", err)
	}
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 3<<20 - 1} {
		path, text := filepath.Join(dir, fmt.Sprint(size)), make([]byte, size)
		for i := range text {
			text[i] = byte(i * i >> 8)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(path); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != string(text) {
			t.Errorf("%d bytes: %d bytes came back, or others, %v", size, len(got), err)
		}
	}
}
