package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"countersign/internal/auth"
)

// found is the error alone, where what was found is of no interest.
func found[T any](_ T, err error) error { return err }

// listed is how much there is in a list that is counted.
func listed[T any](some []T, count int, err error) (int, error) { return len(some) + count, err }

// testNotFound calls each verb that needs a row in a tenant that has none.
func testNotFound(t *testing.T, s auth.Store) {
	w, none := added(t, s, live("demo")), auth.TokenHash(digest("none"))
	for name, verb := range map[string]func(auth.Tx) error{
		"Meta":                    func(tx auth.Tx) error { return found(tx.Meta("none")) },
		"AccountByUser":           func(tx auth.Tx) error { return found(tx.AccountByUser("demo", "none")) },
		"AccountByUser elsewhere": func(tx auth.Tx) error { return found(tx.AccountByUser("none", w.user.ID)) },
		"Bearer":                  func(tx auth.Tx) error { return found(tx.Bearer(none)) },
		"Session":                 func(tx auth.Tx) error { return found(tx.Session("demo", "none")) },
		"Session elsewhere":       func(tx auth.Tx) error { return found(tx.Session("none", w.session.ID)) },
		"Refresh":                 func(tx auth.Tx) error { return found(tx.Refresh(none)) },
		"Grant":                   func(tx auth.Tx) error { return found(tx.Grant(none)) },
		"Device":                  func(tx auth.Tx) error { return found(tx.Device("none")) },
		"PutDevice":               func(tx auth.Tx) error { return found(tx.PutDevice(auth.Device{ID: "none", Tenant: "demo"}, 1)) },
		"PutDevice elsewhere":     func(tx auth.Tx) error { return found(tx.PutDevice(auth.Device{ID: w.device.ID, Tenant: "none"}, 1)) },
		"AddDevice":               func(tx auth.Tx) error { return tx.AddDevice(auth.Device{ID: "new", Tenant: "demo", User: "none"}) },
		"Ticket":                  func(tx auth.Tx) error { return found(tx.Ticket(none)) },
		"UseTicket":               func(tx auth.Tx) error { return found(tx.UseTicket(none, at(1))) },
		"Approval":                func(tx auth.Tx) error { return found(tx.Approval("none", "900")) },
		"Party":                   func(tx auth.Tx) error { return found(tx.Party("demo", "none")) },
		"Party elsewhere":         func(tx auth.Tx) error { return found(tx.Party("none", w.party.Session)) },
		"Passkey":                 func(tx auth.Tx) error { return found(tx.Passkey("demo", "none")) },
		"Passkey elsewhere":       func(tx auth.Tx) error { return found(tx.Passkey("none", w.passkey.ID)) },
		"Ceremony":                func(tx auth.Tx) error { return found(tx.Ceremony("demo", "none")) },
		"Ceremony elsewhere":      func(tx auth.Tx) error { return found(tx.Ceremony("none", w.ceremony.ID)) },
		"UseCeremony":             func(tx auth.Tx) error { return found(tx.UseCeremony("demo", "none", at(1))) },
		"UseCeremony elsewhere":   func(tx auth.Tx) error { return found(tx.UseCeremony("none", w.ceremony.ID, at(1))) },
		"AddPasskey":              func(tx auth.Tx) error { return tx.AddPasskey(auth.Passkey{Tenant: "demo", ID: "new", User: "none"}) },
		"UseGrant":                func(tx auth.Tx) error { return found(tx.UseGrant(none, at(1))) },
		"Identity": func(tx auth.Tx) error {
			return found(tx.Identity("demo", auth.IdentityRef{Type: auth.Consumer, ID: "114"}))
		},
		"MoveUserStatus":  func(tx auth.Tx) error { return found(tx.MoveUserStatus("demo", "none", "a", "b", at(1))) },
		"ActivateUser":    func(tx auth.Tx) error { return found(tx.ActivateUser("demo", "none", at(1))) },
		"NameUser":        func(tx auth.Tx) error { return found(tx.NameUser("demo", "none", "n", auth.Identifier{}, at(1))) },
		"TouchMembership": func(tx auth.Tx) error { return tx.TouchMembership("demo", "none", w.identity.Ref, at(1)) },
		"SwapPassword": func(tx auth.Tx) error {
			return found(tx.SwapPassword(auth.Password{Tenant: "demo", User: "none"}, 1, true, true))
		},
		"JoinSession":            func(tx auth.Tx) error { return found(tx.JoinSession("demo", "none", nil, at(1))) },
		"TouchSession":           func(tx auth.Tx) error { return found(tx.TouchSession("demo", "none", at(1))) },
		"EndSession":             func(tx auth.Tx) error { return found(tx.EndSession("demo", "none", at(1), "why")) },
		"UseToken":               func(tx auth.Tx) error { return found(tx.UseToken(none, at(1))) },
		"RevokeRefreshFamily":    func(tx auth.Tx) error { return found(tx.RevokeRefreshFamily(none, at(1))) },
		"AddUser without tenant": func(tx auth.Tx) error { return tx.AddUser(auth.User{Tenant: "none", ID: "1"}, nil) },
		"AddMembership": func(tx auth.Tx) error {
			return tx.AddMembership(auth.Membership{Tenant: "demo", User: "none", Identity: w.identity})
		},
		"AddMembership of nothing": func(tx auth.Tx) error { return tx.AddMembership(auth.Membership{Tenant: "demo", User: w.user.ID}) },
		"PutTOTP":                  func(tx auth.Tx) error { return found(tx.PutTOTP(auth.TOTP{Tenant: "demo", User: "none"}, 0)) },
		"AddAuthenticator":         func(tx auth.Tx) error { return tx.AddAuthenticator(auth.Authenticator{Tenant: "demo", User: "none"}) },
		"AddPassword":              func(tx auth.Tx) error { return tx.AddPassword(auth.Password{Tenant: "demo", User: "none", Version: 1}) },
		"PutClient":                func(tx auth.Tx) error { return tx.PutClient(auth.Client{Tenant: "none", ID: "new"}) },
	} {
		wantNotFound(t, s, name, verb)
	}
	wantNotFound(t, s, "PushedRequest", func(tx auth.Tx) error { return found(tx.PushedRequest(none)) })
	testNotFoundOfChallenges(t, s, w)
}

