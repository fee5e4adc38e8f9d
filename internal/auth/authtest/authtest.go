// Package authtest makes a domain for tests: a Service over a real SQLite store of its own, with a clock that stands until it is moved
// and a starting state that has a user for each thing that can happen at a login.
//
// It holds no expectation: what ought to happen is for the tests to say.
package authtest

import (
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
	Clock  *Clock
	Hasher *passhash.Hasher
	Ring   *seal.Ring
}

// Actors of Demo. They are what a dialect gets from an Authenticate method.
func (e *Env) Key() auth.Actor   { return auth.Actor{Tenant: Demo, Key: "backend"} }
func (e *Env) App() auth.Actor   { return auth.Actor{Tenant: Demo, Client: "app"} }
func (e *Env) Admin() auth.Actor { return auth.Actor{Tenant: Demo, Client: "admin"} }

// NewHasher makes a hasher that costs next to nothing; passes makes its hashes differ in shape from another's.
func NewHasher(t testing.TB, passes uint32) *passhash.Hasher {
	t.Helper()
	h, err := passhash.New(passhash.Config{
		Params: passhash.Params{Memory: 8, Time: passes, Threads: 1}, Slots: 4, Wait: time.Minute, TestOnlyInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// Empty makes a domain over an empty store.
func Empty(t testing.TB) *Env {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "auth.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := seal.NewRing([]byte("a key of tests, 32 bytes of it.."))
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{Store: db, Clock: &Clock{now: Start()}, Hasher: NewHasher(t, 1), Ring: ring}
	e.Service = e.Another(t, nil)
	return e
}

// New makes a domain in the starting state, as changed.
func New(t testing.TB, change ...func(*auth.Setup)) *Env {
	t.Helper()
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

// Another makes one more Service on the same store, as another process would; change may alter its configuration.
func (e *Env) Another(t testing.TB, change func(*auth.Config)) *auth.Service {
	t.Helper()
	c := auth.Config{Store: e.Store, Hasher: e.Hasher, Ring: e.Ring, Now: e.Clock.Now, Issuer: Issuer}
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
