package store_test

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// statements collects the names of the statements that a store runs.
type statements struct {
	mu    sync.Mutex
	texts []string
	kinds []string
}

func (s *statements) options() store.Options {
	return store.Options{
		OnStatement: func(query string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.texts = append(s.texts, query)
		},
		OnTx: func(kind string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.kinds = append(s.kinds, kind)
		},
	}
}

// take returns the names since the last call.
func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, text := range s.texts {
		names = append(names, strings.Fields(text)[2])
	}
	s.texts = nil
	return names
}

// household is a user with two memberships, a session and both kinds of tokens.
func household(tx auth.Tx) error {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	one := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Consumer, ID: "1"}}
	two := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Corporate, ID: "2"}}
	for _, step := range []func() error{
		func() error {
			return tx.PutTenant(auth.Tenant{ID: "demo", Settings: auth.DefaultSettings(), CreatedAt: at})
		},
		func() error {
			return tx.AddUser(auth.User{Tenant: "demo", ID: "17", Status: auth.UserActive},
				[]auth.Identifier{{Tenant: "demo", Kind: auth.ByEmail, Canonical: "ada@example.com", User: "17"}})
		},
		func() error { return tx.AddIdentity(one) },
		func() error { return tx.AddIdentity(two) },
		func() error {
			return tx.AddMembership(auth.Membership{Tenant: "demo", User: "17", Identity: one, Position: 1})
		},
		func() error {
			return tx.AddMembership(auth.Membership{Tenant: "demo", User: "17", Identity: two, Position: 2})
		},
		func() error {
			return tx.AddPassword(auth.Password{Tenant: "demo", User: "17", Version: 1, Hash: "h", Shape: "s"})
		},
		func() error {
			_, err := tx.PutAttempts("demo", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 1, Failures: 1}, 0)
			return err
		},
		func() error {
			return tx.AddSession(auth.Session{Tenant: "demo", ID: "s", User: "17", EndsAt: at.Add(time.Hour), Methods: []auth.Method{"pwd"}})
		},
		func() error { return tx.AddToken(auth.Token{Tenant: "demo", Hash: auth.TokenHash{1}, Session: "s"}) },
		func() error {
			return tx.AddRefresh(auth.RefreshToken{Tenant: "demo", Hash: auth.TokenHash{2}, Root: auth.TokenHash{2}, Session: "s"})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// testStatements counts the statements of the verbs that requests wait for.
func testStatements(t *testing.T, open func(*testing.T, store.Options) *store.Store) {
	var seen statements
	s := open(t, seen.options())
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	seen.take()
	t.Run("reads", func(t *testing.T) { testReadStatements(t, s, &seen) })
	t.Run("writes", func(t *testing.T) { testWriteStatements(t, s, &seen) })
}

func testReadStatements(t *testing.T, s *store.Store, seen *statements) {
	for name, verb := range map[string]func(auth.Reads) (memberships int, err error){
		"AccountByIdentifier": func(r auth.Reads) (int, error) {
			a, err := r.AccountByIdentifier("demo", auth.ByEmail, "ada@example.com", "phantom")
			return len(a.Memberships), err
		},
		"AccountByUser": func(r auth.Reads) (int, error) {
			a, err := r.AccountByUser("demo", "17")
			return len(a.Memberships), err
		},
		"Bearer":  func(r auth.Reads) (int, error) { b, err := r.Bearer(auth.TokenHash{1}); return len(b.Memberships), err },
		"Session": func(r auth.Reads) (int, error) { l, err := r.Session("demo", "s"); return len(l.Memberships), err },
		"Refresh": func(r auth.Reads) (int, error) {
			l, err := r.Refresh(auth.TokenHash{2})
			return len(l.Memberships), err
		},
	} {
		err := s.View(t.Context(), func(r auth.Reads) error {
			if n, err := verb(r); err != nil || n != 2 {
				t.Errorf("%s: got %d memberships, %v, want 2", name, n, err)
			}
			return nil
		})
		if got := seen.take(); err != nil || !slices.Equal(got, []string{name}) {
			t.Errorf("%s ran %q, %v, want one statement", name, got, err)
		}
	}
	err := s.View(t.Context(), func(r auth.Reads) error {
		if _, err := r.Revision(); err != nil {
			return err
		}
		_, err := r.Session("demo", "s")
		return err
	})
	if got, want := seen.take(), []string{"Revision", "Revision", "Session"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("a view of two statements ran %q, %v, want %q", got, err, want)
	}
}

func testWriteStatements(t *testing.T, s *store.Store, seen *statements) {
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for want, verb := range map[string]func(auth.Writes) (bool, error){
		"SwapAttempts": func(w auth.Writes) (bool, error) {
			return w.PutAttempts("demo", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 2}, 1)
		},
		"TouchSession": func(w auth.Writes) (bool, error) { return w.TouchSession("demo", "s", at) },
		"JoinSession":  func(w auth.Writes) (bool, error) { return w.JoinSession("demo", "s", []auth.Method{"otp"}, at) },
		"AddEvents": func(w auth.Writes) (bool, error) {
			return true, w.AddEvents(auth.Event{ID: "1"}, auth.Event{ID: "2"}, auth.Event{ID: "3"})
		},
		"RotateRefresh": func(w auth.Writes) (bool, error) { return true, w.RotateRefresh(auth.TokenHash{2}, at) },
	} {
		seen.kinds = nil
		err := s.Write(t.Context(), func(w auth.Writes) error {
			done, err := verb(w)
			if !done {
				t.Errorf("%s was not done", want)
			}
			return err
		})
		if got := seen.take(); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%s ran %q, %v, want one statement", want, got, err)
		}
		if !slices.Equal(seen.kinds, []string{"write"}) {
			t.Errorf("%s ran in %q, want one write", want, seen.kinds)
		}
	}
}

