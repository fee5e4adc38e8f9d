//go:build postgres

package store_test

import (
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
	"countersign/internal/store"
	"countersign/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// openPostgres returns an empty store in a database of its own.
func openPostgres(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.Migrate = true
	s, err := store.OpenPostgres(t.Context(), pgtest.Database(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// rawPostgres opens the same database without the store.
func rawPostgres(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) auth.Store { return openPostgres(t, store.Options{}) })
}

func TestPostgresStatements(t *testing.T) { testStatements(t, openPostgres) }

func TestPostgresSchemaVersions(t *testing.T) {
	dsn := pgtest.Database(t)
	testSchemaVersions(t, dsn, func(t *testing.T, query string) {
		if _, err := rawPostgres(t, dsn).ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPostgresCompilesEveryQuery(t *testing.T) {
	dsn := pgtest.Database(t)
	if _, _, err := store.Migrate(t.Context(), dsn, store.Options{}); err != nil {
		t.Fatal(err)
	}
	testQueriesCompile(t, rawPostgres(t, dsn))
}

func TestPostgresMigratesFromFirst(t *testing.T) {
	dsn := pgtest.Database(t)
	testMigratesFromFirst(t, dsn, rawPostgres(t, dsn), goose.DialectPostgres, func(text string) string { return text })
}

// TestPostgresMigratesOnce has several nodes start on an empty database at once.
func TestPostgresMigratesOnce(t *testing.T) {
	dsn := pgtest.Database(t)
	var nodes sync.WaitGroup
	for range 6 {
		nodes.Go(func() {
			s, err := store.Open(t.Context(), dsn, store.Options{Migrate: true, MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	s, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Update(t.Context(), household); err != nil {
		t.Error(err)
	}
}

func TestPostgresListsUsersByIndex(t *testing.T) { testPostgresPlans(t, testUserListPlans) }

func TestPostgresListsOrganizationsByIndex(t *testing.T) { testPostgresPlans(t, testOrganizationPlans) }

func testPostgresPlans(t *testing.T, test func(*testing.T, *store.Store, *statements, *sql.DB, string, func(query string, args []any) string)) {
	var seen statements
	dsn, o := pgtest.Database(t), seen.options()
	o.Migrate = true
	s, err := store.OpenPostgres(t.Context(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db := rawPostgres(t, dsn)
	test(t, s, &seen, db, "ANALYZE", func(query string, args []any) string {
		rows, err := db.QueryContext(t.Context(), "EXPLAIN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer rows.Close()
		var text strings.Builder
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			text.WriteString(line + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return text.String()
	})
}

// TestPostgresSaysWhatToDo: of a user who may make no tables, and a database that is not there.
func TestPostgresSaysWhatToDo(t *testing.T) {
	dsn := pgtest.Database(t)
	db := rawPostgres(t, dsn)
	if _, err := db.ExecContext(t.Context(), "CREATE ROLE poor LOGIN"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP ROLE poor"); err != nil {
			t.Error(err)
		}
	})
	poor, elsewhere := parsed(t, dsn), parsed(t, dsn)
	asPoor := poor.Query()
	asPoor.Set("user", "poor")
	poor.RawQuery, elsewhere.Path = asPoor.Encode(), "/nowhere"
	for dsn, want := range map[string]string{poor.String(): "own the database", elsewhere.String(): "CREATE DATABASE"} {
		if _, _, err := store.Migrate(t.Context(), dsn, store.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func parsed(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestLostConnectionsAreReplaced ends all connections of a store, as a failover does: neither a reader nor a writer hears of it (C-16, C-19).
func TestLostConnectionsAreReplaced(t *testing.T) {
	dsn := pgtest.Database(t)
	const conns = 16
	s, err := store.Open(t.Context(), dsn, store.Options{Migrate: true, MaxConns: conns})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	look := func() error {
		return s.View(t.Context(), func(r auth.Reads) error { _, err := r.Revision(); return err })
	}
	write := func() error {
		return s.Write(t.Context(), func(w auth.Writes) error { return w.SetMeta("a", "b") })
	}
	whole := func() error { // which goes to the database with its COMMIT
		return s.Write(t.Context(), func(w auth.Writes) error { return w.AddEvents(auth.Event{Tenant: "demo", ID: "1"}) })
	}
	raw := rawPostgres(t, dsn)
	for name, call := range map[string]func() error{"view": look, "write": write, "write in one": whole} {
		var busy sync.WaitGroup
		for range 8 * conns { // so that there are as many as may be
			busy.Go(func() {
				if err := look(); err != nil {
					t.Error(err)
				}
			})
		}
		busy.Wait()
		const end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'countersign' AND datname = current_database()"
		ended := 0
		if err := raw.QueryRowContext(t.Context(), end).Scan(&ended); err != nil || ended == 0 {
			t.Fatalf("ended %d connections: %v", ended, err)
		}
		if err := call(); err != nil {
			t.Errorf("%s after %d connections were ended: %v", name, ended, err)
		}
	}
}

func BenchmarkPostgres(b *testing.B) {
	s, err := store.OpenPostgres(b.Context(), pgtest.Database(b), store.Options{Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	benchmark(b, s)
}