func wantNotFound(t *testing.T, s auth.Store, name string, verb func(auth.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), verb); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("%s: got %v, want ErrNotFound", name, err)
	}
}

// testNotFoundOfChallenges does the same with challenges, what they are for, and what they change.
func testNotFoundOfChallenges(t *testing.T, s auth.Store, w world) {
	wantNotFound(t, s, "UsePushedRequest", func(tx auth.Tx) error { return found(tx.UsePushedRequest(digest("none"), at(1))) })
	none := auth.TokenHash(digest("none"))
	for name, verb := range map[string]func(auth.Tx) error{
		"TOTP":                func(tx auth.Tx) error { return found(tx.TOTP("demo", "none")) },
		"UserKey":             func(tx auth.Tx) error { return found(tx.UserKey("demo", "none", w.key.Use, w.key.ID)) },
		"UserKey elsewhere":   func(tx auth.Tx) error { return found(tx.UserKey("none", "17", w.key.Use, w.key.ID)) },
		"AddUserKey":          func(tx auth.Tx) error { return tx.AddUserKey(auth.UserKey{Tenant: "demo", User: "none"}) },
		"TOTP elsewhere":      func(tx auth.Tx) error { return found(tx.TOTP("none", w.user.ID)) },
		"Challenge":           func(tx auth.Tx) error { return found(tx.Challenge("demo", "none")) },
		"Challenge elsewhere": func(tx auth.Tx) error { return found(tx.Challenge("none", w.challenge.ID)) },
		"LatestChallenge": func(tx auth.Tx) error {
			return found(tx.LatestChallenge("demo", w.challenge.Subject, auth.PurposeBind, "", ""))
		},
		"LatestChallenge of a session": func(tx auth.Tx) error {
			return found(tx.LatestChallenge("demo", w.challenge.Subject, w.challenge.Purpose, "none", ""))
		},
		"Link":         func(tx auth.Tx) error { return found(tx.Link("demo", auth.LinkRef{Type: "sends", ID: "none"})) },
		"Answer":       func(tx auth.Tx) error { return found(tx.Answer(auth.OnceKey{Tenant: "demo", Key: "backend"})) },
		"PutChallenge": func(tx auth.Tx) error { return found(tx.PutChallenge(auth.Challenge{Tenant: "demo", ID: "none"}, 1)) },
		"SettleParcel": func(tx auth.Tx) error { return found(tx.SettleParcel(auth.Parcel{Tenant: "demo", ID: "none"})) },
		"StepUpToken":  func(tx auth.Tx) error { return found(tx.StepUpToken(none, at(1))) },
		"DeleteUser":   func(tx auth.Tx) error { return tx.DeleteUser("demo", "none", at(1)) },
		"RaiseEpoch":   func(tx auth.Tx) error { return tx.RaiseEpoch("none", w.user.ID) },
		"PutUser":      func(tx auth.Tx) error { return tx.PutUser(auth.User{Tenant: "demo", ID: "none"}, nil) },
		"PutIdentity":  func(tx auth.Tx) error { return tx.PutIdentity(auth.Identity{Tenant: "none", Ref: w.identity.Ref}) },
		"DeleteIdentity": func(tx auth.Tx) error {
			return tx.DeleteIdentity("none", w.identity.Ref)
		},
		"PutMembership": func(tx auth.Tx) error { return tx.PutMembership(auth.Membership{Tenant: "demo", User: "17"}) },
		"PutAuthenticator": func(tx auth.Tx) error {
			return tx.PutAuthenticator(auth.Authenticator{Tenant: "demo", User: "17", ID: "none"})
		},
		"PutAuthenticator of another's": func(tx auth.Tx) error {
			return tx.PutAuthenticator(auth.Authenticator{Tenant: "demo", User: "18", ID: w.authenticator.ID})
		},
	} {
		wantNotFound(t, s, name, verb)
	}
}

