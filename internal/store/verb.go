package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// handle is what verbs run their statements on: a transaction, or the database itself for the one statement of a View.
type handle struct {
	sqlc.DBTX
	store  *Store
	until  time.Time // when the first statement has to be answered, if it is not to have all of the store's patience
	single bool      // no transaction: one statement and no more
	used   bool      // that one was run
	again  bool      // another was wanted
	doomed error     // a statement failed, and with it the transaction
	mark   mark      // of the transaction
	part   int64     // which row of a tenant's counts the transaction adds to; 0: not chosen yet, or the only one

	expected *expected // of the next statement
}

// errAgain is what the second statement of a single handle gets. View sees again and does not return it.
var errAgain = errors.New("more than one statement")

// errText is returned for text that PostgreSQL cannot hold, so that SQLite does not either.
var errText = errors.New("text holds a NUL or is not UTF-8")

// ExecContext implements sqlc.DBTX.
func (h *handle) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	expected := h.expected
	h.expected = nil
	ctx, err := h.before(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if p, ok := h.DBTX.(*pipeline); ok && expected != nil {
		p.later(query, args, *expected)
		return driver.RowsAffected(expected.rows), nil
	}
	return h.DBTX.ExecContext(h.timed(ctx), query, args...)
}

// QueryContext implements sqlc.DBTX. Every query that reads is a ":many" and comes through here; "QueryRowContext" could not refuse.
func (h *handle) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, err := h.before(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return h.DBTX.QueryContext(h.timed(ctx), query, args...)
}

// before refuses a statement, or announces it and says in which context it is to be run.
func (h *handle) before(ctx context.Context, query string, args []any) (context.Context, error) {
	for _, a := range args {
		if s, ok := a.(string); ok && !storable(s) {
			return nil, errText
		}
	}
	if h.single && h.used {
		h.again = true
		return nil, errAgain
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.used = true
	if on := h.store.options.OnStatement; on != nil {
		on(query)
	}
	if detach := h.store.dialect.detach; detach != nil {
		ctx = detach(ctx, query)
	}
	return ctx, nil
}

// timed says by when a statement that is sent now has to be answered.
func (h *handle) timed(ctx context.Context) context.Context {
	until := h.until
	if h.until = (time.Time{}); until.IsZero() {
		until = h.store.answerBy()
	}
	return within(ctx, until)
}

// several makes a View that is about to run several statements start over at once.
func (h *handle) several() error {
	if h.single {
		h.again = true
		return errAgain
	}
	return nil
}

// fail turns the error of a statement into that of its verb. The transaction cannot be committed after it: PostgreSQL does not allow
// that, and SQLite must not behave otherwise.
func (h *handle) fail(ctx context.Context, verb string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errAgain) {
		return err
	}
	var before *earlier
	if errors.As(err, &before) {
		h.doom(before.cause)
		return blame(ctx, verb, err)
	}
	switch {
	case h.store.dialect.duplicate(err):
		err = fmt.Errorf("%s: %w", verb, auth.ErrExists)
	case h.store.dialect.orphan(err):
		err = fmt.Errorf("%s: parent: %w", verb, auth.ErrNotFound)
	default:
		err = blame(ctx, verb, err)
	}
	h.doom(err)
	return err
}

// doom keeps the transaction from being committed.
func (h *handle) doom(err error) {
	if h.doomed == nil {
		h.doomed = err
	}
}

// blame adds the verb to an error, and the end of the context where that is the true cause.
func blame(ctx context.Context, verb string, err error) error {
	if c := ctx.Err(); c != nil && !errors.Is(err, c) {
		return fmt.Errorf("%s: %w: %w", verb, c, err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

func storable(s string) bool {
	return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
}

// reads implements auth.Reads.
type reads struct {
	ctx context.Context
	q   *sqlc.Queries
	h   *handle
}

// one returns the only row. Nothing is stored under a key that cannot be stored.
func one[T any](r reads, verb string, rows []T, err error) (T, error) {
	if err := some(r, verb, rows, err); err != nil {
		var zero T
		return zero, err
	}
	return rows[0], nil
}

// some returns an error unless there are rows.
func some[T any](r reads, verb string, rows []T, err error) error {
	if errors.Is(err, errText) || err == nil && len(rows) == 0 {
		return fmt.Errorf("%s: %w", verb, auth.ErrNotFound)
	}
	return r.h.fail(r.ctx, verb, err)
}

// list maps rows to values.
func list[R, T any](r reads, verb string, rows []R, err error, value func(R) (T, error)) ([]T, error) {
	if err != nil {
		return nil, r.h.fail(r.ctx, verb, err)
	}
	values := make([]T, len(rows))
	for i, row := range rows {
		if values[i], err = value(row); err != nil {
			return nil, fmt.Errorf("%s: %w", verb, err)
		}
	}
	return values, nil
}

// writes implements auth.Writes.
type writes struct {
	ctx context.Context
	q   *sqlc.Queries
	h   *handle
}

// expect says how many rows the next statement is to change and what it means when they are fewer, which ends the transaction: at once,
// or when it commits or before, where that spares a round trip. It is for verbs whose failure is nobody's answer but a fault.
func (w writes) expect(verb string, rows int, short error) expected {
	e := expected{verb, int64(rows), short}
	w.h.expected = &e
	return e
}

// met judges the statement that was announced.
func (w writes) met(e expected, n int64, err error) error {
	if err == nil && n < e.rows {
		err = fmt.Errorf("%s: %w", e.verb, e.short)
		w.h.doom(err)
		return err
	}
	return w.h.fail(w.ctx, e.verb, err)
}

// added judges an insert by the number of rows it made. Inserts step aside for an existing row rather than fail, since on PostgreSQL a
// failed statement ends the transaction.
func (w writes) added(verb string, n int64, err error) error {
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	if n == 0 {
		return fmt.Errorf("%s: %w", verb, auth.ErrExists)
	}
	return nil
}

// replaced judges an update of a row that has to be there.
func (w writes) replaced(verb string, n int64, err error) error {
	if err == nil && n == 0 {
		return fmt.Errorf("%s: %w", verb, auth.ErrNotFound)
	}
	return w.h.fail(w.ctx, verb, err)
}

// errOvertaken keeps a row from being deleted that another transaction has given a child meanwhile. The next try finds that, too.
var errOvertaken = errors.New("a row that refers to it was added meanwhile")

// dropped judges the deletion of a row that has to be there, after that of all that refer to it.
func (w writes) dropped(verb string, n int64, err error) error {
	if err != nil && w.h.store.dialect.orphan(err) {
		err = fmt.Errorf("%s: %w: %w", verb, errOvertaken, err)
		w.h.doom(err)
		return err
	}
	return w.replaced(verb, n, err)
}

// moved judges a compare-and-swap by the number of rows it changed. When it changed none, exists tells whether there is a row at all.
func moved[K any](w writes, verb string, n int64, err error, exists func() ([]K, error)) (bool, error) {
	if err != nil {
		return false, w.h.fail(w.ctx, verb, err)
	}
	if n > 0 {
		return true, nil
	}
	rows, err := exists()
	_, err = one(reads(w), verb, rows, err)
	return false, err
}
