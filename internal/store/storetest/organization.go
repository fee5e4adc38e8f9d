package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testOrganizations lists and counts organizations by each filter, in the order in which they were made.
func testOrganizations(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error {
		organization := func(tenant auth.TenantID, kind auth.IdentityType, id, name, manager string, day int) func() error {
			return func() error {
				return tx.AddIdentity(auth.Identity{
					Tenant: tenant, Ref: auth.IdentityRef{Type: kind, ID: id}, Name: name, CreatedAt: at(day),
					Organization: auth.Organization{Manager: manager},
				})
			}
		}
		return steps(
			func() error { return tx.PutTenant(auth.Tenant{ID: "demo"}) },
			func() error { return tx.PutTenant(auth.Tenant{ID: "rival"}) },
			organization("demo", auth.Corporate, "1", "Acme", "", 3),
			organization("demo", auth.Corporate, "2", "Acme", "1", 2),
			organization("demo", auth.Corporate, "3", "acme", "1", 2),
			organization("demo", auth.Consumer, "4", "Acme", "1", 1),
			organization("rival", auth.Corporate, "5", "Acme", "1", 1),
		)
	})
	for _, c := range []struct {
		filter auth.OrganizationFilter
		want   string
		count  int
	}{
		{auth.OrganizationFilter{}, "[2 3 1]", 3},
		{auth.OrganizationFilter{Limit: 2}, "[2 3]", 3},
		{auth.OrganizationFilter{Offset: 1, Limit: 9}, "[3 1]", 3},
		{auth.OrganizationFilter{Offset: 9}, "[]", 3},
		{auth.OrganizationFilter{Name: "Acme"}, "[2 1]", 2},
		{auth.OrganizationFilter{Name: "Acme", Managers: []string{"1"}}, "[2]", 1},
		{auth.OrganizationFilter{Managers: []string{"9"}}, "[]", 0},
		{auth.OrganizationFilter{Managers: []string{"9", "1", "2"}, Offset: 1, Limit: 2}, "[3]", 2},
	} {
		var found []auth.Identity
		var count int
		view(t, s, func(r auth.Reads) (err error) { found, count, err = r.Organizations("demo", c.filter); return err })
		var ids []string
		for _, i := range found {
			ids = append(ids, i.Ref.ID)
		}
		if fmt.Sprint(ids) != c.want || count != c.count {
			t.Errorf("%+v: got %v of %d, want %s of %d", c.filter, ids, count, c.want, c.count)
		}
	}
}

// testDomains gives a domain to one organization after another, which is to be had once its owner has given it up or is gone.
func testDomains(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	other := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Corporate, ID: "115"}, CreatedAt: at(2)}
	write(t, s, func(tx auth.Writes) error { return tx.AddIdentity(other) })
	put := func(i auth.Identity, domains ...string) error {
		i.Organization.Domains = domains
		return s.Write(t.Context(), func(tx auth.Writes) error { return tx.PutIdentity(i) })
	}
	if err := put(other, "new.example", "acme.test"); !errors.Is(err, auth.ErrExists) {
		t.Errorf("another's domain: got %v, want ErrExists", err)
	}
	if err := errors.Join(put(w.identity, "acme.example"), put(other, "acme.test")); err != nil {
		t.Errorf("a domain that was given up: %v", err)
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteIdentity("demo", w.identity.Ref) })
	if err := put(other, "acme.test", "acme.example"); err != nil {
		t.Errorf("a domain whose owner is gone: %v", err)
	}
	a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") })
	if len(a.Memberships) != 0 {
		t.Errorf("memberships of what is gone: %+v", a.Memberships)
	}
	err := s.View(t.Context(), func(r auth.Reads) error { return found(r.Identity("demo", w.identity.Ref)) })
	if !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("the deleted one: got %v, want ErrNotFound", err)
	}
}

// testRevokeRefreshOf revokes the families of one user for one organization, and leaves the others and those of clients that are spared.
func testRevokeRefreshOf(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	added(t, s, live("rival"))
	org := auth.IdentityRef{Type: auth.Corporate, ID: "114"}
	token := func(name string, user auth.UserID, org auth.IdentityRef) auth.RefreshToken {
		r := w.root
		r.Hash, r.User, r.Org = digest(name), user, org
		r.Root = r.Hash
		return r
	}
	mine, child := token("mine", "17", org), token("child", "17", org)
	child.Root = mine.Hash
	kept := token("kept", "17", org)
	kept.Client = "spared"
	plain, others := token("plain", "17", auth.IdentityRef{}), token("others", "18", org)
	write(t, s, func(tx auth.Writes) error {
		for _, r := range []auth.RefreshToken{mine, child, kept, plain, others} {
			if err := tx.AddRefresh(r); err != nil {
				return err
			}
		}
		return nil
	})
	for _, want := range []int{1, 0} {
		write(t, s, func(tx auth.Writes) error {
			if n, err := tx.RevokeRefreshOf("demo", "17", org, []auth.ClientID{"spared"}, at(20)); err != nil || n != want {
				t.Errorf("got %d, %v, want %d", n, err, want)
			}
			return nil
		})
	}
	got := map[string]bool{}
	for name, r := range map[string]auth.RefreshToken{"mine": mine, "child": child, "kept": kept, "plain": plain} {
		live := read(t, s, func(tx auth.Reads) (auth.LiveRefresh, error) { return tx.Refresh(r.Hash) })
		got[name] = !live.RevokedAt.IsZero()
	}
	if diff := cmp.Diff(map[string]bool{"mine": true, "child": true, "kept": false, "plain": false}, got); diff != "" {
		t.Errorf("revoked (-want +got):\n%s", diff)
	}
	if !move(t, s, func(tx auth.Writes) (bool, error) { return tx.RevokeRefreshFamily(others.Hash, at(21)) }) {
		t.Error("another user's family was revoked")
	}
}

// testDropMembership takes one membership away, once.
func testDropMembership(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	for i, done := range []bool{true, false} {
		got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropMembership("demo", "17", w.identity.Ref) })
		if got != done {
			t.Errorf("drop %d: got %t, want %t", i+1, got, done)
		}
	}
	a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") })
	if len(a.Memberships) != 0 {
		t.Errorf("got %+v, want none", a.Memberships)
	}
}
