// Package store is auth.Store in SQL, on SQLite and on PostgreSQL.
//
// It owns the schema (migrations/), the queries (queries/, compiled into
// sqlc/), the mapping between rows and the types of package auth, and what a
// transaction is on each database. It holds no rule: it does not know when a
// session is alive or an account locked.
//
// One text of schema and queries serves both databases. What differs is a
// dialect, declared once in sqlite.go and once in postgres.go: how to open,
// how to isolate, which errors mean "again" and which "taken", and how two
// processes that migrate at once keep out of each other's way. Writers share
// a commit on SQLite (group.go), and spare round trips on PostgreSQL
// (pipeline.go).
//
// The files carry the names of those of package auth whose types they store.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Options say how a store is opened. The zero value is good for production.
type Options struct {
	// Migrate brings the schema up to date instead of refusing an older one.
	Migrate bool
	// Beside opens a SQLite file that a server may have open: for a short piece of an operator's work, never to serve.
	Beside bool
	// MaxConns bounds the connections to PostgreSQL, and the readers of SQLite, which has one writer beside them. Zero: 16 and 8.
	MaxConns int
	// OnStatement, if set, is called with each SQL statement of a verb, not with BEGIN, COMMIT and ROLLBACK.
	OnStatement func(query string)
	// OnTx, if set, is called with "update" or "write" at the start of each try of a write transaction.
	OnTx func(kind string)
}

// Store is an auth.Store. Its methods may be called concurrently.
type Store struct {
	dialect dialect
	reader  *sql.DB
	writer  *sql.DB  // on PostgreSQL the same as reader
	group   *group   // of the writers of a SQLite file; nil on PostgreSQL
	breaker *breaker // of a SQLite file; nil on PostgreSQL
	writing lane     // of the writers of PostgreSQL, who leave some connections to those who read; nil on SQLite
	options Options
}

var _ auth.Store = (*Store)(nil)

// Open opens the database that dsn names: "sqlite:FILE" or a bare file name, or a PostgreSQL URL. It refuses a schema that
// is not the one this binary was built for, unless Options.Migrate is set and the schema is older. No error holds the dsn, which may
// hold a password.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	s, err := connect(ctx, dsn, o)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s.ready(ctx)
}

// connect opens the database without a look at its schema.
func connect(ctx context.Context, dsn string, o Options) (*Store, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return connectSQLite(ctx, path, o)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return connectPostgres(ctx, dsn, o)
	}
	if dsn == "" || strings.ContainsAny(dsn, ":=@") { // what was meant may hold a password, and must not become a file
		return nil, errors.New("database: want sqlite:FILE or postgres://…")
	}
	return connectSQLite(ctx, dsn, o)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Failure(); err != nil {
		return err
	}
	if err := s.reader.PingContext(ctx); err != nil {
		return fmt.Errorf("ping store: %w", err)
	}
	return nil
}

// Close waits for running transactions and closes the database.
func (s *Store) Close() error {
	var err error
	if s.reader != s.writer {
		err = s.reader.Close() // first, so that the writer is the last one and folds the log back into the file
	}
	err = errors.Join(err, s.writer.Close())
	if s.dialect.release != nil {
		err = errors.Join(err, s.dialect.release())
	}
	return err
}

// View implements auth.Store. It starts over on another connection when the one that it had is gone.
func (s *Store) View(ctx context.Context, fn func(auth.Reads) error) error {
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.view(ctx, fn)
		if err == nil || !s.gone(err) || try == maxTries || wait(ctx, try) != nil {
			return err
		}
	}
}

// gone reports whether an error says that a connection is lost. Where one is, those that lie idle are as a rule, too, and are not tried.
func (s *Store) gone(err error) bool {
	if !s.dialect.lost(err) {
		return false
	}
	s.reader.SetMaxIdleConns(0)
	s.reader.SetMaxIdleConns(s.dialect.idle)
	return true
}

// view is one try of a View. Most views are one statement, which sees one snapshot by itself and needs no transaction around it. At a
// second statement view starts over inside a transaction, so fn may be run twice.
func (s *Store) view(ctx context.Context, fn func(auth.Reads) error) error {
	h := &handle{DBTX: s.reader, store: s, single: true}
	err := fn(newReads(ctx, h))
	if !h.again {
		return err
	}
	t, err := s.reader.BeginTx(ctx, s.dialect.view)
	if err != nil {
		return blame(ctx, "begin view", err)
	}
	defer t.Rollback()
	return fn(newReads(ctx, &handle{DBTX: t, store: s}))
}

