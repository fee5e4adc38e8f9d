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
// (pipeline.go), where checks of tokens share a statement (gather.go).
//
// The files carry the names of those of package auth whose types they store.
package store

import (
	"cmp"
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
	// Beside opens a SQLite file that a server may have open, and a PostgreSQL database that may be behind what was acknowledged: for a short
	// piece of an operator's work, never to serve.
	Beside bool
	// Patience is how long PostgreSQL may leave a statement, a commit or the wish for a connection without an answer. Zero: 2 s.
	Patience time.Duration
	// MaxConns bounds the connections to PostgreSQL, and the readers of SQLite, which has one writer beside them. Zero: 16 and 8.
	MaxConns int
	// OnStatement, if set, is called with each SQL statement of a verb, not with BEGIN, COMMIT and ROLLBACK.
	OnStatement func(query string)
	// OnTx, if set, is called with "update", "write" or "write unsynced" at the start of each try of a write transaction.
	OnTx func(kind string)
}

// Store is an auth.Store. Its methods may be called concurrently.
type Store struct {
	dialect dialect
	live    liveQueries
	reader  *sql.DB
	writer  *sql.DB  // on PostgreSQL the same as reader
	group   *group   // of the writers of a SQLite file; nil on PostgreSQL
	breaker *breaker // of a SQLite file; nil on PostgreSQL

	// On PostgreSQL; nil and zero on SQLite.
	conns     lane // a connection for everybody on it
	writing   lane // of the writers, who leave some to those who read
	gathering *gathering
	patience  time.Duration
	guard     *guard
	certain   certain

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
	if namesPostgres(dsn) {
		s, err := connectPostgres(ctx, dsn, o)
		return s, advised(err)
	}
	if dsn == "" || strings.ContainsAny(dsn, ":=@") { // what was meant may hold a password, and must not become a file
		return nil, errors.New("database: want sqlite:FILE or postgres://…")
	}
	return connectSQLite(ctx, dsn, o)
}

func namesPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := errors.Join(s.Failure(), s.Behind()); err != nil {
		return err
	}
	if s.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
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
	until := s.answerBy()
	for try := 1; ; try++ {
		if err := cmp.Or(ctx.Err(), s.Behind()); err != nil {
			return err
		}
		err := s.view(ctx, until, fn)
		if err == nil || !s.gone(err) || try == maxTries || past(until) || wait(ctx, try) != nil {
			return s.judged(err)
		}
	}
}

// answerBy is by when the database has to have answered what it is asked now; zero: whenever it likes.
func (s *Store) answerBy() time.Time {
	if s.patience == 0 {
		return time.Time{}
	}
	return time.Now().Add(s.patience)
}

func past(until time.Time) bool { return !until.IsZero() && time.Now().After(until) }

// within is ctx for what has to be answered by a time.
func within(ctx context.Context, until time.Time) context.Context {
	if until.IsZero() {
		return ctx
	}
	return patient{ctx, until}
}

// judged gives an error its name that says that the database is not there, or does not answer in time.
func (s *Store) judged(err error) error {
	if err == nil || s.dialect.silent == nil || !s.dialect.silent(err) && !s.dialect.lost(err) {
		return err
	}
	if errors.Is(err, errSilent) { // then those that lie idle may be cut off as well
		s.dropIdle()
	}
	return fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
}

// gone reports whether an error says that a connection is lost. Where one is, those that lie idle are as a rule, too, and are not tried.
func (s *Store) gone(err error) bool {
	if !s.dialect.lost(err) {
		return false
	}
	s.dropIdle()
	return true
}

func (s *Store) dropIdle() {
	s.reader.SetMaxIdleConns(0)
	s.reader.SetMaxIdleConns(s.dialect.idle)
}

// view is one try of a View. Most views are one statement, which sees one snapshot by itself and needs no transaction around it. At a
// second statement view starts over inside a transaction, so fn may be run twice.
func (s *Store) view(ctx context.Context, until time.Time, fn func(auth.Reads) error) error {
	if err := s.conns.enter(ctx, until); err != nil {
		return blame(ctx, "view", err)
	}
	defer s.conns.leave()
	h := &handle{DBTX: s.reader, store: s, until: until, single: true}
	err := fn(newReads(ctx, h))
	if !h.again {
		return err
	}
	t, err := s.reader.BeginTx(within(ctx, until), s.dialect.view)
	if err != nil {
		return blame(ctx, "begin view", err)
	}
	defer t.Rollback()
	return fn(newReads(ctx, &handle{DBTX: t, store: s}))
}

// Update implements auth.Store.
func (s *Store) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return s.transact(ctx, update, func(t *tx) error { return fn(t) })
}

// Write implements auth.Store.
func (s *Store) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return s.transact(ctx, write, func(t *tx) error { return fn(t) })
}

// WriteUnsynced implements auth.Store.
func (s *Store) WriteUnsynced(ctx context.Context, fn func(auth.Writes) error) error {
	return s.transact(ctx, writeUnsynced, func(t *tx) error { return fn(t) })
}

// kind is which of the methods of an auth.Store a write transaction is.
type kind string

