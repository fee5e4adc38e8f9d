package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// breaker refuses every statement on a SQLite file from the first one on whose read, write or sync the disk fails. After a failed sync the
// system takes what was not written for written: whoever asks again is told of a success that the next start need not show.
type breaker struct {
	broken chan struct{} // closed when it is
	once   sync.Once
	why    error // to be read after broken
}

func newBreaker() *breaker { return &breaker{broken: make(chan struct{})} }

// diskFails reports whether an error is one of the disk. That it is full is none, nor that a process has no handle or memory left.
func diskFails(err error) bool {
	return sqliteCode(sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
		sqlite3.SQLITE_IOERR_TRUNCATE)(err)
}

// closed returns why nothing is done any more, and nil while all is well.
func (b *breaker) closed() error {
	select {
	case <-b.broken:
		return b.why
	default:
		return nil
	}
}

// see returns err, and breaks if the disk is to blame.
func (b *breaker) see(err error) error {
	if err != nil && diskFails(err) {
		b.once.Do(func() {
			b.why = fmt.Errorf("the disk of the database fails, and nothing that was written since can be relied on: %w", err)
			close(b.broken)
		})
	}
	return err
}

// Broken is closed when the disk of a SQLite database fails, which Failure tells. Nothing is read or written any more then: the process has to
// be started anew, and must not Close the store before it ends, which would write. A PostgreSQL server that this happens to ends its
// connections itself.
func (s *Store) Broken() <-chan struct{} {
	if s.breaker == nil {
		return nil
	}
	return s.breaker.broken
}

// Failure returns why the store is broken, or nil.
func (s *Store) Failure() error {
	if s.breaker == nil {
		return nil
	}
	return s.breaker.closed()
}

// breakingTx is a transaction whose commit is watched.
type breakingTx struct {
	driver.Tx
	breaker *breaker
}

// Commit implements driver.Tx.
func (t breakingTx) Commit() error { return t.breaker.see(t.Tx.Commit()) }

// rewrite writes a write-ahead log once more that an earlier process has left behind, and syncs it. What that process could not sync is still
// to be read, from the system's memory, but the system will not write it again: SQLite would go on behind it, and with the power it and all
// that came after it were gone.
func rewrite(log string) (err error) {
	f, err := os.OpenFile(log, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	chunk := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := f.ReadAt(chunk, at)
		if _, werr := f.WriteAt(chunk[:n], at); werr != nil {
			return fmt.Errorf("write the log once more: %w", werr)
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return f.Sync()
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
}
