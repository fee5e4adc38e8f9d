//go:build postgres

package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
	"countersign/internal/store"
)

// relay stands between a store and PostgreSQL, and may swallow what they say to each other.
type relay struct {
	net.Listener
	target  string
	mute    atomic.Bool  // nothing arrives
	commits atomic.Int64 // as many COMMITs arrive and are not answered
}

// relayed returns a relay before a new database, and its URL.
func relayed(t *testing.T) (*relay, string) {
	t.Helper()
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	q := u.Query()
	r := &relay{Listener: ln, target: filepath.Join(q.Get("host"), ".s.PGSQL.5432")}
	go r.serve()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = ln.Addr().String(), q.Encode()
	if user := q.Get("user"); user != "" {
		u.User = url.User(user)
	}
	return r, u.String()
}

func (r *relay) serve() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", r.target)
		if err != nil {
			client.Close()
			return
		}
		var held atomic.Bool
		go func() {
			defer client.Close()
			b := make([]byte, 32<<10)
			for {
				n, err := server.Read(b)
				if err != nil {
					return
				}
				if r.mute.Load() || held.Load() {
					continue
				}
				if _, err := client.Write(b[:n]); err != nil {
					return
				}
			}
		}()
		go func() {
			defer server.Close()
			var commits pgtest.Commits
			for typed := false; ; typed = true {
				message, err := readMessage(client, typed)
				if err != nil {
					return
				}
				if typed && commits.Are(message) && r.commits.Add(-1) >= 0 {
					held.Store(true)
				}
				if r.mute.Load() {
					continue
				}
				if _, err := server.Write(message); err != nil {
					return
				}
			}
		}()
	}
}

// readMessage reads one message of PostgreSQL's protocol; the first of a connection has no type.
func readMessage(c io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	message := append(head, make([]byte, int(binary.BigEndian.Uint32(head[len(head)-4:]))-4)...)
	_, err := io.ReadFull(c, message[len(head):])
	return message, err
}

// calls are all ways to use a store.
func calls(s *store.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"view": func(ctx context.Context) error {
			return s.View(ctx, func(r auth.Reads) error { _, err := r.Revision(); return err })
		},
		"view of several statements": func(ctx context.Context) error {
			return s.View(ctx, func(r auth.Reads) error { _, err := r.Directory(); return err })
		},
		"write": func(ctx context.Context) error {
			return s.Write(ctx, func(w auth.Writes) error { return w.SetMeta("a", "b") })
		},
		"update": func(ctx context.Context) error {
			return s.Update(ctx, func(tx auth.Tx) error { return tx.SetMeta("a", "b") })
		},
	}
}