// testNothing calls the verbs that find nothing and have an answer all the same.
func testNothing(t *testing.T, s auth.Store) {
	for name, verb := range map[string]func(auth.Reads) (int, error){
		"Attempts": func(r auth.Reads) (int, error) {
			a, err := r.Attempts("demo", "none", "password")
			return int(a.Version), err
		},
		"PasswordHistory":   func(r auth.Reads) (int, error) { h, err := r.PasswordHistory("demo", "none", 9); return len(h), err },
		"Authenticators":    func(r auth.Reads) (int, error) { a, err := r.Authenticators("demo", "none"); return len(a), err },
		"PendingChallenges": func(r auth.Reads) (int, error) { c, err := r.PendingChallenges("none", "", 9); return len(c), err },
		"OverdueChallenges": func(r auth.Reads) (int, error) { c, err := r.OverdueChallenges(at(28), 9); return len(c), err },
		"Devices":           func(r auth.Reads) (int, error) { d, err := r.Devices("none", "17"); return len(d), err },
		"CountDenied":       func(r auth.Reads) (int, error) { return counted(r.CountDenied("demo", "none", time.Time{})) },
		"CountPushed":       func(r auth.Reads) (int, error) { return counted(r.CountPushed("demo", "none", time.Time{})) },
		"People": func(r auth.Reads) (int, error) {
			return listed(r.People("demo", auth.IdentityRef{}, auth.PersonFilter{}))
		},
		"Organizations": func(r auth.Reads) (int, error) { return listed(r.Organizations("demo", auth.OrganizationFilter{})) },
		"Users": func(r auth.Reads) (int, error) {
			return 0, r.Users("none", auth.UserPage{Limit: 9}, func(auth.Account) error { return errors.New("there is one") })
		},
		"CountUsers":    func(r auth.Reads) (int, error) { return r.CountUsers("none", nil) },
		"Miscounted":    func(r auth.Reads) (int, error) { m, err := r.Miscounted(); return len(m), err },
		"CountMessages": func(r auth.Reads) (int, error) { return counted(r.CountMessages("demo", "none", time.Time{})) },
		"SealedValues":  func(r auth.Reads) (int, error) { v, err := r.SealedValues(auth.SealedTOTP, nil, 9); return len(v), err },
		"Queues":        func(r auth.Reads) (int, error) { q, err := r.Queues(at(28)); return len(q), err },
		"Parcels":       func(r auth.Reads) (int, error) { p, err := r.Parcels(auth.ParcelFilter{}, 9); return len(p), err },
		"Events":        func(r auth.Reads) (int, error) { e, err := r.Events("none", "", 9); return len(e), err },
	} {
		if n := read(t, s, verb); n != 0 {
			t.Errorf("%s: got %d, want none", name, n)
		}
	}
	for name, verb := range map[string]func(auth.Writes) (bool, error){
		"PutAttempts of version 1": func(tx auth.Writes) (bool, error) {
			return tx.PutAttempts("demo", "none", auth.AttemptPassword, auth.Attempts{Version: 2}, 1)
		},
		"PutLink of version 1": func(tx auth.Writes) (bool, error) { return tx.PutLink(auth.DynamicLink{Tenant: "demo", Version: 2}, 1) },
		"PutTOTP of another version": func(tx auth.Writes) (bool, error) {
			return tx.PutTOTP(auth.TOTP{Tenant: "demo", User: "none", Version: 2}, 1)
		},
		"DropTOTP":          func(tx auth.Writes) (bool, error) { return tx.DropTOTP("demo", "none") },
		"DropAuthenticator": func(tx auth.Writes) (bool, error) { return tx.DropAuthenticator("demo", "none") },
		"DropMembership":    func(tx auth.Writes) (bool, error) { return tx.DropMembership("demo", "none", auth.IdentityRef{}) },
		"CancelChallenges": func(tx auth.Writes) (bool, error) {
			n, err := tx.CancelChallenges("demo", "none", "", at(1))
			return n != 0, err
		},
		"ClaimParcels": func(tx auth.Writes) (bool, error) {
			p, err := tx.ClaimParcels(auth.Queue{Tenant: "demo", Kind: auth.ParcelSMS}, at(1), at(2), 9)
			return len(p) != 0, err
		},
		"AddParcels": func(tx auth.Writes) (bool, error) { return false, tx.AddParcels() },
	} {
		if move(t, s, verb) {
			t.Errorf("%s found something", name)
		}
	}
}

