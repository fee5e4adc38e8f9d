package storetest

import (
	"errors"
	"testing"

	"countersign/internal/auth"
)

// testLogos writes the image of an organization, replaces it, and looks for it when the organization has gone; another tenant's stays.
func testLogos(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	added(t, s, live("other"))
	first := auth.Logo{Tenant: "demo", Organization: w.identity.Ref.ID, ID: "one", URI: "data:image/png;base64,AA==", CreatedAt: at(3)}
	foreign, next := first, first
	foreign.Tenant, foreign.ID, next.ID, next.URI, next.CreatedAt = "other", "foreign", "two", "data:image/jpeg;base64,AA==", at(4)
	write(t, s, func(tx auth.Writes) error {
		return steps(func() error { return tx.PutLogo(first) }, func() error { return tx.PutLogo(foreign) })
	})
	of := func(id string) (auth.Logo, error) {
		var l auth.Logo
		err := s.View(t.Context(), func(r auth.Reads) (err error) { l, err = r.Logo(id); return err })
		return l, err
	}
	got, _ := of("one")
	same(t, "Logo", got, first)
	write(t, s, func(tx auth.Writes) error { return tx.PutLogo(next) })
	got, _ = of("two")
	same(t, "Logo after a change", got, next)
	if _, err := of("one"); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("the former one: got %v", err)
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteIdentity("demo", w.identity.Ref) })
	if _, err := of("two"); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("of an organization that has gone: got %v", err)
	}
	got, _ = of("foreign")
	same(t, "Logo of another tenant", got, foreign)
}
