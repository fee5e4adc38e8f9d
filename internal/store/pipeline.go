package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a write transaction on PostgreSQL that spares round trips, of which each costs a switch to the database's process and back:
// BEGIN travels with the first statement, and a statement whose result nobody waits for (see writes.expect) with the next one that somebody
// does wait for, or all of them together before the COMMIT. That stays apart, so that it is sent only when the statements did what they should,
// and a connection that is lost before has changed nothing.
type pipeline struct {
	conn     *sql.Conn
	patience time.Duration // with the end
	open     bool          // BEGIN was sent
	steps    []step        // not sent yet
}

// step is a statement that waits to be sent.
type step struct {
	query string
	args  []any
	expected
}

// expected is what a statement has to do when nobody waits to see it done.
type expected struct {
	verb  string
	rows  int64 // that it changes, or more
	short error // what it means that there were fewer
}

// newPipeline takes a connection. Nothing is sent yet.
func newPipeline(ctx context.Context, db *sql.DB, patience time.Duration) (*pipeline, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &pipeline{conn: conn, patience: patience}, nil
}

// begin begins a transaction, with the first statement that somebody waits for.
func (p *pipeline) begin(k kind, try int) {
	isolation := "READ COMMITTED"
	if k == update {
		isolation = "SERIALIZABLE"
	}
	p.later("BEGIN ISOLATION LEVEL "+isolation, nil, expected{verb: "begin"})
	switch k {
	case update:
		p.takeTurn(try)
	case writeUnsynced: // the log is one, so who waits for a later commit, on the disk or on a standby, has waited for this one
		p.later("SET LOCAL synchronous_commit = off", nil, expected{verb: "begin"})
	}
}

// takeTurn lets the first try of an Update run beside other first tries, and each later one alone. PostgreSQL finds that two
// transactions are in each other's way by the pages of an index they touched, and while tables are small those of all users share a
// page: without turns some of many parallel Updates lose every time. The lock comes before the transaction's snapshot, or else it would
// wait only to work on what is out of date.
func (p *pipeline) takeTurn(try int) {
	mode := "ROW SHARE"
	if try > 1 {
		mode = "EXCLUSIVE"
	}
	p.later("LOCK TABLE turns IN "+mode+" MODE", nil, expected{verb: "take turn"})
}

// later leaves a statement to be sent with others.
func (p *pipeline) later(query string, args []any, e expected) {
	p.steps = append(p.steps, step{query, args, e})
}

// ExecContext implements sqlc.DBTX.
func (p *pipeline) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tag, err := p.send(ctx, &step{query: query, args: args})
	return driver.RowsAffected(tag.RowsAffected()), err
}

// QueryContext implements sqlc.DBTX.
func (p *pipeline) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.flush(ctx); err != nil {
		return nil, &earlier{err}
	}
	return p.conn.QueryContext(ctx, query, args...)
}

// PrepareContext and QueryRowContext implement sqlc.DBTX, and are not for transactions.
func (p *pipeline) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, errors.ErrUnsupported
}

func (p *pipeline) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.conn.QueryRowContext(ctx, query, args...)
}

// flush sends what waits, unless that is no more than the BEGIN of a transaction in which nothing was to be done.
func (p *pipeline) flush(ctx context.Context) error {
	if len(p.steps) == 0 {
		return nil
	}
	_, err := p.send(ctx, nil)
	return err
}

// send sends all statements that wait, and the last one, if there is one, whose result it returns. An error of one that has waited is
// an *earlier where there is a last one, which is not to be taken for its reason.
func (p *pipeline) send(ctx context.Context, last *step) (tag pgconn.CommandTag, err error) {
	steps := p.steps
	p.steps = nil
	err = p.raw(ctx, func(conn *pgx.Conn) error {
		var batch pgx.Batch
		for _, s := range steps {
			batch.Queue(s.query, s.args...)
		}
		if last != nil {
			batch.Queue(last.query, last.args...)
		}
		p.open = true
		results := conn.SendBatch(ctx, &batch)
		err := settle(ctx, results, steps)
		if last != nil {
			if err != nil {
				err = &earlier{err}
			} else {
				tag, err = results.Exec()
			}
		}
		return cmp.Or(err, results.Close())
	})
	return tag, err
}

// settle reads the results of statements that nobody waited for.
func settle(ctx context.Context, results pgx.BatchResults, steps []step) error {
	for _, s := range steps {
		tag, err := results.Exec()
		if err != nil {
			return blame(ctx, s.verb, err)
		}
		if tag.RowsAffected() < s.rows {
			return fmt.Errorf("%s: %w", s.verb, s.short)
		}
	}
	return nil
}

// earlier is the error of a statement before the one that returned it. It is ErrExists or ErrNotFound to nobody, who would take it for the
// answer to their own.
type earlier struct{ cause error }

// Error implements error.
func (e *earlier) Error() string { return "an earlier statement: " + e.cause.Error() }

// commit makes the transaction last. flush comes before it.
func (p *pipeline) commit(ctx context.Context) error {
	if !p.open {
		return nil
	}
	return p.raw(ctx, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, "COMMIT")
		if err == nil && tag.String() != "COMMIT" {
			err = errors.New("the transaction was rolled back")
		}
		return err
	})
}

// close undoes what was not committed and gives the connection back. One that does not undo in time is closed.
func (p *pipeline) close(ctx context.Context) {
	ctx = within(ctx, time.Now().Add(p.patience))
	_ = p.raw(ctx, func(conn *pgx.Conn) error {
		if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
			return nil
		}
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			return conn.Close(ctx)
		}
		return nil
	})
	_ = p.conn.Close() // it fails only for one that is closed
}

// raw runs f, which asks for something with ctx, on the driver's own connection.
func (p *pipeline) raw(ctx context.Context, f func(*pgx.Conn) error) error {
	return p.conn.Raw(func(c any) error {
		conn := c.(*patientConn)
		conn.begin(ctx)
		return f(conn.Conn.Conn())
	})
}
