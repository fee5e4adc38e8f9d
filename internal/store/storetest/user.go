package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// userListing is a page of the users of testUsers, and how many there are in all of its spans.
type userListing struct {
	page  auth.UserPage
	count int
	want  string
}

func userListings() []userListing {
	names := func(from, below string) auth.UserSpan {
		return auth.UserSpan{Field: auth.SpanOfIdentifier, Kind: auth.ByUsername, From: from, Below: below}
	}
	emails, phones := auth.UserSpan{Field: auth.SpanOfEmail, From: "a", Below: "b"}, auth.UserSpan{Field: auth.SpanOfPhone, From: "+2", Below: "+3"}
	created := auth.UserSpan{Field: auth.SpanOfCreation, Since: at(20), End: at(22)}
	in := func(spans ...auth.UserSpan) []auth.UserSpan { return spans }
	return []userListing{
		{auth.UserPage{Limit: 9}, 4, "[17 30 29 28]"},
		{auth.UserPage{Limit: 9, Descending: true}, 4, "[28 29 30 17]"},
		{auth.UserPage{Limit: 2, Offset: 1}, 4, "[30 29]"},
		{auth.UserPage{Limit: 2, Offset: 1, Descending: true}, 4, "[29 30]"},
		{auth.UserPage{Limit: 9, Offset: 9}, 4, "[]"},
		{auth.UserPage{}, 4, "[]"},
		{auth.UserPage{Limit: 9, Order: auth.OrderByEmail}, 4, "[28 17 29 30]"}, // in any case
		{auth.UserPage{Limit: 2, Offset: 1, Order: auth.OrderByEmail, Descending: true}, 4, "[29 17]"},
		{auth.UserPage{Limit: 9, Order: auth.OrderByPhone}, 4, "[28 29 30 17]"},
		{auth.UserPage{Limit: 9, Order: auth.OrderByPhone, Descending: true}, 4, "[17 30 29 28]"},
		{auth.UserPage{Limit: 2, Offset: 2, Order: auth.OrderByPhone}, 4, "[30 17]"},
		{auth.UserPage{Limit: 9, Order: auth.OrderByLastAuth, Descending: true}, 4, "[17 30 29 28]"},
		{auth.UserPage{Limit: 2, Offset: 1, Order: auth.OrderByLastAuth}, 4, "[29 30]"},
		{auth.UserPage{Limit: 2, Order: auth.OrderByID}, 4, "[17 28]"},
		{auth.UserPage{Limit: 9, Order: auth.OrderByID, Among: in(auth.UserSpan{Field: auth.SpanOfID, From: "28\x01"})}, 2, "[29 30]"},
		{auth.UserPage{Limit: 9, Among: in(emails)}, 2, "[17 29]"},
		{auth.UserPage{Limit: 9, Among: in(phones)}, 2, "[29 28]"},
		{auth.UserPage{Limit: 9, Among: in(created)}, 2, "[30 29]"},
		{auth.UserPage{Limit: 9, Among: in(names("name-28", "name-30"))}, 2, "[29 28]"},
		{auth.UserPage{Limit: 9, Offset: 1, Among: in(names("name-28", ""), phones)}, 3, "[29 28]"}, // each once
		{auth.UserPage{Limit: 9, Among: in(names("name-30", "name-30\x01"), names("name-28", "name-28\x01"), emails)}, 4, "[17 30 29 28]"},
		{auth.UserPage{Limit: 9, Among: in(auth.UserSpan{Field: auth.SpanOfPhone, From: "+9"})}, 0, "[]"},
	}
}

