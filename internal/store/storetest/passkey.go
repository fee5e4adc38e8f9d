package storetest

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testPasskeys lists passkeys by user and by name, changes what may change of one, and drops one with its failures.
func testPasskeys(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	added(t, s, newWorld("rival"))
	roundTripPasskeys(t, s, w)
	second := auth.Passkey{Tenant: "demo", ID: "b", User: "17", Version: 1, Name: "other", CreatedAt: at(9)}
	third := auth.Passkey{Tenant: "demo", ID: "a", User: "18", Version: 1, Name: w.passkey.Name, CreatedAt: at(9)}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, nil) },
			func() error { return tx.AddPasskey(second) },
			func() error { return tx.AddPasskey(third) },
		)
	})
	named := func(n int) []auth.Passkey {
		return read(t, s, func(r auth.Reads) ([]auth.Passkey, error) { return r.PasskeysNamed("demo", w.passkey.Name, n) })
	}
	of := func(id auth.UserID) []auth.Passkey {
		return read(t, s, func(r auth.Reads) ([]auth.Passkey, error) { return r.PasskeysOf("demo", id) })
	}
	for name, c := range map[string]struct{ got, want []auth.Passkey }{
		"of a user":     {of("17"), []auth.Passkey{w.passkey, second}},
		"of a name":     {named(9), []auth.Passkey{w.passkey, third}},
		"one of a name": {named(1), []auth.Passkey{w.passkey}},
		"of nobody":     {of(""), []auth.Passkey{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	taken := auth.Passkey{Tenant: "demo", ID: w.passkey.ID, User: "18", Version: 1}
	if err := s.Write(t.Context(), func(tx auth.Writes) error { return tx.AddPasskey(taken) }); !errors.Is(err, auth.ErrExists) {
		t.Errorf("a passkey of another user's: got %v", err)
	}
	next := auth.Passkey{
		Tenant: "demo", ID: w.passkey.ID, User: "18", Version: 4, Public: []byte{9}, Name: "x", Label: "New", Counter: 7, UsedAt: at(20),
	}
	for from, want := range []bool{1: false, 3: true} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutPasskey(next, int64(from)) }); got != want {
			t.Errorf("changed from version %d: got %v, want %v", from, got, want)
		}
	}
	want := w.passkey
	want.Version, want.Label, want.Counter, want.UsedAt, want.Verified, want.BackedUp = 4, "New", 7, at(20), false, false
	got := read(t, s, func(r auth.Reads) (auth.Passkey, error) { return r.Passkey("demo", w.passkey.ID) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	testDropPasskey(t, s, w)
	zeroPasskeys(t, s)
}

func testDropPasskey(t *testing.T, s auth.Store, w world) {
	failures := func(tenant auth.TenantID, subject auth.Subject) int {
		return read(t, s, func(r auth.Reads) (auth.Attempts, error) { return r.Attempts(tenant, subject, auth.AttemptPasskey) }).Failures
	}
	fail := func(tenant auth.TenantID, subject auth.Subject) {
		move(t, s, func(tx auth.Writes) (bool, error) {
			return tx.PutAttempts(tenant, subject, auth.AttemptPasskey, auth.Attempts{Version: 1, Failures: 2}, 0)
		})
	}
	gone, stays, ofUser := auth.PasskeySubject(w.passkey.ID), auth.PasskeySubject("a"), auth.PasskeySubject("b")
	for _, subject := range []auth.Subject{gone, stays, ofUser} {
		fail("demo", subject)
	}
	fail("rival", gone)
	for _, want := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropPasskey("demo", w.passkey.ID) }); got != want {
			t.Errorf("dropped: got %v, want %v", got, want)
		}
	}
	if failures("demo", gone) != 0 || failures("demo", stays) != 2 || failures("rival", gone) != 2 {
		t.Error("want the failures of the dropped passkey to go, and no others")
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteUser("demo", "17", at(20)) })
	left := read(t, s, func(r auth.Reads) ([]auth.Passkey, error) { return r.PasskeysOf("demo", "17") })
	if len(left) != 0 || failures("demo", ofUser) != 0 || failures("demo", stays) != 2 {
		t.Errorf("want nothing of a deleted user's passkeys, and the others whole; %d are left", len(left))
	}
}

// movesOfPasskeys are those of passkeys and their ceremonies.
func movesOfPasskeys(w world) map[string]func(auth.Writes, int) (bool, error) {
	return map[string]func(auth.Writes, int) (bool, error){
		"PutPasskey": func(tx auth.Writes, i int) (bool, error) {
			p := w.passkey
			p.Version, p.Counter = 4, int64(i)
			return tx.PutPasskey(p, 3)
		},
		"AddPasskey": func(tx auth.Writes, i int) (bool, error) {
			return inserted(tx.AddPasskey(auth.Passkey{Tenant: "demo", User: "17", ID: "new", Label: strconv.Itoa(i)}))
		},
		"UseCeremony": func(tx auth.Writes, i int) (bool, error) { return tx.UseCeremony("demo", w.ceremony.ID, at(i+1)) },
	}
}

// zeroPasskeys reads those of which only the key is set.
func zeroPasskeys(t *testing.T, s auth.Store) {
	t.Helper()
	w := world{passkey: auth.Passkey{Tenant: "t", User: "u"}, ceremony: auth.Ceremony{Tenant: "t"}}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.PutTenant(auth.Tenant{ID: "t"}) },
			func() error { return tx.AddUser(auth.User{Tenant: "t", ID: "u"}, nil) },
			func() error { return addPasskeys(tx, w) },
		)
	})
	p := read(t, s, func(r auth.Reads) (auth.Passkey, error) { return r.Passkey("t", "") })
	c := read(t, s, func(r auth.Reads) (auth.Ceremony, error) { return r.Ceremony("t", "") })
	if diff := cmp.Diff(w.passkey, p); diff != "" {
		t.Errorf("passkey (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(w.ceremony, c); diff != "" {
		t.Errorf("ceremony (-want +got):\n%s", diff)
	}
}

func roundTripPasskeys(t *testing.T, s auth.Store, w world) {
	t.Helper()
	same(t, "Passkey", read(t, s, func(r auth.Reads) (auth.Passkey, error) { return r.Passkey("demo", w.passkey.ID) }), w.passkey)
	same(t, "PasskeysOf", read(t, s, func(r auth.Reads) ([]auth.Passkey, error) { return r.PasskeysOf("demo", w.user.ID) }),
		[]auth.Passkey{w.passkey})
	same(t, "PasskeysNamed", read(t, s, func(r auth.Reads) ([]auth.Passkey, error) { return r.PasskeysNamed("demo", w.passkey.Name, 9) }),
		[]auth.Passkey{w.passkey})
	same(t, "Ceremony", read(t, s, func(r auth.Reads) (auth.Ceremony, error) { return r.Ceremony("demo", w.ceremony.ID) }), w.ceremony)
}

// addPasskeys adds the world's, if it has any.
func addPasskeys(tx auth.Writes, w world) error {
	if w.passkey.Tenant == "" {
		return nil
	}
	return steps(func() error { return tx.AddPasskey(w.passkey) }, func() error { return tx.AddCeremony(w.ceremony) })
}
