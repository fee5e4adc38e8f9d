package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testUserKeys lists the keys of a user, changes what may change of one, drops one with its failures, and takes a challenge once.
func testUserKeys(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	added(t, s, newWorld("rival"))
	second := auth.UserKey{Tenant: "demo", User: "17", Use: auth.KeyDevice, ID: w.key.ID, Version: 1, CreatedAt: at(9)}
	third := auth.UserKey{Tenant: "demo", User: "170", Use: auth.KeyDevice, ID: w.key.ID, Version: 1, CreatedAt: at(9)}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.AddUser(auth.User{Tenant: "demo", ID: "170"}, nil) },
			func() error { return tx.AddUserKey(second) },
			func() error { return tx.AddUserKey(third) },
		)
	})
	of := func(id auth.UserID) []auth.UserKey {
		return read(t, s, func(r auth.Reads) ([]auth.UserKey, error) { return r.UserKeys("demo", id) })
	}
	next := w.key
	next.Version, next.Name, next.Custom, next.PushType, next.PushToken = 4, "New", "{}", "APN", "other"
	next.BlockedAt, next.UpdatedAt, next.UsedAt = at(20), at(21), at(22)
	changed := next
	changed.Type, changed.Public, changed.OS, changed.CreatedAt = auth.KeyRSA, []byte{9}, "Android", at(23) // which cannot change
	for _, step := range []struct {
		from int64
		done bool
	}{{2, false}, {3, true}, {3, false}} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutUserKey(changed, step.from) }); got != step.done {
			t.Errorf("from %d: got %t, want %t", step.from, got, step.done)
		}
	}
	if diff := cmp.Diff([]auth.UserKey{next, second}, of("17")); diff != "" {
		t.Errorf("of a user (-want +got):\n%s", diff)
	}
	failures := func(tenant auth.TenantID, id auth.UserID, use auth.KeyUse) int {
		return read(t, s, func(r auth.Reads) (auth.Attempts, error) {
			return r.Attempts(tenant, auth.KeySubject(id, use, w.key.ID), auth.AttemptKey)
		}).Failures
	}
	for _, k := range []auth.UserKey{w.key, second, third, {Tenant: "rival", User: "17", Use: w.key.Use, ID: w.key.ID}} {
		move(t, s, func(tx auth.Writes) (bool, error) {
			return tx.PutAttempts(k.Tenant, auth.KeySubject(k.User, k.Use, k.ID), auth.AttemptKey, auth.Attempts{Version: 1, Failures: 2}, 0)
		})
	}
	for _, want := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropUserKey("demo", "17", w.key.Use, w.key.ID) }); got != want {
			t.Errorf("dropped: got %v, want %v", got, want)
		}
	}
	if failures("demo", "17", w.key.Use) != 0 || failures("demo", "17", second.Use) != 2 || failures("rival", "17", w.key.Use) != 2 {
		t.Error("want the failures of the dropped key to go, and no others")
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteUser("demo", "17", at(20)) })
	if len(of("17")) != 0 || failures("demo", "17", second.Use) != 0 || failures("demo", "170", third.Use) != 2 || len(of("170")) != 1 {
		t.Error("want nothing of a deleted user's keys, and another's whole")
	}
}

// testSpentChallenges takes each challenge once in a tenant.
func testSpentChallenges(t *testing.T, s auth.Store) {
	for _, step := range []struct {
		tenant auth.TenantID
		want   bool
	}{{"demo", true}, {"demo", false}, {"rival", true}} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.UseChallenge(step.tenant, digest("spent"), at(30)) }); got != step.want {
			t.Errorf("a challenge of %s: got %v, want %v", step.tenant, got, step.want)
		}
	}
}

// testUserKeyMoves: of many who move the same key, or spend the same challenge, one does.
func testUserKeyMoves(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	for _, verb := range []func(auth.Writes, int) (bool, error){
		func(tx auth.Writes, i int) (bool, error) { return tx.UseChallenge("demo", digest("spent"), at(30+i)) },
		func(tx auth.Writes, i int) (bool, error) {
			k := w.key
			k.Version, k.UsedAt = 4, at(30+i)
			return tx.PutUserKey(k, 3)
		},
		func(tx auth.Writes, _ int) (bool, error) { return tx.DropUserKey("demo", "17", w.key.Use, w.key.ID) },
	} {
		once(t, s, verb)
	}
}