// testUsers lists users in each order, page by page, and in spans, and stops when it is told.
func testUsers(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	added(t, s, newWorld("other"))
	write(t, s, func(tx auth.Writes) error {
		for i, u := range []auth.User{{Email: "Zoe@example.com", Phone: "+3"}, {Email: "adam@example.com", Phone: "+2"}, {Phone: "+2"}} {
			u.Tenant, u.ID, u.CreatedAt = "demo", auth.UserID(fmt.Sprint(30-i)), at(20+i)
			id := auth.Identifier{Tenant: "demo", Kind: auth.ByUsername, Canonical: "name-" + string(u.ID), User: u.ID}
			if err := tx.AddUser(u, []auth.Identifier{id}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, tt := range userListings() {
		got := []auth.UserID{}
		count := read(t, s, func(r auth.Reads) (int, error) {
			got = got[:0]
			err := r.Users("demo", tt.page, func(a auth.Account) error { got = append(got, a.User.ID); return nil })
			n, err2 := r.CountUsers("demo", tt.page.Among)
			return n, errors.Join(err, err2)
		})
		if fmt.Sprint(got) != tt.want || count != tt.count {
			t.Errorf("%+v: got %v of %d, want %v of %d", tt.page, got, count, tt.want, tt.count)
		}
	}
	stop := errors.New("stop")
	err := s.View(t.Context(), func(r auth.Reads) error {
		return r.Users("demo", auth.UserPage{Limit: 9}, func(a auth.Account) error {
			want := auth.Account{Found: true, User: w.user, Password: w.password, Subject: auth.SubjectOf("17")}
			want.Attempts.SucceededAt = w.attempts.SucceededAt
			if diff := cmp.Diff(want, a); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return stop
		})
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want what visit returned", err)
	}
}

// testNobody looks for whom nobody is, and finds nothing of those who were read in their place.
func testNobody(t *testing.T, s auth.Store) {
	added(t, s, live("demo"))
	added(t, s, live("other"))
	write(t, s, func(tx auth.Writes) error {
		for _, id := range []auth.UserID{"2", "9"} {
			if err := tx.AddUser(auth.User{Tenant: "demo", ID: id, Email: "somebody@example.com"}, nil); err != nil {
				return err
			}
		}
		_, err := tx.PutAttempts("demo", "none:0f", auth.AttemptPassword, auth.Attempts{Version: 3}, 0)
		return err
	})
	revision := read(t, s, auth.Reads.Revision)
	for _, phantom := range []auth.Subject{"none:00", "none:0f", "none:1a", "none:99ffff", "none:", "phantom"} {
		for _, tenant := range []auth.TenantID{"demo", "nowhere"} {
			want := auth.Account{Revision: revision, Subject: phantom}
			if phantom == "none:0f" && tenant == "demo" {
				want.Attempts.Version = 3
			}
			got := read(t, s, func(r auth.Reads) (auth.Account, error) {
				return r.AccountByIdentifier(tenant, auth.ByEmail, "nobody@example.com", phantom)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", phantom, tenant, diff)
			}
		}
	}
}

// testDeleteUser looks for what is left of a user: nothing but an id that is nobody's again.
func testDeleteUser(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	other := added(t, s, live("other"))
	revision := read(t, s, auth.Reads.Revision)
	write(t, s, func(tx auth.Writes) error { return tx.RaiseEpoch("demo", "17") })
	if a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") }); a.User.Epoch != w.user.Epoch+1 {
		t.Errorf("epoch: got %d, want %d", a.User.Epoch, w.user.Epoch+1)
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteUser("demo", "17", at(20)) })
	for name, verb := range map[string]func(auth.Reads) error{
		"AccountByUser": func(r auth.Reads) error { return found(r.AccountByUser("demo", "17")) },
		"Session":       func(r auth.Reads) error { return found(r.Session("demo", w.session.ID)) },
		"Bearer":        func(r auth.Reads) error { return found(r.Bearer(w.token.Hash)) },
		"Refresh":       func(r auth.Reads) error { return found(r.Refresh(w.leaf.Hash)) },
	} {
		if err := s.View(t.Context(), verb); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	view(t, s, func(r auth.Reads) error {
		a, err := r.AccountByIdentifier("demo", auth.ByEmail, w.identifiers[0].Canonical, "phantom")
		bound, err2 := r.Authenticators("demo", "17")
		history, err3 := r.PasswordHistory("demo", "17", 9)
		attempts, err4 := r.Attempts("demo", auth.SubjectOf("17"), auth.AttemptPassword)
		people, _, err5 := r.People("demo", w.identity.Ref, auth.PersonFilter{})
		if a.Found || len(bound)+len(history)+len(people) > 0 || attempts != (auth.Attempts{}) {
			t.Errorf("left: %t %v %v %v %v", a.Found, bound, history, people, attempts)
		}
		return errors.Join(err, err2, err3, err4, err5)
	})
	if now := read(t, s, auth.Reads.Revision); now <= revision {
		t.Error("the last password of a shape went, and the revision did not rise")
	}
	again := s.Write(t.Context(), func(tx auth.Writes) error { return tx.AddUser(w.user, w.identifiers) })
	if !errors.Is(again, auth.ErrExists) {
		t.Errorf("the same id again: got %v, want ErrExists", again)
	}
	fresh := w.user
	fresh.ID = "18"
	email := w.identifiers[0]
	email.User = "18"
	write(t, s, func(tx auth.Writes) error { return tx.AddUser(fresh, []auth.Identifier{email}) })
	if a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("other", "17") }); a.User.Email != other.user.Email {
		t.Errorf("the other tenant's user: got %+v", a.User)
	}
}
