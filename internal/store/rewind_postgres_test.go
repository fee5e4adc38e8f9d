//go:build postgres

package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
	"countersign/internal/store"
)

// pair is a primary with a standby, and two stores that know both.
type pair struct {
	primary, standby *pgtest.Server
	database         string
	first, second    *store.Store
	events           int
}

func newPair(t *testing.T, follow func(*pgtest.Server) (*pgtest.Server, error)) *pair {
	t.Helper()
	p := &pair{}
	stop := func(s *pgtest.Server) {
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	p.primary, err = pgtest.Start("fsync=off")
	must(err)
	stop(p.primary)
	_, err = p.primary.Create("store")
	must(err)
	p.standby, err = follow(p.primary)
	must(err)
	stop(p.standby)
	p.database = p.primary.Either("store", p.standby)
	p.first, p.second = p.open(t, store.Options{Migrate: true}), p.open(t, store.Options{})
	return p
}

func (p *pair) open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.OpenPostgres(t.Context(), p.database, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// happen commits an event.
func (p *pair) happen(t *testing.T, s *store.Store) {
	t.Helper()
	p.events++
	e := auth.Event{ID: auth.EventID(fmt.Sprint(p.events)), Tenant: "demo", At: time.Now(), Kind: auth.EventLogout, Actor: "operator"}
	if err := s.Write(t.Context(), func(w auth.Writes) error { return w.AddEvents(e) }); err != nil {
		t.Fatal(err)
	}
}

// fail kills the primary and promotes the standby.
func (p *pair) fail(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.primary.Kill(), p.standby.Promote()); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s *store.Store) error {
	return s.View(t.Context(), func(r auth.Reads) error { _, err := r.Revision(); return err })
}

// wantBehind finds a store that reads and writes nothing.
func wantBehind(t *testing.T, s *store.Store) {
	t.Helper()
	write := s.Write(t.Context(), func(w auth.Writes) error { return w.SetMeta("a", "b") })
	for _, err := range []error{read(t, s), write, s.Behind(), s.Look(t.Context())} {
		if !errors.Is(err, store.ErrBehind) || !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, store.ErrBehind)
		}
	}
}

// void voids the database once, however many try.
func (p *pair) void(t *testing.T) {
	t.Helper()
	beside, times := p.open(t, store.Options{Beside: true}), 0
	for range 3 {
		if err := beside.Voiding(t.Context(), false, func() error { times++; return read(t, beside) }); err != nil {
			t.Fatal(err)
		}
	}
	if times != 1 {
		t.Errorf("voided %d times, want once", times)
	}
}

func wantWhole(t *testing.T, s *store.Store, rewinds uint64) {
	t.Helper()
	if err := errors.Join(s.Look(t.Context()), read(t, s), s.Behind()); err != nil {
		t.Errorf("got %v", err)
	}
	if n := s.Rewinds(); n != rewinds {
		t.Errorf("found behind %d times, want %d", n, rewinds)
	}
}

// TestAFailoverThatLostChangesIsNoticed is C-17: nothing is answered from a database that lacks what was acknowledged, until it was voided.
func TestAFailoverThatLostChangesIsNoticed(t *testing.T) {
	p := newPair(t, func(s *pgtest.Server) (*pgtest.Server, error) { return s.Follower("fsync=off") })
	if about, err := p.first.Caution(t.Context()); err != nil || !strings.Contains(about, "synchronous_standby_names") {
		t.Errorf("got %q, %v", about, err)
	}
	p.happen(t, p.first)
	if err := p.standby.Cut(p.primary); err != nil {
		t.Fatal(err)
	}
	p.happen(t, p.first)
	wantWhole(t, p.second, 0)
	p.fail(t)
	wantBehind(t, p.first)
	wantBehind(t, p.second) // which lacks nothing of its own, but cannot know of others'
	third := p.open(t, store.Options{})
	wantBehind(t, third)
	p.void(t)
	wantWhole(t, p.first, 1)
	wantWhole(t, p.second, 1)
	wantWhole(t, third, 1)
	p.happen(t, p.first)
	wantWhole(t, p.open(t, store.Options{}), 0)
}