// Update implements auth.Store.
func (s *Store) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return s.transact(ctx, "update", s.dialect.update, func(t *tx) error { return fn(t) })
}

// Write implements auth.Store.
func (s *Store) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return s.transact(ctx, "write", s.dialect.write, func(t *tx) error { return fn(t) })
}

// tx is both halves of an auth.Tx over one handle.
type tx struct {
	reads
	writes
}

// maxTries bounds how often a transaction is run that other ones keep getting in the way of.
const maxTries = 12

// transact runs fn in a write transaction until it commits, fails for good, or has been tried maxTries times.
func (s *Store) transact(ctx context.Context, kind, begin string, fn func(*tx) error) error {
	for try := 1; ; try++ {
		err := ctx.Err()
		if err != nil {
			return err
		}
		var again bool
		if again, err = s.attempt(ctx, kind, try, begin, fn); !again {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("%s: gave up after %d tries: %w", kind, try, err)
		}
		if err := wait(ctx, try); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
}

// wait returns after the pause that follows the given number of tries.
func wait(ctx context.Context, tries int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause(tries)):
		return nil
	}
}

// pause returns how long to stay away after the given number of tries: a random time, twice as long on average after each.
func pause(tries int) time.Duration {
	return rand.N(time.Millisecond << min(tries, 7))
}

// attempt runs fn in one transaction and reports whether a failure is worth another try.
func (s *Store) attempt(ctx context.Context, kind string, try int, begin string, fn func(*tx) error) (again bool, err error) {
	if s.options.OnTx != nil {
		s.options.OnTx(kind)
	}
	if s.group != nil {
		err := s.group.run(ctx, func(t *sql.Tx) error { _, err := s.inside(ctx, t, fn); return err })
		return s.dialect.retryable(err), err
	}
	if err := s.writing.enter(ctx); err != nil {
		return false, blame(ctx, "begin "+kind, err)
	}
	defer s.writing.leave()
	p, err := newPipeline(ctx, s.writer, begin)
	if err != nil {
		return s.gone(err), blame(ctx, "begin "+kind, err)
	}
	defer p.close(ctx) // after a commit it only gives the connection back
	if kind == "update" {
		p.takeTurn(try)
	}
	doomed, err := s.inside(ctx, p, fn)
	if err == nil {
		err = p.flush(ctx)
		doomed = err
	}
	if err != nil { // nothing was committed
		return s.dialect.retryable(doomed) || s.gone(doomed), err
	}
	if err := p.commit(ctx); err != nil {
		return s.dialect.retryable(err), blame(ctx, "commit "+kind, err)
	}
	return false, nil
}

// inside runs fn on a transaction. It must not be committed after an error; doomed is that of a statement, if one failed.
func (s *Store) inside(ctx context.Context, t sqlc.DBTX, fn func(*tx) error) (doomed, err error) {
	h := &handle{DBTX: t, store: s}
	err = fn(&tx{newReads(ctx, h), newWrites(ctx, h)})
	if before := (*earlier)(nil); err == nil || errors.As(err, &before) {
		err = h.doomed
	}
	return h.doomed, err
}

// lane is a way that as many may be on at a time as it has room for. Who waits is let in in turn. A nil lane has no end of room.
type lane chan struct{}

func (l lane) enter(ctx context.Context) error {
	if l == nil {
		return nil
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lane) leave() {
	if l != nil {
		<-l
	}
}

// dialect is what the two databases differ in.
type dialect struct {
	view          *sql.TxOptions
	update, write string // how a transaction begins; empty where the group begins it

	retryable func(error) bool // the transaction lost a race and may be run again
	lost      func(error) bool // there is no connection; whatever has changed nothing yet may be run again on another one
	parts     int64            // how many rows share the number of a tenant's users; 0: one
	idle      int              // connections that are kept, where any can be lost
	duplicate func(error) bool // a key is taken
	orphan    func(error) bool // a row names a parent that does not exist
	release   func() error     // called after the last connection is closed; may be nil

	// detach returns the context for a statement of one that may end; may be nil.
	detach func(ctx context.Context, query string) context.Context

	goose    goose.Dialect
	adapt    func(string) string // what becomes of a text of SQL that names collations
	locker   lock.SessionLocker  // keeps two processes from migrating at once; may be nil
	versions string              // a query for the number of tables that hold the schema's version
}

// newReads and newWrites give the verbs of auth.Reads and auth.Writes over one handle.
func newReads(ctx context.Context, h *handle) reads   { return reads{ctx, sqlc.New(h), h} }
func newWrites(ctx context.Context, h *handle) writes { return writes{ctx, sqlc.New(h), h} }
