package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testUsers lists users in each order, page by page, and stops when it is told.
func testUsers(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	added(t, s, newWorld("other"))
	write(t, s, func(tx auth.Writes) error {
		for i, u := range []auth.User{{Email: "Zoe@example.com", Phone: "+3"}, {Email: "adam@example.com", Phone: "+2"}, {Phone: "+2"}} {
			u.Tenant, u.ID, u.CreatedAt = "demo", auth.UserID(fmt.Sprint(30-i)), at(20+i)
			if err := tx.AddUser(u, nil); err != nil {
				return err
			}
		}
		return nil
	})
	for _, tt := range []struct {
		page auth.UserPage
		want []auth.UserID
	}{
		{auth.UserPage{Limit: 9}, []auth.UserID{"17", "30", "29", "28"}},
		{auth.UserPage{Limit: 9, Descending: true}, []auth.UserID{"28", "29", "30", "17"}},
		{auth.UserPage{Limit: 2, Offset: 1}, []auth.UserID{"30", "29"}},
		{auth.UserPage{Limit: 9, Offset: 9}, nil},
		{auth.UserPage{}, nil},
		{auth.UserPage{Limit: 9, Order: auth.OrderByEmail}, []auth.UserID{"28", "17", "30", "29"}}, // by bytes
		{auth.UserPage{Limit: 9, Order: auth.OrderByPhone}, []auth.UserID{"28", "29", "30", "17"}},
		{auth.UserPage{Limit: 9, Order: auth.OrderByLastAuth, Descending: true}, []auth.UserID{"17", "28", "29", "30"}},
	} {
		var got []auth.UserID
		count := read(t, s, func(r auth.Reads) (int, error) {
			got = nil
			return r.Users("demo", tt.page, func(a auth.Account) error { got = append(got, a.User.ID); return nil })
		})
		if !slices.Equal(got, tt.want) || count != 4 {
			t.Errorf("%+v: got %v of %d, want %v of 4", tt.page, got, count, tt.want)
		}
	}
	stop := errors.New("stop")
	err := s.View(t.Context(), func(r auth.Reads) error {
		_, err := r.Users("demo", auth.UserPage{Limit: 9}, func(a auth.Account) error {
			want := auth.Account{Found: true, User: w.user, Password: w.password, Subject: auth.SubjectOf("17")}
			want.Attempts.SucceededAt = w.attempts.SucceededAt
			if diff := cmp.Diff(want, a); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return stop
		})
		return err
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want what visit returned", err)
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
