package storetest

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"countersign/internal/auth"
)

// testCounts adds and deletes users and organizations at once, and corrects numbers that are wrong.
func testCounts(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	added(t, s, newWorld("other"))
	race(func(i int) { comeAndGo(t, s, i) })
	count := func(tenant auth.TenantID) auth.Counts {
		return read(t, s, func(r auth.Reads) (auth.Counts, error) {
			users, err := r.CountUsers(tenant, nil)
			_, organizations, err2 := r.Organizations(tenant, auth.OrganizationFilter{Limit: 1})
			return auth.Counts{Users: users, Organizations: organizations}, errors.Join(err, err2)
		})
	}
	const left = 1 + racers/2
	for _, step := range []struct{ wrong, count, missing auth.Counts }{
		{auth.Counts{}, auth.Counts{Users: left, Organizations: left}, auth.Counts{}},
		{auth.Counts{Users: -2}, auth.Counts{Users: left - 2, Organizations: left}, auth.Counts{Users: 2}},
		{auth.Counts{Users: 2, Organizations: 3}, auth.Counts{Users: left, Organizations: left + 3}, auth.Counts{Organizations: -3}},
		{auth.Counts{Organizations: -3}, auth.Counts{Users: left, Organizations: left}, auth.Counts{}},
	} {
		if step.wrong != (auth.Counts{}) {
			write(t, s, func(tx auth.Writes) error { return tx.CorrectCounts("demo", step.wrong) })
		}
		missing := read(t, s, auth.Reads.Miscounted)
		want := map[auth.TenantID]auth.Counts{}
		if step.missing != (auth.Counts{}) {
			want["demo"] = step.missing
		}
		if n, other := count("demo"), count("other"); n != step.count || other != (auth.Counts{Users: 1, Organizations: 1}) || !maps.Equal(missing, want) {
			t.Errorf("%+v: got %+v, of another tenant %+v, and missing %v", step, n, other, missing)
		}
	}
}

// comeAndGo adds a user and an organization, and every other one goes again.
func comeAndGo(t *testing.T, s auth.Store, i int) {
	t.Helper()
	identity := func(kind auth.IdentityType) auth.Identity {
		return auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: kind, ID: fmt.Sprint(200 + i)}}
	}
	u := auth.User{Tenant: "demo", ID: auth.UserID(fmt.Sprint(100 + i))}
	addUser := func(tx auth.Writes) error { return tx.AddUser(u, nil) }
	addOrganization := func(tx auth.Writes) error { return tx.AddIdentity(identity(auth.Corporate)) }
	addBoth := func(tx auth.Writes) error {
		return errors.Join(tx.AddIdentity(identity(auth.Consumer)), addOrganization(tx), addUser(tx))
	}
	if err := s.Write(t.Context(), addBoth); err != nil {
		t.Error(err)
	}
	for _, add := range []func(auth.Writes) error{addUser, addOrganization} {
		if err := s.Write(t.Context(), add); !errors.Is(err, auth.ErrExists) {
			t.Errorf("again: got %v, want ErrExists", err)
		}
	}
	if i%2 == 0 {
		return
	}
	drop := func(tx auth.Tx) error {
		return errors.Join(tx.DeleteIdentity("demo", identity(auth.Corporate).Ref), tx.DeleteUser("demo", u.ID, at(20)))
	}
	if err := s.Update(t.Context(), drop); err != nil {
		t.Error(err)
	}
	again := func(tx auth.Tx) error { return tx.DeleteIdentity("demo", identity(auth.Corporate).Ref) }
	if err := s.Update(t.Context(), again); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("deleted again: got %v, want ErrNotFound", err)
	}
}
