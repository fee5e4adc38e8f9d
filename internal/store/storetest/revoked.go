package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"countersign/internal/auth"
)

// testRevokedTokens revokes access tokens by themselves and with their family, in one tenant of two.
func testRevokedTokens(t *testing.T, s auth.Store) {
	w, other := added(t, s, live("demo")), added(t, s, live("other"))
	revoked := func(tenant auth.TenantID, id string, family auth.TokenHash) bool {
		t.Helper()
		alone := read(t, s, func(r auth.Reads) (bool, error) { return r.RevokedToken(tenant, id, family) })
		live, with := auth.LiveSession{}, false
		err := s.View(t.Context(), func(r auth.Reads) (err error) {
			live, with, err = r.TokenSession(tenant, w.session.ID, id, family)
			return err
		})
		if err != nil || with != alone {
			t.Errorf("%s of %s: got %t, with its session %t, %v", id, tenant, alone, with, err)
		}
		want := read(t, s, func(r auth.Reads) (auth.LiveSession, error) { return r.Session(tenant, w.session.ID) })
		if !reflect.DeepEqual(live, want) {
			t.Errorf("TokenSession: got %+v, want %+v", live, want)
		}
		return alone
	}
	check := func(when string, token, family bool) {
		t.Helper()
		for name, c := range map[string]struct{ got, want bool }{
			"the token":                  {revoked("demo", "jti-2", auth.TokenHash{}), token},
			"one of the family":          {revoked("demo", "jti-3", w.root.Hash), family},
			"one that names the leaf":    {revoked("demo", "jti-3", w.leaf.Hash), false},
			"one of an unknown family":   {revoked("demo", "jti-3", digest("none")), false},
			"the token's name elsewhere": {revoked("other", "jti-2", other.root.Hash), false},
			"the family's elsewhere":     {revoked("other", "jti-3", w.root.Hash), false},
			"what is no name":            {revoked("demo", "", auth.TokenHash{}), false},
		} {
			if c.got != c.want {
				t.Errorf("%s, %s: got %t, want %t", when, name, c.got, c.want)
			}
		}
	}
	check("at first", false, false)
	for tenant, session := range map[auth.TenantID]auth.SessionID{"demo": "none", "none": w.session.ID} {
		err := s.View(t.Context(), func(r auth.Reads) error {
			_, _, err := r.TokenSession(tenant, session, "jti-2", w.root.Hash)
			return err
		})
		if !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("a session that is not there, in %s: got %v, want ErrNotFound", tenant, err)
		}
	}
	for i, want := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.RevokeToken("demo", "jti-2", at(20+i)) }); got != want {
			t.Errorf("revoke token, %d: got %t, want %t", i, got, want)
		}
	}
	check("with the token revoked", true, false)
	move(t, s, func(tx auth.Writes) (bool, error) { return tx.RevokeRefreshFamily(w.root.Hash, at(21)) })
	check("with both", true, true)
}

// testRevokedUntil moves the time forward and not back, and raises the revision when it did.
func testRevokedUntil(t *testing.T, s auth.Store) {
	before := read(t, s, auth.Reads.Directory)
	for _, step := range []struct {
		to, want time.Time
		raises   int64
	}{{at(20), at(20), 1}, {at(20), at(20), 1}, {at(19), at(20), 1}, {at(21), at(21), 2}} {
		write(t, s, func(tx auth.Writes) error { return tx.RaiseRevokedUntil(step.to) })
		d := read(t, s, auth.Reads.Directory)
		if !d.RevokedUntil.Equal(step.want) || d.Revision != before.Revision+step.raises {
			t.Errorf("to %v: got %v and %d raises, want %v and %d", step.to, d.RevokedUntil, d.Revision-before.Revision, step.want, step.raises)
		}
	}
}
