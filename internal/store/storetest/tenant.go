package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// state is all that can be read of a tenant.
type state struct {
	Account        auth.Account
	ByIdentifier   auth.Account
	Session        auth.LiveSession
	Identity       auth.Identity
	Authenticators []auth.Authenticator
	History        []string
	Events         []auth.Event
	Bearer         auth.Bearer
	Refresh        auth.LiveRefresh
}

func stateOf(t *testing.T, s auth.Store, w world) state {
	t.Helper()
	tenant := w.tenant.ID
	var a state
	view(t, s, func(r auth.Reads) error {
		var err [9]error
		a.Account, err[0] = r.AccountByUser(tenant, "17")
		a.ByIdentifier, err[1] = r.AccountByIdentifier(tenant, auth.ByEmail, "ada@example.com", "phantom")
		a.Session, err[2] = r.Session(tenant, "ses-1")
		a.Identity, err[3] = r.Identity(tenant, w.identity.Ref)
		a.Authenticators, err[4] = r.Authenticators(tenant, "17")
		a.History, err[5] = r.PasswordHistory(tenant, "17", 9)
		a.Events, err[6] = r.Events(tenant, "", 9)
		a.Bearer, err[7] = r.Bearer(w.token.Hash)
		a.Refresh, err[8] = r.Refresh(w.leaf.Hash)
		for _, err := range err {
			if err != nil {
				return err
			}
		}
		return nil
	})
	// The revision is the server's, not the tenant's.
	a.Account.Revision, a.ByIdentifier.Revision, a.Session.Revision, a.Bearer.Revision, a.Refresh.Revision = 0, 0, 0, 0, 0
	return a
}

// testTenants gives two tenants the same ids and changes all that can be changed in one of them.
func testTenants(t *testing.T, s auth.Store) {
	one, two := added(t, s, live("one")), added(t, s, live("two"))
	for _, w := range []world{one, two} {
		a := stateOf(t, s, w)
		if diff := cmp.Diff(w.user, a.ByIdentifier.User); diff != "" {
			t.Errorf("%s (-want +got):\n%s", w.tenant.ID, diff)
		}
		if len(a.Account.Memberships) != 1 || len(a.Session.Memberships) != 1 || len(a.Authenticators) != 1 || len(a.Events) != 1 {
			t.Errorf("%s holds rows of another tenant: %+v", w.tenant.ID, a)
		}
	}
	before, other := stateOf(t, s, two), stateOf(t, s, one)
	write(t, s, func(tx auth.Writes) error {
		ok := func(_ bool, err error) func() error { return func() error { return err } }
		p := one.password
		p.Version++
		return steps(
			ok(tx.SwapPassword(p, p.Version-1, true, true)),
			ok(tx.MoveUserStatus("one", "17", auth.UserActive, auth.UserSuspended, at(20))),
			ok(tx.PutAttempts("one", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 8}, 7)),
			ok(tx.JoinSession("one", "ses-1", []auth.Method{"new"}, at(21))),
			ok(tx.TouchSession("one", "ses-1", at(22))),
			ok(tx.EndSession("one", "ses-1", at(23), "why")),
			ok(tx.UseToken(one.token.Hash, at(24))),
			ok(tx.RotateRefresh(one.leaf.Hash, at(24))),
			ok(tx.RevokeRefreshFamily(one.root.Hash, at(24))),
			func() error { return tx.TouchMembership("one", "17", one.identity.Ref, at(25)) },
			func() error { return tx.AddEvents(auth.Event{Tenant: "one", ID: "new"}) },
			func() error { return tx.AddAuthenticator(auth.Authenticator{Tenant: "one", ID: "new", User: "17"}) },
		)
	})
	if diff := cmp.Diff(before, stateOf(t, s, two)); diff != "" {
		t.Errorf("a change in tenant one changed tenant two (-before +after):\n%s", diff)
	}
	if cmp.Equal(other, stateOf(t, s, one)) {
		t.Error("tenant one did not change")
	}
}