// testExists inserts everything a second time. The failed insert leaves a transaction that can go on.
func testExists(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	foreign := w.client
	foreign.Tenant = "other"
	write(t, s, func(tx auth.Writes) error { return tx.PutTenant(auth.Tenant{ID: "other"}) })
	for name, verb := range map[string]func(auth.Writes) error{
		"AddUser":          func(tx auth.Writes) error { return tx.AddUser(w.user, nil) },
		"AddIdentity":      func(tx auth.Writes) error { return tx.AddIdentity(w.identity) },
		"AddMembership":    func(tx auth.Writes) error { return tx.AddMembership(w.membership) },
		"AddAuthenticator": func(tx auth.Writes) error { return tx.AddAuthenticator(w.authenticator) },
		"AddAuthenticator of the channel": func(tx auth.Writes) error {
			return tx.AddAuthenticator(auth.Authenticator{Tenant: "demo", User: "17", ID: "other", Channel: w.authenticator.Channel})
		},
		"AddChallenge":     func(tx auth.Writes) error { return tx.AddChallenge(w.challenge) },
		"AddAnswer":        func(tx auth.Writes) error { return tx.AddAnswer(w.answer) },
		"AddPassword":      func(tx auth.Writes) error { return tx.AddPassword(w.password) },
		"AddUserKey":       func(tx auth.Writes) error { return tx.AddUserKey(w.key) },
		"AddPasskey":       func(tx auth.Writes) error { return tx.AddPasskey(w.passkey) },
		"AddCeremony":      func(tx auth.Writes) error { return tx.AddCeremony(w.ceremony) },
		"AddGrant":         func(tx auth.Writes) error { return tx.AddGrant(w.grant) },
		"AddParty":         func(tx auth.Writes) error { return tx.AddParty(w.party) },
		"PutClient":        func(tx auth.Writes) error { return tx.PutClient(foreign) },
		"AddPushedRequest": func(tx auth.Writes) error { return tx.AddPushedRequest(w.pushed) },
	} {
		for how, try := range tries(s) {
			key := name + how
			err := try(t.Context(), func(tx auth.Writes) error {
				if err := verb(tx); !errors.Is(err, auth.ErrExists) {
					return fmt.Errorf("got %v, want ErrExists", err)
				}
				return tx.SetMeta(key, "went on")
			})
			if err != nil {
				t.Errorf("%s in %s: %v", name, how, err)
			} else if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta(key) }); got != "went on" {
				t.Errorf("%s in %s: got %q after it", name, how, got)
			}
		}
	}
	if move(t, s, func(tx auth.Writes) (bool, error) { return tx.AddMeta("AddUserWrite", "new") }) {
		t.Error("AddMeta replaced a value")
	}
	if move(t, s, func(tx auth.Writes) (bool, error) {
		return tx.PutAttempts("demo", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 1}, 0)
	}) {
		t.Error("PutAttempts replaced a row as if it were absent")
	}
	if got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") }); got.Attempts != w.attempts {
		t.Errorf("attempts: got %+v, want %+v", got.Attempts, w.attempts)
	}
}

