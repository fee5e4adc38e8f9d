package auth_test

import (
	"errors"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestRecount puts right numbers that are wrong, and leaves those that are right.
func TestRecount(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	count := func() auth.Counts {
		var n auth.Counts
		err := e.Store.View(t.Context(), func(r auth.Reads) error {
			var err, err2 error
			n.Users, err = r.CountUsers(authtest.Demo, nil)
			_, n.Organizations, err2 = r.Organizations(authtest.Demo, auth.OrganizationFilter{Limit: 1})
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := count()
	for _, wrong := range []auth.Counts{{}, {Users: 5}, {Organizations: -2}, {Users: -3, Organizations: 4}} {
		err := e.Store.Write(t.Context(), func(w auth.Writes) error { return w.CorrectCounts(authtest.Demo, wrong) })
		if got := count(); err != nil || got.Users != want.Users+wrong.Users || got.Organizations != want.Organizations+wrong.Organizations {
			t.Fatalf("got %+v, want %+v and %+v (%v)", got, want, wrong, err)
		}
		for range 2 {
			if err := e.Recount(t.Context()); err != nil || count() != want {
				t.Errorf("after %+v: got %+v, want %+v (%v)", wrong, count(), want, err)
			}
		}
	}
}
