package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a write transaction on PostgreSQL that spares round trips, of which each costs a switch to the database's process and back:
// BEGIN travels with the first statement, and a statement whose result nobody waits for (see writes.expect) with the next one that somebody
// does wait for, or all of them together with the COMMIT, which is carried out only when they did what they should.
type pipeline struct {
	conn     *sql.Conn
	patience time.Duration // with the end
	certain  *certain
	open     bool   // BEGIN was sent
	steps    []step // not sent yet
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
func newPipeline(ctx context.Context, s *Store) (*pipeline, error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &pipeline{conn: conn, patience: s.patience, certain: &s.certain}, nil
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
	if e.rows > 0 {
		query = p.certain.text(query)
	}
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

// flush sends what waits.
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
	err = p.raw(ctx, func(conn *patientConn) error { tag, err = p.sendOn(ctx, conn, last); return err })
	return tag, err
}

func (p *pipeline) sendOn(ctx context.Context, conn *patientConn, last *step) (tag pgconn.CommandTag, err error) {
	steps := p.steps
	p.steps = nil
	var batch pgx.Batch
	for _, s := range steps {
		batch.Queue(s.query, s.args...)
	}
	if last != nil {
		batch.Queue(last.query, last.args...)
	}
	p.open = true
	results := conn.Conn.Conn().SendBatch(ctx, &batch)
	err = settle(ctx, results, steps)
	if last != nil {
		if err != nil {
			err = &earlier{err}
		} else {
			tag, err = results.Exec()
		}
	}
	return tag, cmp.Or(err, results.Close())
}

// settle reads the results of statements that nobody waited for.
func settle(ctx context.Context, results pgx.BatchResults, steps []step) error {
	for _, s := range steps {
		if _, err := results.Exec(); err != nil {
			if s.rows > 0 && fellShort(err) {
				return fmt.Errorf("%s: %w: %w", s.verb, s.short, err)
			}
			return blame(ctx, s.verb, err)
		}
	}
	return nil
}

// earlier is the error of a statement before the one that returned it. It is ErrExists or ErrNotFound to nobody, who would take it for the
// answer to their own.
type earlier struct{ cause error }

// Error implements error.
func (e *earlier) Error() string { return "an earlier statement: " + e.cause.Error() }

// commit makes the transaction last, with what still waits to be done in it. undone is whether after an error it has certainly changed
// nothing.
//
// Where the connection has been lost, nobody can say what became of a COMMIT that went with other statements. So it goes with them only on
// one that is still there, and otherwise when they have been answered.
func (p *pipeline) commit(ctx context.Context) (undone bool, err error) {
	err = p.raw(ctx, func(conn *patientConn) error {
		together := len(p.steps) > 0 && conn.quiet()
		if !together && len(p.steps) > 0 {
			if _, err := p.sendOn(ctx, conn, nil); err != nil {
				undone = true
				return err
			}
		}
		tag, err := p.sendOn(ctx, conn, &step{query: "COMMIT"})
		if before := (*earlier)(nil); errors.As(err, &before) {
			err = before.cause
			undone = answered(err)
		}
		if err == nil && tag.String() != "COMMIT" {
			err = errors.New("the transaction was rolled back")
		}
		return err
	})
	return undone, err
}

// answered reports whether an error is the database's answer to a statement. It carries out nothing that was sent behind that one.
func answered(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e)
}

// close undoes what was not committed and gives the connection back. One that does not undo in time is closed.
func (p *pipeline) close(ctx context.Context) {
	ctx = within(ctx, time.Now().Add(p.patience))
	_ = p.raw(ctx, func(c *patientConn) error {
		conn := c.Conn.Conn()
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
func (p *pipeline) raw(ctx context.Context, f func(*patientConn) error) error {
	return p.conn.Raw(func(c any) error {
		conn := c.(*patientConn)
		conn.begin(ctx)
		return f(conn)
	})
}

// certain makes texts of statements that fail when they do less than they should, so that a COMMIT behind them is not carried out. It
// keeps those that had to be put together.
type certain struct{ texts sync.Map }

// text is what is sent for a statement that steps aside for a row that is there, or that changes one row if there is such a one.
func (c *certain) text(query string) string {
	const aside = "ON CONFLICT DO NOTHING"
	if insert, ok := strings.CutSuffix(strings.TrimRight(query, "\n"), aside); ok {
		return insert
	}
	if text, ok := c.texts.Load(query); ok {
		return text.(string)
	}
	name, update, _ := strings.Cut(query, "\n")
	text := name + "\nWITH changed AS (" + update + " RETURNING 1)\nSELECT 1 / COUNT(*) FROM changed"
	c.texts.Store(query, text)
	return text
}

// fellShort reports whether a statement failed since it did less than it should.
func fellShort(err error) bool { return postgresCode("23505", "22012")(err) } // unique_violation, division_by_zero
