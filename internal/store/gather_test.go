//go:build postgres

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
)

// gatherTest is a store with a session and a token for each number up to crowdMost, whose statement before the next crowd's has no answer yet.
type gatherTest struct {
	*testing.T
	*Store
	asked atomic.Int64 // statements for several
	all   sync.WaitGroup
}

func newGatherTest(t *testing.T) *gatherTest {
	t.Helper()
	g := &gatherTest{T: t}
	s, err := OpenPostgres(t.Context(), pgtest.Database(t), Options{Migrate: true, MaxConns: crowdMost + 4, OnStatement: func(query string) {
		if strings.HasPrefix(query, "-- name: Bearers ") {
			g.asked.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	g.Store = s
	err = s.Update(t.Context(), func(tx auth.Tx) error {
		err := tx.PutTenant(auth.Tenant{ID: "demo", Settings: auth.DefaultSettings()})
		for n := range crowdMost {
			user, session := auth.UserID(fmt.Sprint(n)), sessionOf(n)
			err = errors.Join(err,
				tx.AddUser(auth.User{Tenant: "demo", ID: user, Status: auth.UserActive}, nil),
				tx.AddSession(auth.Session{Tenant: "demo", ID: session, User: user, EndsAt: time.Unix(9e9, 0)}),
				tx.AddToken(auth.Token{Tenant: "demo", Hash: hashOf(n), Session: session}))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.gathering.grace = time.Hour
	s.gathering.turn <- struct{}{}
	return g
}

func sessionOf(n int) auth.SessionID { return auth.SessionID(fmt.Sprint("session ", n)) }

func hashOf(n int) auth.TokenHash { return auth.TokenHash{byte(n + 1)} }

// check asks for a token and tells what came of it.
func (g *gatherTest) check(ctx context.Context, hash auth.TokenHash, judge func(auth.Bearer, error)) {
	g.all.Go(func() {
		var b auth.Bearer
		err := g.View(ctx, func(r auth.Reads) (err error) { b, err = r.Bearer(hash); return err })
		judge(b, err)
	})
}

// gathered waits until as many wait.
func (g *gatherTest) gathered(want int) {
	g.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		g.gathering.mu.Lock()
		got := 0
		if g.gathering.open != nil {
			got = len(g.gathering.open.hashes)
		}
		g.gathering.mu.Unlock()
		if got == want {
			return
		}
		if time.Since(begin) > time.Minute {
			g.Fatalf("%d wait, want %d", got, want)
		}
	}
}

// is wants the session of a number.
func (g *gatherTest) is(n int) func(auth.Bearer, error) {
	return func(b auth.Bearer, err error) {
		if err != nil || b.Session.ID != sessionOf(n) || b.User.ID != auth.UserID(fmt.Sprint(n)) || b.Token.Hash != hashOf(n) {
			g.Errorf("token %d: got %+v, %v", n, b, err)
		}
	}
}

// TestChecksThatWaitShareAStatement has crowds of all sizes. Each gets its own answer: twice the same token, and one that nobody has, too.
func TestChecksThatWaitShareAStatement(t *testing.T) {
	g := newGatherTest(t)
	for size := 1; size <= crowdMost; size++ {
		g.asked.Store(0)
		for n := range size - 1 {
			switch n {
			case 3:
				g.check(t.Context(), hashOf(2), g.is(2))
			case 4:
				g.check(t.Context(), auth.TokenHash{0xff}, func(_ auth.Bearer, err error) {
					if !errors.Is(err, auth.ErrNotFound) {
						t.Errorf("a token that nobody has: got %v", err)
					}
				})
			default:
				g.check(t.Context(), hashOf(n), g.is(n))
			}
		}
		g.gathered(size - 1)
		g.check(t.Context(), hashOf(size-1), g.is(size-1))
		g.gathered(size % crowdMost) // nobody joins a full one
		g.gathering.turn.leave()
		g.all.Wait()
		g.gathering.turn <- struct{}{}
		if want := int64(min(size-1, 1)); g.asked.Load() != want {
			t.Errorf("%d checks: %d statements for several, want %d", size, g.asked.Load(), want)
		}
	}
}

// TestWaitingChecksSeeWhatWasCommitted ends one session and raises the epoch of another's user while checks of their tokens wait, which see it.
func TestWaitingChecksSeeWhatWasCommitted(t *testing.T) {
	g := newGatherTest(t)
	at := time.Unix(1e9, 0).UTC()
	for n := range 3 {
		g.check(t.Context(), hashOf(n), func(b auth.Bearer, err error) {
			if err != nil || n == 1 && !b.Session.EndedAt.Equal(at) || n == 2 && b.User.Epoch != 1 {
				t.Errorf("token %d: got %+v, %v", n, b, err)
			}
		})
	}
	g.gathered(3)
	err := g.Write(t.Context(), func(w auth.Writes) error {
		_, err := w.EndSession("demo", sessionOf(1), at, "why")
		return errors.Join(err, w.RaiseEpoch("demo", "2"))
	})
	if err != nil {
		t.Fatal(err)
	}
	g.gathering.turn.leave()
	g.all.Wait()
}

// TestChecksDoNotHurtOneAnother gives up the first of those who wait, and a later one.
func TestChecksDoNotHurtOneAnother(t *testing.T) {
	g := newGatherTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	for n := range 4 {
		c, judge := t.Context(), g.is(n)
		if n%2 == 0 {
			c, judge = ctx, func(auth.Bearer, error) {} // it may have its answer nevertheless
		}
		g.check(c, hashOf(n), judge)
		g.gathered(n + 1)
	}
	cancel()
	g.gathering.turn.leave()
	g.all.Wait()
}

// TestChecksThatShareFailAlike has a statement that fails, whose error all get who asked by it, and the next ones do not.
func TestChecksThatShareFailAlike(t *testing.T) {
	g := newGatherTest(t)
	good := g.gathering.queries[0]
	g.gathering.queries[0] = "-- name: Bearers :many\nSELECT nothing FROM nowhere WHERE $1 <> $2"
	for n := range 2 {
		g.check(t.Context(), hashOf(n), func(b auth.Bearer, err error) {
			if err == nil || errors.Is(err, auth.ErrNotFound) {
				t.Errorf("token %d: got %+v, %v", n, b, err)
			}
		})
	}
	g.gathered(2)
	g.gathering.turn.leave()
	g.all.Wait()
	g.gathering.queries[0] = good
	g.check(t.Context(), hashOf(1), g.is(1))
	g.all.Wait()
}

// TestChecksGoWithoutTheirTurn has a statement before them that gets no answer.
func TestChecksGoWithoutTheirTurn(t *testing.T) {
	g := newGatherTest(t)
	g.gathering.grace = 0
	for range 3 {
		for n := range crowdMost {
			g.check(t.Context(), hashOf(n), g.is(n))
		}
		g.all.Wait()
	}
}
