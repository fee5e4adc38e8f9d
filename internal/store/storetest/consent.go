package storetest

import (
	"testing"

	"countersign/internal/auth"
)

// testConsents writes consents of one user, replaces one, and drops one; another tenant's and those of a deleted user are not among them.
func testConsents(t *testing.T, s auth.Store) {
	added(t, s, live("demo"))
	added(t, s, live("other"))
	first := auth.Consent{Tenant: "demo", User: "17", Client: "a", Scopes: []string{"email", "openid"}, GivenAt: at(3), UpdatedAt: at(4)}
	next, foreign := first, first
	next.Client, foreign.Tenant = "b", "other"
	of := func(tenant auth.TenantID) []auth.Consent {
		return read(t, s, func(r auth.Reads) ([]auth.Consent, error) { return r.Consents(tenant, "17") })
	}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.PutConsent(next) },
			func() error { return tx.PutConsent(first) },
			func() error { return tx.PutConsent(foreign) },
		)
	})
	same(t, "Consents", of("demo"), []auth.Consent{first, next})
	first.Scopes, first.UpdatedAt = []string{"openid"}, at(5)
	write(t, s, func(tx auth.Writes) error { return tx.PutConsent(first) })
	same(t, "Consents after a change", of("demo"), []auth.Consent{first, next})
	for _, want := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropConsent("demo", "17", "b") }); got != want {
			t.Errorf("drop: got %t, want %t", got, want)
		}
	}
	same(t, "Consents after one went", of("demo"), []auth.Consent{first})
	same(t, "Consents of another tenant", of("other"), []auth.Consent{foreign})
	write(t, s, func(tx auth.Writes) error { return tx.DeleteUser("demo", "17", at(20)) })
	if left := of("demo"); len(left) != 0 || len(of("other")) != 1 {
		t.Errorf("of a deleted user: got %v", left)
	}
}
