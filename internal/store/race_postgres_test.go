//go:build postgres

package store_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// TestWhatCameBetweenGoesToo: whoever deletes a user or an organization takes along what another transaction gave it meanwhile, and does not
// take the refusal of the database for the answer that there is none.
func TestWhatCameBetweenGoesToo(t *testing.T) {
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	ref := auth.IdentityRef{Type: auth.Corporate, ID: "2"}
	newcomer := auth.User{Tenant: "demo", ID: "18", Status: auth.UserActive}
	for name, c := range map[string]struct {
		statement string // before which the other transaction commits
		other     func(auth.Writes) error
		verb      func(auth.Writes) error
		gone      func(auth.Reads) error
	}{
		"a key of a user": {
			"DropUser",
			func(w auth.Writes) error {
				return w.AddUserKey(auth.UserKey{Tenant: "demo", User: "17", Use: "device", ID: "k", Version: 1, CreatedAt: at})
			},
			func(w auth.Writes) error { return w.DeleteUser("demo", "17", at) },
			func(r auth.Reads) error { _, err := r.AccountByUser("demo", "17"); return err },
		},
		"a member of an organization": {
			"DropIdentity",
			func(w auth.Writes) error {
				return w.AddMembership(auth.Membership{Tenant: "demo", User: newcomer.ID, Identity: auth.Identity{Ref: ref}})
			},
			func(w auth.Writes) error { return w.DeleteIdentity("demo", ref) },
			func(r auth.Reads) error { _, err := r.Identity("demo", ref); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s *store.Store
			var armed atomic.Bool
			between := func(query string) {
				if strings.HasPrefix(query, "-- name: "+c.statement+" ") && armed.CompareAndSwap(true, false) {
					if err := s.Write(t.Context(), c.other); err != nil {
						t.Errorf("the other transaction: %v", err)
					}
				}
			}
			s = openPostgres(t, store.Options{OnStatement: between})
			if err := s.Update(t.Context(), household); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(t.Context(), func(w auth.Writes) error { return w.AddUser(newcomer, nil) }); err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			if err := s.Update(t.Context(), func(tx auth.Tx) error { return c.verb(tx) }); err != nil || armed.Load() {
				t.Errorf("got %v, want no error", err)
			}
			if err := s.View(t.Context(), c.gone); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("what was deleted: got %v, want ErrNotFound", err)
			}
		})
	}
}