// testEnding swallows the error of verbs that end the transaction, and does more in it. Neither that nor what was done before is kept.
func testEnding(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	for name, c := range map[string]struct {
		verb func(auth.Writes) error
		want error
	}{
		"AddSession": {func(tx auth.Writes) error { return tx.AddSession(w.session) }, auth.ErrExists},
		"AddToken":   {func(tx auth.Writes) error { return tx.AddToken(w.token) }, auth.ErrExists},
		"AddRefresh": {func(tx auth.Writes) error { return tx.AddRefresh(w.leaf) }, auth.ErrExists},
		"AddEvents":  {func(tx auth.Writes) error { return tx.AddEvents(w.event) }, auth.ErrExists},
		"AddParcels": {func(tx auth.Writes) error { return tx.AddParcels(w.parcel) }, auth.ErrExists},
		"TouchMembership": {func(tx auth.Writes) error {
			return tx.TouchMembership("demo", "17", auth.IdentityRef{Type: auth.Consumer, ID: "none"}, at(3))
		}, auth.ErrNotFound},
		"RotateRefresh": {func(tx auth.Writes) error { return tx.RotateRefresh(digest("none"), at(3)) }, auth.ErrRaced},
	} {
		for how, try := range tries(s) {
			testEndingOf(t, s, name+" in "+how, func(verbs func(auth.Writes) error) error { return try(t.Context(), verbs) }, c.verb, c.want)
			for _, more := range []bool{false, true} {
				key := fmt.Sprint(name, how, more)
				err := try(t.Context(), func(tx auth.Writes) error {
					if err := tx.SetMeta(key, "before"); err != nil {
						return err
					}
					if err := c.verb(tx); err != nil && !errors.Is(err, c.want) {
						t.Errorf("%s in %s: got %v, want %v", name, how, err, c.want)
					}
					if !more {
						return nil
					}
					_, err := tx.AddMeta(key+" after", "x")
					if errors.Is(err, c.want) {
						t.Errorf("%s in %s: what follows answers for it: %v", name, how, err)
					}
					return err
				})
				if !errors.Is(err, c.want) {
					t.Errorf("%s in %s: got %v, want %v", name, how, err, c.want)
				}
				err = s.View(t.Context(), func(r auth.Reads) error { _, err := r.Meta(key); return err })
				if !errors.Is(err, auth.ErrNotFound) {
					t.Errorf("%s in %s: what came before is kept: %v", name, how, err)
				}
			}
		}
	}
}

