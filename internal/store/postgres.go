package store

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// OpenPostgres opens a PostgreSQL database by its URL. Whether to insist on a verified server is for the URL's sslmode to say. The rest
// is as with Open.
func OpenPostgres(ctx context.Context, dsn string, o Options) (*Store, error) {
	s, err := connectPostgres(ctx, dsn, o)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s.ready(ctx)
}

// connectPostgres opens the database without a look at its schema.
func connectPostgres(ctx context.Context, dsn string, o Options) (*Store, error) {
	config, err := postgresConfig(dsn)
	if err != nil {
		return nil, err
	}
	patience := cmp.Or(o.Patience, 2*time.Second)
	conns := cmp.Or(o.MaxConns, 16)
	g := &guard{keep: conns}
	db := sql.OpenDB(newPatientConnector(config, patience, stdlib.OptionAfterConnect(setUp(patience, g))))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	// A token is checked by one short statement. Without connections that no writer has it would wait for all of them.
	writing := make(lane, max(1, conns-max(1, conns/4)))
	s := &Store{options: o, reader: db, writer: db, conns: make(lane, conns), writing: writing, patience: patience, guard: g, dialect: dialect{
		view:      &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		retryable: lostRace,
		lost:      connectionLost,
		silent:    func(err error) bool { return errors.Is(err, errSilent) || stopped(err) },
		detach:    detachShort,
		idle:      conns,
		parts:     64,
		duplicate: postgresCode("23505"), // unique_violation
		orphan:    postgresCode("23503"), // foreign_key_violation
		goose:     goose.DialectPostgres,
		adapt:     func(text string) string { return strings.ReplaceAll(text, byManager, "") },
		locker:    advisoryLock{patience},
		versions:  "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')",
	}}
	s.live = newLiveQueries(func(columns string) string { return columns })
	s.gathering = newGathering(s.live.bearer, 10*time.Millisecond)
	var encoding string
	if err := db.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return nil, errors.Join(blame(ctx, "connect", err), db.Close())
	}
	if encoding != "UTF8" {
		return nil, errors.Join(fmt.Errorf("the database is encoded in %s: want UTF8", encoding), db.Close())
	}
	return s, nil
}

// setUp returns what is done with a new connection. It is done by statements and not by parameters of the connection since poolers refuse parameters
// that they do not know.
//
// The server does not compile queries that it takes for long ones: Shapes runs for less than a millisecond, and compiles for thirty. It does
// not read a table from end to end where there is an index: whatever table was small when a connection made its plan is read so until there
// are new statistics, however much it grows. It stops a statement shortly before its caller gives up, as one that waits for a locked table:
// given up alone, it would stay there, and hold a connection, while others come. And it ends a transaction that goes on with nothing, and holds
// locks, since its node is gone or cut off.
//
// A connection that leads to a database which is behind is not used.
func setUp(patience time.Duration, g *guard) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("SET jit = off; SET enable_seqscan = off; SET idle_in_transaction_session_timeout = %d; %s",
			5*patience.Milliseconds(), setStop(patience*4/5)))
		if err == nil && g.on.Load() {
			err = g.look(ctx, conn)
		}
		if err != nil {
			return errors.Join(err, conn.Close(ctx)) // nobody else does
		}
		return nil
	}
}

// setStop is the statement by which a connection's later ones are stopped after a time; zero: never.
func setStop(after time.Duration) string {
	return fmt.Sprintf("SET statement_timeout = %d", after.Milliseconds())
}

// stopped reports whether the server has stopped a statement.
func stopped(err error) bool { return postgresCode("57014")(err) } // query_canceled

// Unverified reports whether dsn names a PostgreSQL server on another machine that would be reached without a verified certificate, be it one of
// several, or one that the environment names. What cannot be read is for Open to refuse.
func Unverified(dsn string) bool {
	if !namesPostgres(dsn) {
		return false
	}
	config, err := postgresConfig(dsn)
	if err != nil {
		return false
	}
	open := func(host string, t *tls.Config) bool {
		addr, err := netip.ParseAddr(host)
		local := strings.HasPrefix(host, "/") || host == "localhost" || err == nil && addr.IsLoopback()
		return !local && (t == nil || t.InsecureSkipVerify)
	}
	return open(config.Host, config.TLSConfig) || slices.ContainsFunc(config.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return open(f.Host, f.TLSConfig)
	})
}

// postgresConfig reads a URL. Its errors say nothing of what they are about, since a URL that cannot be read cannot be relieved of its
// password either; but for TLS, which the library names apart.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil && strings.Contains(err.Error(), "failed to configure TLS") {
		return nil, fmt.Errorf("the URL's sslmode, or a file that it names for TLS: %w", errors.Unwrap(err))
	}
	if err != nil {
		return nil, errors.New("the URL is not valid: special characters in user name and password must be percent-encoded")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "countersign"
	}
	return config, nil
}

// lostRace reports whether a transaction may be run again since another was in its way. PostgreSQL finds that by itself, but for rows that were
// added below one which is then deleted.
func lostRace(err error) bool {
	return postgresCode("40001", "40P01")(err) || errors.Is(err, errOvertaken) // serialization_failure, deadlock_detected
}

// postgresCode returns a function that reports whether an error has one of the SQLSTATE codes.
func postgresCode(codes ...string) func(error) bool {
	return func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && slices.Contains(codes, e.Code)
	}
}

// connectionLost reports whether a statement failed since there was no connection, or none any more. A pool finds out about those that
// have died while they lay idle, as all do at a failover, one by one and by such failures.
func connectionLost(err error) bool {
	var broken *net.OpError
	var refused *pgconn.ConnectError
	gone := postgresCode("57P01", "57P02", "57P03", "53300") // ended by an operator, or by a crash; starting up; too many connections
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) || errors.As(err, &refused) || gone(err) ||
		unsent(err)
}

// unsent reports whether a statement failed before any of it was sent, on a connection that was already known to be lost. Of a COMMIT it is not
// to be believed: pgx says so of one whose answer never came, too.
func unsent(err error) bool {
	return pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// advisoryLock lets one process migrate at a time, and for as long as it takes.
type advisoryLock struct{ patience time.Duration }

// migrationLock is an arbitrary number that nothing else in the database may lock.
const migrationLock = 0x636f756e746572 // "counter"

// SessionLock implements lock.SessionLocker.
func (advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, setStop(0)); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock))
	return err
}

// SessionUnlock implements lock.SessionLocker.
func (l advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	_, back := conn.ExecContext(ctx, setStop(l.patience*4/5))
	return errors.Join(err, back)
}
