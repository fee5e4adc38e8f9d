package storetest

import (
	"slices"
	"testing"

	"countersign/internal/auth"
)

func partyFixture(t auth.TenantID) auth.Party {
	return auth.Party{Tenant: t, Session: "ses-2", Browser: "ses-1", User: "17", Client: "demo", EndsAt: at(14)}
}

// testParties moves parties to another session of the browser, and takes each once: those of a session, or all of a user's.
func testParties(t *testing.T, s auth.Store) {
	party := func(t auth.TenantID, id auth.UserID, session, browser auth.SessionID) auth.Party {
		return auth.Party{Tenant: t, User: id, Session: session, Browser: browser, EndsAt: at(3)}
	}
	write(t, s, func(tx auth.Writes) error {
		for _, p := range []auth.Party{
			party("demo", "17", "a", "one"), party("demo", "17", "b", "one"), party("demo", "17", "c", "two"), party("demo", "18", "d", "one"),
			party("other", "17", "a", "one"),
		} {
			if err := tx.AddParty(p); err != nil {
				return err
			}
		}
		return tx.MoveParties("demo", "17", "two", "three", at(9))
	})
	take := func(id auth.UserID, browser auth.SessionID) (got []auth.SessionID) {
		write(t, s, func(tx auth.Writes) error {
			all, err := tx.TakeParties("demo", id, browser)
			got = nil
			for _, p := range all {
				got = append(got, p.Session)
			}
			slices.Sort(got)
			return err
		})
		return got
	}
	if p := read(t, s, func(r auth.Reads) (auth.Party, error) { return r.Party("demo", "c") }); p.Browser != "three" || !p.EndsAt.Equal(at(9)) {
		t.Errorf("moved: got %+v", p)
	}
	write(t, s, func(tx auth.Writes) error { return tx.MoveParties("demo", "17", "three", "four", at(1)) })
	if p := read(t, s, func(r auth.Reads) (auth.Party, error) { return r.Party("demo", "c") }); p.Browser != "four" || !p.EndsAt.Equal(at(9)) {
		t.Errorf("moved to one that ends sooner: got %+v", p)
	}
	for _, step := range []struct {
		user    auth.UserID
		browser auth.SessionID
		want    []auth.SessionID
	}{
		{"17", "two", nil}, {"17", "one", []auth.SessionID{"a", "b"}}, {"17", "one", nil}, {"17", "", []auth.SessionID{"c"}}, {"17", "", nil},
		{"18", "", []auth.SessionID{"d"}},
	} {
		if got := take(step.user, step.browser); !slices.Equal(got, step.want) {
			t.Errorf("of user %s in %q: got %v, want %v", step.user, step.browser, got, step.want)
		}
	}
	if p := read(t, s, func(r auth.Reads) (auth.Party, error) { return r.Party("other", "a") }); p.User != "17" {
		t.Errorf("the other tenant's: got %+v", p)
	}
}

// testEndSessionsOf ends a user's sessions of one surface, each once.
func testEndSessionsOf(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error {
		for _, session := range []auth.Session{
			{Tenant: "demo", ID: "a", User: "17", Surface: auth.SurfaceBrowser},
			{Tenant: "demo", ID: "b", User: "17", Surface: auth.SurfaceBrowser},
			{Tenant: "demo", ID: "c", User: "17", Surface: auth.SurfaceOIDC},
			{Tenant: "demo", ID: "d", User: "18", Surface: auth.SurfaceBrowser},
			{Tenant: "demo", ID: "e", User: "17", Surface: auth.SurfaceBrowser, EndedAt: at(1)},
			{Tenant: "other", ID: "a", User: "17", Surface: auth.SurfaceBrowser},
		} {
			if err := tx.AddSession(session); err != nil {
				return err
			}
		}
		return nil
	})
	for i, want := range [][]auth.SessionID{{"a", "b"}, nil} {
		var got []auth.SessionID
		write(t, s, func(tx auth.Writes) error {
			ended, err := tx.EndSessionsOf("demo", "17", auth.SurfaceBrowser, "", at(2), "why")
			got = nil
			for _, session := range ended {
				if !session.EndedAt.Equal(at(2)) || session.EndedWhy != "why" {
					t.Errorf("got %+v", session)
				}
				got = append(got, session.ID)
			}
			slices.Sort(got)
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("time %d: got %v, want %v", i+1, got, want)
		}
	}
}