// impatient opens a store that has little patience, as often as a slow machine takes.
func impatient(t *testing.T, dsn string, o store.Options) (s *store.Store) {
	t.Helper()
	o.Migrate = true
	well(t, "open", func() (err error) { s, err = store.Open(t.Context(), dsn, o); return err })
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSilentDatabase is C-18: whoever asks a database that does not answer hears so, in the end nobody waits any more, and when it
// answers again all is well.
func TestSilentDatabase(t *testing.T) {
	r, dsn := relayed(t)
	s := impatient(t, dsn, store.Options{MaxConns: 4, Patience: 100 * time.Millisecond})
	before := runtime.NumGoroutine()
	for range 3 {
		r.mute.Store(true)
		var crowd sync.WaitGroup
		for name, call := range calls(s) {
			for range 10 { // more than there are connections
				crowd.Go(func() {
					if err := call(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
						t.Errorf("%s: got %v, want ErrUnavailable", name, err)
					}
				})
			}
		}
		crowd.Wait()
		if err := s.Ping(t.Context()); err == nil {
			t.Error("ping: got no error")
		}
		r.mute.Store(false)
		for name, call := range calls(s) {
			well(t, name+", when it answers again", func() error { return call(t.Context()) })
		}
	}
	for runtime.NumGoroutine() > before+12 { // those of the connections there are
		time.Sleep(time.Millisecond)
	}
}

// well returns when a call succeeds, which has little patience and may need several tries where the machine is slow.
func well(t *testing.T, what string, call func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := call()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// TestCommitWithoutAnswer: it is not known whether it took effect, here it did, and it is not run again.
func TestCommitWithoutAnswer(t *testing.T) {
	r, dsn := relayed(t)
	s := impatient(t, dsn, store.Options{Patience: 500 * time.Millisecond})
	for name, verb := range map[string]func(auth.Writes) error{
		"after a statement":  func(w auth.Writes) error { return w.SetMeta("a", "b") },
		"with the statement": func(w auth.Writes) error { return w.AddEvents(auth.Event{Tenant: "demo", ID: "1"}) },
		"after others and one": func(w auth.Writes) error {
			return errors.Join(w.SetMeta("a", "b"), w.AddEvents(auth.Event{Tenant: "demo", ID: "2"}))
		},
	} {
		runs := 0
		r.commits.Store(1)
		err := s.Write(t.Context(), func(w auth.Writes) error { runs++; return verb(w) })
		if !errors.Is(err, auth.ErrUnavailable) || runs != 1 {
			t.Errorf("%s: got %v after %d runs, want ErrUnavailable after one", name, err, runs)
		}
	}
	var events []auth.Event
	var got string
	well(t, "read", func() error {
		return s.View(t.Context(), func(r auth.Reads) error {
			var err, err2 error
			events, err = r.Events("demo", "", 9)
			got, err2 = r.Meta("a")
			return errors.Join(err, err2)
		})
	})
	if len(events) != 2 || got != "b" {
		t.Errorf("got %d events and %q, want 2 and b", len(events), got)
	}
}

// TestLockedTable is C-19: a statement that waits is stopped where it runs, so that those who gave up leave nothing behind.
func TestLockedTable(t *testing.T) {
	dsn := pgtest.Database(t)
	s := impatient(t, dsn, store.Options{MaxConns: 2, Patience: 200 * time.Millisecond})
	raw := rawPostgres(t, dsn)
	lock, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback()
	if _, err := lock.Exec("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	write := calls(s)["write"]
	for range 5 {
		if err := write(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	left := 0
	const waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'countersign' AND datname = current_database()"
	if err := raw.QueryRow(waiting).Scan(&left); err != nil || left > 2 {
		t.Errorf("%d connections are left (%v), want at most those of the pool", left, err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	well(t, "when the table is free", func() error { return write(t.Context()) })
}

// TestReadersFindAConnection: while writers have all that they may have, somebody who reads is not kept waiting (C-20).
func TestReadersFindAConnection(t *testing.T) {
	s := openPostgres(t, store.Options{MaxConns: 4, Patience: time.Hour})
	end, begun := make(chan struct{}), make(chan struct{}, 10)
	var writers sync.WaitGroup
	for n := range 10 {
		writers.Go(func() {
			err := s.Write(t.Context(), func(w auth.Writes) error {
				begun <- struct{}{}
				<-end
				return w.SetMeta(fmt.Sprint(n), "")
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-begun
	}
	if err := calls(s)["view"](t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-begun:
		t.Error("a fourth of four connections was given to a writer")
	default:
	}
	close(end)
	writers.Wait()
}

// TestMigrationTakesItsTime: as long as another node migrates, which may be longer than anybody waits for a statement.
func TestMigrationTakesItsTime(t *testing.T) {
	dsn := pgtest.Database(t)
	raw, err := rawPostgres(t, dsn).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	const lock = 0x636f756e746572
	if _, err := raw.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", lock); err != nil {
		t.Fatal(err)
	}
	const patience = 500 * time.Millisecond
	done := make(chan error, 1)
	go func() {
		_, _, err := store.Migrate(t.Context(), dsn, store.Options{Patience: patience})
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("got %v while another migrates", err)
	case <-time.After(5 * patience):
	}
	if _, err := raw.ExecContext(t.Context(), "SELECT pg_advisory_unlock($1)", lock); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
