package store

import (
	"slices"
	"strconv"
	"strings"

	"countersign/internal/auth"
)

// sqlc cannot compile a statement whose rows or conditions vary in number. Those few are put together here.

// insert is an INSERT of many rows.
type insert struct {
	text    string // up to and with VALUES; names the statement as sqlc would
	columns int
}

// insertRows bounds the rows of one statement; SQLite takes 32,766 parameters.
const insertRows = 1000

// query returns the text for a number of rows. Those that are there already stay.
func (i insert) query(rows int) string { return i.values(rows) + " ON CONFLICT DO NOTHING" }

// values returns the same text, up to what is to become of those that are there already.
func (i insert) values(rows int) string {
	b := strings.Builder{}
	b.WriteString(i.text)
	for n := range rows * i.columns {
		switch {
		case n == 0:
			b.WriteString(" ($")
		case n%i.columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(n + 1))
	}
	b.WriteString(")")
	return b.String()
}

// addAll inserts all values. One that is there already ends the transaction, since others may be in.
func addAll[T any](w writes, verb string, i insert, values []T, columns func(T) []any) error {
	for some := range slices.Chunk(values, insertRows) {
		args := make([]any, 0, len(some)*i.columns)
		for _, v := range some {
			args = append(args, columns(v)...)
		}
		e := w.expect(verb, len(some), auth.ErrExists)
		result, err := w.h.ExecContext(w.ctx, i.query(len(some)), args...)
		if err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
		n, err := result.RowsAffected()
		if err := w.met(e, n, err); err != nil {
			return err
		}
	}
	return nil
}

// filter is a text of SQL, up to and with a condition that grows.
type filter struct {
	text string
	args []any
}

// and adds a condition, in which each ? is one of the args.
func (f *filter) and(condition string, args ...any) {
	f.text += "\n    AND " + f.number(condition, args...)
}

// anyOf adds the condition that one of several holds: the same condition for each of the args.
func (f *filter) anyOf(condition string, args []string) {
	each := make([]string, len(args))
	for i, a := range args {
		each[i] = f.number(condition, a)
	}
	f.and("(" + strings.Join(each, " OR ") + ")")
}

// in adds the condition that a column is one of the args.
func (f *filter) in(column string, args []string) {
	each := make([]string, len(args))
	for i, a := range args {
		each[i] = f.number("?", a)
	}
	f.and(column + " IN (" + strings.Join(each, ", ") + ")")
}

// number keeps the args and puts their numbers in the place of question marks.
func (f *filter) number(text string, args ...any) string {
	for _, a := range args {
		f.args = append(f.args, a)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(f.args)), 1)
	}
	return text
}

// read runs a query of this filter and reads each of its rows into what fields returns.
func read[T any](r reads, verb, query string, f filter, fields func(*T) []any) ([]T, error) {
	rows, err := r.h.QueryContext(r.ctx, query, f.args...)
	if err != nil {
		return nil, r.h.fail(r.ctx, verb, err)
	}
	defer rows.Close()
	var values []T
	for rows.Next() {
		var zero T
		values = append(values, zero)
		if err := rows.Scan(fields(&values[len(values)-1])...); err != nil {
			return nil, r.h.fail(r.ctx, verb, err)
		}
	}
	return values, r.h.fail(r.ctx, verb, rows.Err())
}