// testEndingOf has a verb end a transaction between others of which nobody waits to see what they did.
func testEndingOf(
	t *testing.T, s auth.Store, name string, try func(func(auth.Writes) error) error, verb func(auth.Writes) error, want error,
) {
	t.Helper()
	event := func(id string) auth.Event { return auth.Event{Tenant: "ending", ID: auth.EventID(name + id)} }
	err := try(func(tx auth.Writes) error {
		if err := tx.AddEvents(event("before")); err != nil {
			return err
		}
		if err := verb(tx); err != nil {
			return err
		}
		return tx.AddEvents(event("after"))
	})
	if !errors.Is(err, want) {
		t.Errorf("%s, between others: got %v, want %v", name, err, want)
	}
	if kept := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("ending", "", 9) }); len(kept) > 0 {
		t.Errorf("%s, between others: %d of them are kept", name, len(kept))
	}
}

// testHalfDoneVerb swallows the error of a verb that is made of several rows, some of which are in.
func testHalfDoneVerb(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	fresh := auth.Identifier{Tenant: "demo", Kind: auth.ByUsername, Canonical: "fresh", User: "18"}
	write(t, s, func(tx auth.Writes) error { return tx.AddUser(auth.User{Tenant: "demo", ID: "19"}, nil) })
	for name, verb := range map[string]func(auth.Writes) error{
		"AddUser": func(tx auth.Writes) error {
			return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, []auth.Identifier{fresh, w.identifiers[0]})
		},
		"AddEvents":  func(tx auth.Writes) error { return tx.AddEvents(auth.Event{Tenant: "demo", ID: "02"}, w.event) },
		"AddParcels": func(tx auth.Writes) error { return tx.AddParcels(auth.Parcel{Tenant: "demo", ID: "p-2"}, w.parcel) },
		"PutUser": func(tx auth.Writes) error {
			return tx.PutUser(auth.User{Tenant: "demo", ID: "19", Username: "half"}, w.identifiers[:1])
		},
		"AddIdentity": func(tx auth.Writes) error {
			other := w.identity
			other.Ref.ID = "9"
			return tx.AddIdentity(other)
		},
		"NameUser": func(tx auth.Writes) error {
			_, err := tx.NameUser("demo", "19", "fresh", w.identifiers[0], at(3))
			return err
		},
	} {
		for how, try := range tries(s) {
			err := try(t.Context(), func(tx auth.Writes) error {
				if err := verb(tx); err != nil && !errors.Is(err, auth.ErrExists) {
					t.Errorf("%s: got %v, want ErrExists", name, err)
				}
				return nil
			})
			if !errors.Is(err, auth.ErrExists) {
				t.Errorf("%s in %s was committed: %v", name, how, err)
			}
		}
	}
	err := s.View(t.Context(), func(r auth.Reads) error { _, err := r.AccountByUser("demo", "18"); return err })
	if !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("half a user: got %v, want ErrNotFound", err)
	}
	if a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "19") }); a.User.Username != "" {
		t.Errorf("half a name: got %q", a.User.Username)
	}
	if events := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", "", 9) }); len(events) != 1 {
		t.Errorf("got %d events, want the one of before", len(events))
	}
	parcels := read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, 9) })
	if len(parcels) != 1 {
		t.Errorf("got %d parcels, want the one of before", len(parcels))
	}
}

