package auth_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

func TestApplyOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	before := directory(t, e).Revision
	for _, s := range []*auth.Service{e.Service, e.Another(t, nil)} {
		if applied, err := s.Apply(t.Context(), authtest.Setup()); applied || err != nil {
			t.Errorf("again: got %t, %v", applied, err)
		}
		other := authtest.Setup()
		other.Digest = "another"
		if applied, err := s.Apply(t.Context(), other); applied || !errors.Is(err, auth.ErrOtherSetup) {
			t.Errorf("another: got %t, %v", applied, err)
		}
	}
	if got := directory(t, e).Revision; got != before {
		t.Errorf("the directory changed: revision %d, before %d", got, before)
	}
}

// TestApplyBinds: the authenticators of a starting state may be used at once.
func TestApplyBinds(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) {
		s.Tenants[0].Users[0].Authenticators = []auth.AuthenticatorSetup{
			{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelAuthy, Simulated: true},
		}
	})
	var bound []auth.Authenticator
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		bound, err = r.Authenticators(authtest.Demo, authtest.Ada)
		return err
	})
	if err != nil || len(bound) != 2 {
		t.Fatalf("got %d authenticators, %v, want 2", len(bound), err)
	}
	target := map[auth.Channel]string{auth.ChannelSMS: "+35699111111", auth.ChannelAuthy: ""}
	for _, a := range bound {
		want, ok := target[a.Channel]
		if !ok || a.Target != want || a.Status != auth.AuthenticatorActive || a.BoundAt.IsZero() {
			t.Errorf("got %+v, want it active, bound with %q", a, want)
		}
	}
}

// TestApplyAtOnce: of several servers that start on one new store one applies, and one with another description is told so.
func TestApplyAtOnce(t *testing.T) {
	t.Parallel()
	e := authtest.Empty(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	applied, refused := map[string]int{}, 0
	for i := range 8 {
		s, setup := e.Another(t, nil), authtest.Setup()
		if i%2 == 1 {
			setup.Digest = "another"
		}
		wg.Go(func() {
			done, err := s.Apply(t.Context(), setup)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case done:
				applied[setup.Digest]++
			case errors.Is(err, auth.ErrOtherSetup):
				refused++
			case err != nil:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(applied) != 1 || applied["authtest"]+applied["another"] != 1 || refused != 4 {
		t.Errorf("got %v applied and %d refused, want one and four", applied, refused)
	}
}

func TestApplyAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*auth.Setup)
		want  string // in the error
	}{
		"an address twice": {func(s *auth.Setup) {
			s.Tenants[1].Users = append(s.Tenants[1].Users, auth.UserSetup{ID: "7", Email: "ADA@example.com"})
		},
			"tenant rival: user 7"},
		"an unknown identity": {func(s *auth.Setup) {
			s.Tenants[1].Users[0].RootOf = []auth.IdentityRef{{Type: auth.Consumer, ID: "99"}}
		}, "user 1001"},
		"a hash that is none": {func(s *auth.Setup) { s.Tenants[0].Users[0].Password.Hash = "$none$" }, "user 1001"},
		"a hash that costs a lot": {func(s *auth.Setup) {
			s.Tenants[0].Users[0].Password.Hash = "$argon2id$v=19$m=4194304,t=3,p=1$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 43)
		}, "user 1001"},
		"a malformed username":  {func(s *auth.Setup) { s.Tenants[0].Users[1].Username = "a b" }, "user 1002"},
		"an identity twice":     {func(s *auth.Setup) { d := &s.Tenants[0]; d.Identities = append(d.Identities, d.Identities[0]) }, "CONSUMER:1001"},
		"a client id of digits": {func(s *auth.Setup) { s.Tenants[0].Clients[0].ID = "1001" }, "client 1001"},
		"a password too long":   {func(s *auth.Setup) { s.Tenants[0].Users[0].Password.Value = strings.Repeat("a", 1025) }, "user 1001"},
	} {
		e := authtest.Empty(t)
		setup := authtest.Setup()
		tt.spoil(&setup)
		applied, err := e.Apply(t.Context(), setup)
		if applied || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %t, %v; want an error with %q", name, applied, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), authtest.Password) || strings.Contains(err.Error(), "test secret") {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
		if d := directory(t, e); len(d.Tenants)+len(d.APIKeys)+len(d.Clients) > 0 || len(rawEvents(t, e)) > 0 {
			t.Errorf("%s: something was left behind: %+v", name, d)
		}
		if applied, err := e.Apply(t.Context(), authtest.Setup()); !applied || err != nil {
			t.Errorf("%s: then the right one: %t, %v", name, applied, err)
		}
	}
}

// TestApplyKeepsNoSecret: what is stored of a key, a secret and a password is not what it was.
func TestApplyKeepsNoSecret(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	d := directory(t, e)
	for _, k := range d.APIKeys {
		if strings.Contains(string(k.Hash[:])+string(k.Sealed), "test key") {
			t.Error("an API key is stored in clear")
		}
	}
	a, err := e.User(t.Context(), e.App(), authtest.Ada)
	if err != nil || strings.Contains(a.Password.Hash, authtest.Password) || !strings.HasPrefix(a.Password.Hash, "$argon2id$") {
		t.Errorf("got %q (%v)", a.Password.Hash, err)
	}
}

func TestOtherMasterKey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	ring, err := seal.NewRing([]byte("another key of tests, 32 bytes.."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.New(t.Context(), auth.Config{Store: e.Store, Hasher: e.Hasher, Ring: ring, Now: e.Clock.Now}); err == nil {
		t.Error("a store was opened with another's master key")
	}
}