// TestAChangeIsMissedThoughCommitsWaited is C-17: it is not believed that nothing is lost, but seen.
func TestAChangeIsMissedThoughCommitsWaited(t *testing.T) {
	p := newPair(t, func(s *pgtest.Server) (*pgtest.Server, error) {
		waitedFor, err := s.Standby("fsync=off")
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { waitedFor.Stop() })
		return s.Follower("fsync=off", "synchronous_standby_names=")
	})
	p.happen(t, p.first)
	if err := p.standby.Cut(p.primary); err != nil {
		t.Fatal(err)
	}
	p.happen(t, p.first)
	wantWhole(t, p.second, 0)
	p.fail(t)
	wantBehind(t, p.first)
	wantBehind(t, p.second) // by the other's note
	p.void(t)
	wantWhole(t, p.first, 1)
	wantWhole(t, p.second, 1)
}

// TestAFailoverThatLostNothingIsNone: C-16.
func TestAFailoverThatLostNothingIsNone(t *testing.T) {
	p := newPair(t, func(s *pgtest.Server) (*pgtest.Server, error) { return s.Standby("fsync=off") })
	if about, err := p.first.Caution(t.Context()); err != nil || about != "" {
		t.Errorf("got %q, %v", about, err)
	}
	wantWhole(t, p.first, 0)
	p.happen(t, p.first)
	p.fail(t)
	wantWhole(t, p.first, 0)
	wantWhole(t, p.second, 0)
	wantWhole(t, p.open(t, store.Options{}), 0)
}

// TestASharedDatabaseIsNotBehind: what the sandbox deletes is not lost.
func TestASharedDatabaseIsNotBehind(t *testing.T) {
	s := openPostgres(t, store.Options{})
	p := &pair{}
	p.happen(t, s)
	if err := s.Update(t.Context(), func(tx auth.Tx) error { return tx.Clear() }); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, s, 0)
	p.happen(t, s)
	wantWhole(t, s, 0)
	if about, err := s.Caution(t.Context()); err != nil || about != "" {
		t.Errorf("got %q, %v", about, err)
	}
}

// TestNoMoreIsWantedThanTables: an ordinary role finds the line of the log, and one that may not read it is served all the same.
func TestNoMoreIsWantedThanTables(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := rawPostgres(t, dsn)
	if _, _, err := store.Migrate(t.Context(), dsn, store.Options{}); err != nil {
		t.Fatal(err)
	}
	do := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := admin.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	do("CREATE ROLE ordinary LOGIN", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ordinary")
	t.Cleanup(func() {
		for _, statement := range []string{"DROP OWNED BY ordinary", "DROP ROLE ordinary"} {
			if _, err := admin.Exec(statement); err != nil {
				t.Error(err)
			}
		}
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", "ordinary")
	u.RawQuery = q.Encode()
	p := &pair{database: u.String()}
	line := func() (text string) {
		if err := admin.QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = 'line'").Scan(&text); err != nil {
			t.Error(err)
		}
		return text
	}
	wantWhole(t, p.open(t, store.Options{}), 0)
	seen := line()
	if !strings.HasSuffix(seen, "/00000001 alone whole") {
		t.Errorf("noted %q", seen)
	}
	do("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
	s := p.open(t, store.Options{})
	p.happen(t, s)
	wantWhole(t, s, 0)
	if got := line(); got != seen {
		t.Errorf("noted %q, want %q", got, seen)
	}
	do("DELETE FROM events")
	if err := s.Look(t.Context()); !errors.Is(err, store.ErrBehind) { // on a connection that has outlasted it
		t.Errorf("got %v, want %v", err, store.ErrBehind)
	}
	wantBehind(t, s)
	p.void(t)
	wantWhole(t, s, 1)
}
