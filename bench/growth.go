package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// growth compares what requests cost with few users and sessions in the database, and with many.
type growth struct {
	*bench
	sizes []int
	runs  []*run // of one request the few, then the many, on one database after the other
}

func (p plan) growths(ctx context.Context, sizes []int) (_ *growth, err error) {
	b, err := p.begin(ctx, patientWait)
	if err != nil {
		return nil, err
	}
	g := &growth{bench: b, sizes: sizes}
	defer func() {
		for _, p := range g.places {
			err = errors.Join(err, p.server.stop())
		}
		err = errors.Join(err, g.close())
	}()
	for _, size := range sizes {
		if err := g.place(size); err != nil {
			return nil, err
		}
	}
	for _, r := range growing() {
		for _, place := range g.places {
			r.place, r.conns = place, tokenConns
			one := r
			g.runs = append(g.runs, &one)
		}
	}
	for range p.rounds {
		for _, r := range g.runs {
			if err := errors.Join(r.once(p.window, p.users), ctx.Err()); err != nil {
				return nil, err
			}
			g.note("%s, %s: %.0f/s", r.name, r.place.name, r.rates[len(r.rates)-1])
		}
	}
	return g, nil
}

// place starts a server on a database of the given size of each kind.
func (g *growth) place(size int) error {
	databases, err := g.databases(fmt.Sprintf("grown%d", size))
	if err != nil {
		return err
	}
	for _, d := range databases {
		d.name += fmt.Sprintf(", %d users", size)
		began := time.Now()
		if err := grow(d.dsn, size-g.plan.users); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		g.note("%s: filled in %v", d.name, time.Since(began).Round(time.Second))
		server, err := g.start(g.program, "serve", "--config", d.config)
		if err != nil {
			return err
		}
		postmaster := 0
		if strings.HasPrefix(d.dsn, "postgres:") {
			postmaster = g.site.postgres.PID()
		}
		g.places = append(g.places, &place{database: d, server: server, parties: spending(server, postmaster)})
	}
	return nil
}

// copied is a table, and what of it is copied. What a column of a copy is, says columns.
type copied struct {
	table, which string
	columns      map[string]string
}

// grown says what makes the copies of a row of one user differ, table by table, in an order that foreign keys allow. %s is the copy's number
// as a text; a column that is not named is copied.
func grown(blob string) []copied {
	user, identity, hash := "'9' || %s", "'8' || %s", strings.ReplaceAll(blob, "?", "'grown' || %s")
	return []copied{
		{"identities", "id = '10001'", map[string]string{"id": identity}},
		{"identities", "type = 'CORPORATE'", map[string]string{"id": identity, "name": "'Organization ' || %s"}},
		{"users", "id = '2'", map[string]string{"id": user, "email": "'grown' || %s || '@example.com'"}},
		{"identifiers", "user_id = '2' AND kind = 'email'", map[string]string{"user_id": user, "canonical": "'grown' || %s || '@example.com'"}},
		{"memberships", "user_id = '2'", map[string]string{"user_id": user, "identity_id": identity}},
		{"passwords", "user_id = '2'", map[string]string{"user_id": user}},
		{"attempts", "subject = 'user:2'", map[string]string{"subject": "'user:9' || %s"}},
		{"sessions", "user_id = '2'", map[string]string{"user_id": user, "id": "'grown' || %s"}},
		{"tokens", "identity_id = '10001'", map[string]string{"session_id": "'grown' || %s", "hash": hash, "identity_id": identity}},
	}
}

// grow copies one user of a database n times, with all that a login leaves.
func grow(dsn string, n int) error { return multiply(dsn, n, grown) }

// multiply copies rows of a database n times.
func multiply(dsn string, n int, what func(blob string) []copied) (err error) {
	driver, source, blob := "sqlite", strings.TrimPrefix(dsn, "sqlite:"), "CAST(? AS BLOB)"
	if strings.HasPrefix(dsn, "postgres:") {
		driver, source, blob = "pgx", dsn, "convert_to(?, 'UTF8')"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, g := range what(blob) {
		columns, err := columnsOf(db, g.table)
		if err != nil {
			return err
		}
		values := slices.Clone(columns)
		for i, c := range columns {
			values[i] = "t." + c
			if different, ok := g.columns[c]; ok {
				values[i] = strings.ReplaceAll(different, "%s", "CAST(s.n AS TEXT)")
			}
		}
		for c := range g.columns {
			if !slices.Contains(columns, c) {
				return fmt.Errorf("table %s has no column %s", g.table, c)
			}
		}
		result, err := db.Exec(fmt.Sprintf(
			`WITH RECURSIVE s(n) AS (SELECT 100000000 UNION ALL SELECT n + 1 FROM s WHERE n < %d),
			t AS (SELECT * FROM %s WHERE %s LIMIT 1)
			INSERT INTO %s (%s) SELECT %s FROM s CROSS JOIN t`,
			100000000+n-1, g.table, g.which, g.table, strings.Join(columns, ", "), strings.Join(values, ", ")))
		if err != nil {
			return fmt.Errorf("copy %s: %w", g.table, err)
		}
		if made, err := result.RowsAffected(); err != nil || made != int64(n) {
			return errors.Join(err, fmt.Errorf("copied %d rows of %s, want %d", made, g.table, n))
		}
	}
	if driver == "pgx" { // it does so by itself, in time; a server on SQLite never does
		_, err = db.Exec("ANALYZE")
	}
	return err
}

func columnsOf(db *sql.DB, table string) ([]string, error) {
	rows, err := db.Query("SELECT * FROM " + table + " LIMIT 0")
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	return columns, errors.Join(err, rows.Close())
}

func (g *growth) table() table {
	t := table{title: "Processor time of a request (server and database, ms), by the number of users", words: 2, head: []string{"request", "database"}}
	for _, size := range g.sizes {
		t.head = append(t.head, fmt.Sprint(size))
	}
	t.head = append(t.head, "last ÷ first", "errors")
	per := len(g.places) / len(g.sizes) // databases
	for i := 0; i < len(g.runs); i += len(g.places) {
		for d := range per {
			kind, _, _ := strings.Cut(g.runs[i+d].place.name, ",")
			row := []string{g.runs[i].name, kind}
			var first, last float64
			wrong := 0
			for s := range g.sizes {
				r := g.runs[i+s*per+d]
				last = (r.spent.server + r.spent.database).Seconds() * 1000 / float64(max(len(r.took), 1))
				if s == 0 {
					first = last
				}
				wrong += len(r.errors)
				row = append(row, fmt.Sprintf("%.3f", last))
			}
			t.add(append(row, fmt.Sprintf("%.2f", last/first), fmt.Sprint(wrong))...)
		}
	}
	return t
}
