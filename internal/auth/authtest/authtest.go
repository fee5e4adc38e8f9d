// Package authtest makes a domain for tests: a Service over a real SQLite store of its own, with a clock that stands until it is moved
// and a starting state that has a user for each thing that can happen at a login.
//
// It holds no expectation: what ought to happen is for the tests to say.
package authtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/passhash"
	"countersign/internal/seal"
	"countersign/internal/store"
)

// Start is when the clock of every Env begins.
func Start() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// Password is every user's who has one.
const Password = "Pa55word!"

// Issuer is iss of the tokens.
const Issuer = "https://auth.example/cis/oidc"

// Tenants. Rival has a user, an API key and a client that differ from Demo's in nothing but their tenant, for tests of isolation.
const (
	Demo  auth.TenantID = "demo"
	Rival auth.TenantID = "rival"
)

// Users of Demo.
const (
	Ada       auth.UserID = "1001" // one identity
	Charles   auth.UserID = "1002" // two identities
	Expired   auth.UserID = "1003" // expired password
	Temporary auth.UserID = "1004" // temporary password
	NoPass    auth.UserID = "1005" // no password
	Suspended auth.UserID = "1006"
	Nobody    auth.UserID = "1007" // no identity
)

// Resource may be asked for by the client "app" of Demo.
const Resource = "https://api.demo.example"

// Clock stands until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Env is a domain for one test.
type Env struct {
	*auth.Service
	Store  *store.Store
	Path   string // of the store's file
	Clock  *Clock
	Hasher *passhash.Hasher
	Ring   *seal.Ring
}

// Actors of Demo. They are what a dialect gets from an Authenticate method.
func (e *Env) Key() auth.Actor   { return auth.Actor{Tenant: Demo, Key: "backend"} }
func (e *Env) App() auth.Actor   { return auth.Actor{Tenant: Demo, Client: "app"} }
func (e *Env) Admin() auth.Actor { return auth.Actor{Tenant: Demo, Client: "admin"} }

// patience is how long an attempt waits: a crowd on a slow machine is no overload.
const patience = time.Minute

func hashing(passes uint32) passhash.Config {
	return passhash.Config{
		Params: passhash.Params{Memory: 8, Time: passes, Threads: 1}, Slots: 4, Wait: patience, TestOnlyInsecure: true,
	}
}

// NewHasher makes a hasher that costs next to nothing; passes makes its hashes differ in shape from another's.
func NewHasher(t testing.TB, passes uint32) *passhash.Hasher {
	t.Helper()
	h, err := passhash.New(hashing(passes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := h.Stats().Inside; n != 0 {
			t.Errorf("%d calls are over and have not left the hasher", n)
		}
		h.Close()
	})
	return h
}

// ring seals what is sealed in the stores of tests.
func ring() (*seal.Ring, error) { return seal.NewRing([]byte("a key of tests, 32 bytes of it..")) }

// Images of the two stores that nearly every test begins with, made once: applying a starting state takes longer than most tests.
var (
	emptyStore   = sync.OnceValues(func() ([]byte, error) { return image(nil) })
	startedStore = sync.OnceValues(func() ([]byte, error) { s := Setup(); return image(&s) })
)

// image makes a store, applies a starting state to it unless that is nil, and returns its file.
func image(setup *auth.Setup) (file []byte, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "authtest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "auth.db")
	db, err := store.Open(ctx, path, store.Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	if setup != nil {
		if err := apply(ctx, db, *setup); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func apply(ctx context.Context, db *store.Store, setup auth.Setup) error {
	h, err := passhash.New(hashing(1))
	if err != nil {
		return err
	}
	defer h.Close()
	r, err := ring()
	if err != nil {
		return err
	}
	s, err := auth.New(ctx, auth.Config{Store: db, Hasher: h, Ring: r, Now: Start, Issuer: Issuer, Sandbox: true})
	if err != nil {
		return err
	}
	_, err = s.Apply(ctx, setup)
	return err
}

// Empty makes a domain over an empty store.
func Empty(t testing.TB) *Env {
	t.Helper()
	return open(t, emptyStore)
}

// New makes a domain in the starting state, as changed.
func New(t testing.TB, change ...func(*auth.Setup)) *Env {
	t.Helper()
	if len(change) == 0 {
		return open(t, startedStore)
	}
	e := Empty(t)
	setup := Setup()
	for _, f := range change {
		f(&setup)
	}
	if applied, err := e.Apply(t.Context(), setup); err != nil || !applied {
		t.Fatalf("Apply: %t, %v", applied, err)
	}
	return e
}

// open makes a domain over a copy of a store.
func open(t testing.TB, from func() ([]byte, error)) *Env {
	t.Helper()
	file, err := from()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "auth.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := ring()
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{Store: db, Path: path, Clock: NewClock(Start()), Hasher: NewHasher(t, 1), Ring: r}
	e.Service = e.Another(t, nil)
	return e
}

// Another makes one more Service on the same store, as another process would; change may alter its configuration.
func (e *Env) Another(t testing.TB, change func(*auth.Config)) *auth.Service {
	t.Helper()
	c := auth.Config{
		Store: e.Store, Hasher: e.Hasher, Ring: e.Ring, Now: e.Clock.Now, Issuer: Issuer, PublicURL: "https://auth.example", Sandbox: true,
		AttemptWait: patience,
	}
	if change != nil {
		change(&c)
	}
	s, err := auth.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Settings changes the settings of Demo, as a TenantSetup has them.
func Settings(f func(*auth.Settings)) func(*auth.Setup) {
	return func(s *auth.Setup) { f(&s.Tenants[0].Tenant.Settings) }
}