// hasMeta reports whether a key has a value.
func hasMeta(t *testing.T, s auth.Store, key string) bool {
	t.Helper()
	err := s.View(t.Context(), func(r auth.Reads) error { _, err := r.Meta(key); return err })
	if err != nil && !errors.Is(err, auth.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// testRollback fails after a write.
func testRollback(t *testing.T, s auth.Store) {
	boom := errors.New("boom")
	for how, try := range tries(s) {
		err := try(t.Context(), func(tx auth.Writes) error {
			return steps(func() error { return tx.SetMeta(how, "1") }, func() error { return boom })
		})
		if err != boom {
			t.Errorf("%s: got %v, want the error as it is", how, err)
		}
		if hasMeta(t, s, how) {
			t.Errorf("%s: a write was not rolled back", how)
		}
	}
	if err := s.View(t.Context(), func(auth.Reads) error { return boom }); err != boom {
		t.Errorf("View: got %v, want the error as it is", err)
	}
}

// testPanic panics after a write. The panic goes on, and the store too.
func testPanic(t *testing.T, s auth.Store) {
	for how, try := range tries(s) {
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("%s: got panic %v, want boom", how, p)
				}
			}()
			try(t.Context(), func(tx auth.Writes) error {
				if err := tx.SetMeta(how, "1"); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		}()
		if hasMeta(t, s, how) {
			t.Errorf("%s: a write was not rolled back", how)
		}
		write(t, s, func(tx auth.Writes) error { return tx.SetMeta(how+" after", "1") })
	}
}

// testCancelled cancels the context before a transaction and in the middle of it.
func testCancelled(t *testing.T, s auth.Store) {
	before, cancel := context.WithCancel(t.Context())
	cancel()
	for how, try := range tries(s) {
		err := try(before, func(tx auth.Writes) error { return tx.SetMeta("before", "1") })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled before: got %v, want context.Canceled", how, err)
		}
		during, cancel := context.WithCancel(t.Context())
		err = try(during, func(tx auth.Writes) error {
			if err := tx.SetMeta("during", "1"); err != nil {
				return err
			}
			cancel()
			return tx.SetMeta("after", "1")
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled during: got %v, want context.Canceled", how, err)
		}
		last, cancel := context.WithCancel(t.Context())
		err = try(last, func(tx auth.Writes) error {
			defer cancel()
			return tx.SetMeta("last", "1")
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled at the end: got %v, want context.Canceled", how, err)
		}
	}
	if err := s.View(before, func(r auth.Reads) error { _, err := r.Revision(); return err }); !errors.Is(err, context.Canceled) {
		t.Errorf("View, cancelled before: got %v, want context.Canceled", err)
	}
	during, cancel := context.WithCancel(t.Context())
	err := s.View(during, func(r auth.Reads) error {
		if _, err := r.Revision(); err != nil {
			return err
		}
		cancel()
		_, err := r.Meta("before")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("View, cancelled during: got %v, want context.Canceled", err)
	}
	for _, key := range []string{"before", "during", "after", "last"} {
		if hasMeta(t, s, key) {
			t.Errorf("%s was written", key)
		}
	}
}

// testDeadline waits for a row that another transaction holds, no longer than the context allows.
func testDeadline(t *testing.T, s auth.Store) {
	held, done, release := make(chan struct{}), make(chan error), make(chan struct{})
	go func() {
		done <- s.Write(t.Context(), func(tx auth.Writes) error {
			if err := tx.SetMeta("row", "first"); err != nil {
				return err
			}
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	for how, try := range tries(s) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := try(ctx, func(tx auth.Writes) error { return tx.SetMeta("row", "second") })
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want context.DeadlineExceeded", how, err)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("row") }); got != "first" {
		t.Errorf("got %q, want first", got)
	}
}
