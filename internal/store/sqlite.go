package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFloor is the first SQLite without the bug by which two connections could corrupt a write-ahead log.
const sqliteFloor = "3.51.3"

// OpenSQLite opens the database in a file, which it makes with Options.Migrate if need be, readable by its owner alone. Only one process may
// have it open, but for those that say Options.Beside; a second is refused. The rest is as with Open.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := connectSQLite(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s.ready(ctx)
}

// connectSQLite opens the database without a look at its schema.
func connectSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	if err := notFile(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !o.Migrate {
		return nil, fmt.Errorf("there is no file %q: correct its name, or run countersign migrate, which makes it", path)
	}
	s, err := lockSQLite(ctx, path, o)
	if err != nil {
		return nil, advised(fmt.Errorf("%q: %w", path, err))
	}
	return s, nil
}

func lockSQLite(ctx context.Context, path string, o Options) (_ *Store, err error) {
	if path, err = makePrivate(path); err != nil {
		return nil, err
	}
	var release func() error
	if !o.Beside {
		if release, err = lockFile(path + ".lock"); err != nil {
			return nil, err
		}
		if err := rewrite(path + "-wal"); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	s := &Store{options: o, dialect: dialect{
		view:      &sql.TxOptions{ReadOnly: true}, // BEGIN; its first read fixes the snapshot
		retryable: func(err error) bool { return errors.Is(err, errTakenBack) },
		lost:      func(error) bool { return false },
		duplicate: sqliteCode(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE),
		orphan:    sqliteCode(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY),
		detach:    detachShort,
		release:   release,
		goose:     goose.DialectSQLite3,
		adapt:     func(text string) string { return strings.ReplaceAll(text, ` COLLATE "C"`, "") },
		versions:  "SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'",
	}}
	s.live = newLiveQueries(packColumns)
	s.breaker = newBreaker()
	driver, err := packingDriver()
	if err != nil {
		return nil, err
	}
	s.writer = s.sqlitePool(driver, path, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)")
	s.group = newGroup(s.writer)
	s.reader = s.sqlitePool(driver, path, cmp.Or(o.MaxConns, 8), "_pragma=query_only(1)")
	if err := checkSQLite(ctx, s.writer); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// detachShort lets a statement run to its end that has no LIMIT, as those that may look at many rows do. To watch a context costs more than
// such a statement, and one that is interrupted while it writes takes its whole transaction with it.
func detachShort(ctx context.Context, query string) context.Context {
	if strings.HasPrefix(query, "-- name: ") && !strings.Contains(query, "LIMIT") {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// sqlitePool returns a pool of connections that are kept once they are made.
func (s *Store) sqlitePool(driver *sqlite.Driver, path string, conns int, params ...string) *sql.DB {
	params = append(params,
		"_pragma=busy_timeout(5000)",
		"_pragma=synchronous("+synchronous+")",
		"_pragma=foreign_keys(1)",
		"_pragma=trusted_schema(0)",
		"_pragma=temp_store(MEMORY)",
		"_dqs=0",
	)
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(params, "&")
	db := sql.OpenDB(sqliteConnector{name, driver, s.breaker})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// checkSQLite opens the first connection, which makes the log, and checks what it got.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	var version, journal string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if compareVersions(version, sqliteFloor) < 0 {
		return fmt.Errorf("SQLite %s can corrupt the database: need %s", version, sqliteFloor)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" {
		return fmt.Errorf("the file system does not support a write-ahead log (journal mode %q)", journal)
	}
	return nil
}

// compareVersions compares dotted numbers.
func compareVersions(a, b string) int {
	number := func(s string) int {
		n, _ := strconv.Atoi(s)
		return n
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		return cmp.Compare(number(x), number(y))
	})
}

// makePrivate makes the file and its directory, whatever the umask, unless they exist, and returns the file's one true name. The
// write-ahead log gets the mode of the file.
func makePrivate(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return "", err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrExist):
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// lockFile takes a lock that the system gives back when the process ends, however it ends. The file stays, since removing it would let
// two processes lock two files of one name.
func lockFile(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("in use by another server, which holds %s; stop it, or name another file", path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f.Close, nil
}

// sqliteCode returns a function that reports whether an error is one of SQLite's extended result codes.
func sqliteCode(codes ...int) func(error) bool {
	return func(err error) bool {
		var e interface{ Code() int } // *sqlite.Error
		return errors.As(err, &e) && slices.Contains(codes, e.Code())
	}
}