const (
	update        kind = "update"
	write         kind = "write"
	writeUnsynced kind = "write unsynced"
)

// tx is both halves of an auth.Tx over one handle.
type tx struct {
	reads
	writes
}

// maxTries bounds how often a transaction is run that other ones keep getting in the way of.
const maxTries = 12

// transact runs fn in a write transaction until it commits, fails for good, or has been tried maxTries times.
func (s *Store) transact(ctx context.Context, k kind, fn func(*tx) error) error {
	until := s.answerBy()
	for try := 1; ; try++ {
		err := cmp.Or(ctx.Err(), s.Behind())
		if err != nil {
			return err
		}
		var again bool
		if again, err = s.attempt(ctx, k, try, until, fn); !again {
			return s.judged(err)
		}
		if s.dialect.retryable(err) { // the database has answered
			until = s.answerBy()
		}
		if try == maxTries || past(until) {
			return fmt.Errorf("%s: gave up after %d tries: %w", k, try, s.judged(err))
		}
		if err := wait(ctx, try); err != nil {
			return fmt.Errorf("%s: %w", k, err)
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
func (s *Store) attempt(ctx context.Context, k kind, try int, until time.Time, fn func(*tx) error) (again bool, err error) {
	if s.options.OnTx != nil {
		s.options.OnTx(string(k))
	}
	if s.group != nil {
		err := s.group.run(ctx, k != writeUnsynced, func(t *sql.Tx) error { _, err := s.inside(ctx, t, time.Time{}, fn); return err })
		return s.dialect.retryable(err), err
	}
	for _, l := range []lane{s.writing, s.conns} {
		if err := l.enter(ctx, until); err != nil {
			return false, blame(ctx, "begin "+string(k), err)
		}
		defer l.leave()
	}
	whole := context.WithoutCancel(ctx) // statements look at ctx before they begin, and a COMMIT is not to be given up
	p, err := newPipeline(within(whole, until), s)
	if err != nil {
		return s.gone(err), blame(ctx, "begin "+string(k), err)
	}
	defer p.close(whole) // after a commit it only gives the connection back
	p.begin(k, try)
	h, err := s.inside(ctx, p, until, fn)
	if err != nil { // nothing was committed
		return s.dialect.retryable(h.doomed) || s.gone(h.doomed), err
	}
	if err := ctx.Err(); err != nil {
		return false, blame(ctx, "commit "+string(k), err)
	}
	if undone, err := p.commit(within(whole, s.answerBy())); err != nil {
		return s.dialect.retryable(err) || undone && s.gone(err), blame(ctx, "commit "+string(k), err)
	}
	if k != writeUnsynced { // which the database may lose, and be none the worse for it
		s.guard.acknowledge(h.mark)
	}
	return false, nil
}

// inside runs fn on a transaction. It must not be committed after an error; the handle has that of a statement, if one failed.
func (s *Store) inside(ctx context.Context, t sqlc.DBTX, until time.Time, fn func(*tx) error) (_ *handle, err error) {
	h := &handle{DBTX: t, store: s, until: until}
	err = fn(&tx{newReads(ctx, h), newWrites(ctx, h)})
	if before := (*earlier)(nil); err == nil || errors.As(err, &before) {
		err = h.doomed
	}
	return h, err
}

// lane is a way that as many may be on at a time as it has room for. Who waits is let in in turn. A nil lane has no end of room.
type lane chan struct{}

// enter waits until there is room, until errSilent or the end of ctx.
func (l lane) enter(ctx context.Context, until time.Time) error {
	if l == nil {
		return nil
	}
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	late := time.NewTimer(time.Until(until))
	defer late.Stop()
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return fmt.Errorf("%w: all connections are in use", errSilent)
	}
}

func (l lane) leave() {
	if l != nil {
		<-l
	}
}

// dialect is what the two databases differ in.
type dialect struct {
	view *sql.TxOptions

	retryable func(error) bool // the transaction lost a race and may be run again
	lost      func(error) bool // there is no connection; whatever has changed nothing yet may be run again on another one
	silent    func(error) bool // there was no answer in time; nil: there always is one
	parts     int64            // how many rows share a tenant's counts; 0: one
	idle      int              // connections that are kept, where any can be lost
	duplicate func(error) bool // a key is taken
	orphan    func(error) bool // a row names a parent that does not exist
	release   func() error     // called after the last connection is closed; may be nil

	// detach returns the context for a statement of one that may end; may be nil.
	detach func(ctx context.Context, query string) context.Context

	goose    goose.Dialect
	adapt    func(string) string // what becomes of a text of SQL that names collations, as PostgreSQL does, or an index, as SQLite does
	locker   lock.SessionLocker  // keeps two processes from migrating at once; may be nil
	versions string              // a query for the number of tables that hold the schema's version
}

// newReads and newWrites give the verbs of auth.Reads and auth.Writes over one handle.
func newReads(ctx context.Context, h *handle) reads   { return reads{ctx, sqlc.New(h), h} }
func newWrites(ctx context.Context, h *handle) writes { return writes{ctx, sqlc.New(h), h} }