// testSchemaVersions opens a database before it is migrated, and after a younger binary was there. query runs SQL on the database.
func testSchemaVersions(t *testing.T, dsn string, query func(*testing.T, string)) {
	open := func() error {
		s, err := store.Open(t.Context(), dsn, store.Options{})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "run countersign migrate") {
		t.Errorf("an empty database: got %v, want advice to migrate", err)
	}
	var newest int64
	for i := range 2 {
		from, to, err := store.Migrate(t.Context(), dsn, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && from != 0 || i == 1 && from != newest || to < 1 {
			t.Errorf("migration %d went from %d to %d", i, from, to)
		}
		newest = to
	}
	if err := open(); err != nil {
		t.Errorf("a migrated database: %v", err)
	}
	query(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)")
	if err := open(); err == nil || !strings.Contains(err.Error(), "99999") {
		t.Errorf("a younger database: got %v, want it refused", err)
	}
	if _, _, err := store.Migrate(t.Context(), dsn, store.Options{}); err == nil || !strings.Contains(err.Error(), "99999") {
		t.Errorf("migrate a younger database: got %v, want it refused", err)
	}
	for serves, works := range map[int64]bool{newest - 1: true, newest: true, newest + 1: false} {
		query(t, fmt.Sprintf("INSERT INTO meta (name, value) VALUES ('schema 99999 serves', '%d') "+
			"ON CONFLICT (name) DO UPDATE SET value = excluded.value", serves))
		_, to, err := store.Migrate(t.Context(), dsn, store.Options{})
		for _, err := range []error{open(), err} {
			if works != (err == nil) {
				t.Errorf("a younger database that serves from %d on, for %d: got %v", serves, newest, err)
			}
		}
		if to != 99999 {
			t.Errorf("migrate a younger database: to %d", to)
		}
	}
}

// TestErrorsHoldNoPassword opens what cannot be opened, by names that hold a password in every place where people put one.
func TestErrorsHoldNoPassword(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dsn := range []string{
		"postgres://ada:hunter2@192.0.2.1:1/db?connect_timeout=1&sslmode=disable",
		"postgres://ada:hunter2%@localhost/db",
		"postgres://ada:hun/ter2@localhost:x/db",
		"postgres://ada@localhost/db?password=hunter2&sslmode=nonsense",
		"postgres://ada:hunter2@/db?host=/nowhere",
		"postgresql://ada:hunter2@localhost:99999/db",
		"postgres:ada:hunter2@localhost/db",
		"postgress://ada:hunter2@localhost/db",
		"mysql://ada:hunter2@localhost/db",
		"host=localhost user=ada password=hunter2",
		"ada:hunter2@localhost",
	} {
		s, err := store.Open(t.Context(), dsn, store.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s was opened", dsn)
			continue
		}
		if strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: the error holds the password: %v", dsn, err)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files were made: %v, %v", left, err)
	}
}

// queries returns the text of each generated query by its name.
func queries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("sqlc/*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(l.Value, "`-- name: ") {
				text := strings.Trim(l.Value, "`")
				texts[strings.Fields(text)[2]] = text
			}
			return true
		})
	}
	if len(texts) == 0 {
		t.Fatal("no generated query was found")
	}
	return texts
}

// testQueriesCompile has a database compile each query, run or not by other tests: sqlc knows PostgreSQL, and not even that in full.
func testQueriesCompile(t *testing.T, db *sql.DB) {
	for name, text := range queries(t) {
		statement, err := db.PrepareContext(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := statement.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEveryQueryCanBeRefused looks for queries that read a row in the one way that a handle cannot refuse or count.
func TestEveryQueryCanBeRefused(t *testing.T) {
	for name, text := range queries(t) {
		if strings.Fields(text)[3] == ":one" {
			t.Errorf("%s is ':one': make it ':many'", name)
		}
	}
}
