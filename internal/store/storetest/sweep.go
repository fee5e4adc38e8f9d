package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

func (w *world) endAt(end time.Time) {
	w.session.EndsAt, w.root.ExpiresAt, w.leaf.ExpiresAt, w.attempts.ExpiresAt = end, end, end, end
	w.challenge.ExpiresAt, w.answer.ExpiresAt, w.grant.ExpiresAt, w.ticket.ExpiresAt, w.party.EndsAt, w.ceremony.ExpiresAt = end, end, end, end, end, end
	w.pushed.ExpiresAt, w.revokedEnds = end, end
}

// stillRevoked looks for the revoked access token.
func (w *world) stillRevoked(r auth.Reads) error {
	if revoked, err := r.RevokedToken(w.tenant.ID, w.revoked, auth.TokenHash{}); err != nil || revoked {
		return err
	}
	return auth.ErrNotFound
}

// swept reads each row of a world that goes by a time of its own.
func swept(w *world) map[string]func(auth.Reads) error {
	return map[string]func(auth.Reads) error{
		"Session":      func(r auth.Reads) error { _, err := r.Session(w.tenant.ID, "ses-1"); return err },
		"Bearer":       func(r auth.Reads) error { _, err := r.Bearer(w.token.Hash); return err },
		"Challenge":    func(r auth.Reads) error { _, err := r.Challenge(w.tenant.ID, "900"); return err },
		"Answer":       func(r auth.Reads) error { _, err := r.Answer(w.answer.OnceKey); return err },
		"Ticket":       func(r auth.Reads) error { _, err := r.Ticket(w.ticket.Hash); return err },
		"Pushed":       func(r auth.Reads) error { _, err := r.PushedRequest(w.pushed.Hash); return err },
		"Party":        func(r auth.Reads) error { _, err := r.Party(w.tenant.ID, w.party.Session); return err },
		"Ceremony":     func(r auth.Reads) error { _, err := r.Ceremony(w.tenant.ID, w.ceremony.ID); return err },
		"Grant":        func(r auth.Reads) error { _, err := r.Grant(w.grant.Hash); return err },
		"RevokedToken": w.stillRevoked,
		"Refresh root": func(r auth.Reads) error { _, err := r.Refresh(w.root.Hash); return err },
		"Refresh leaf": func(r auth.Reads) error { _, err := r.Refresh(w.leaf.Hash); return err },
	}
}

// testSweep sweeps at a time between two ends.
func testSweep(t *testing.T, s auth.Store) {
	old, young := live("old"), live("young")
	old.endAt(at(20))
	young.endAt(at(22))
	added(t, s, old)
	added(t, s, young)
	write(t, s, func(tx auth.Writes) error {
		_, err := tx.PutAttempts("old", "for ever", auth.AttemptPassword, auth.Attempts{Version: 1}, 0)
		return errors.Join(err, found(tx.UseChallenge("old", digest("spent"), at(20))))
	})
	sweep := func(before time.Time) (n int) {
		write(t, s, func(tx auth.Writes) (err error) { n, err = tx.Sweep(before, 99); return err })
		return n
	}
	for _, step := range []struct {
		before time.Time
		want   int
	}{{at(19), 0}, {at(20), 0}, {at(21), 15}, {at(21), 0}} {
		if n := sweep(step.before); n != step.want {
			t.Errorf("before %v: got %d rows, want %d", step.before, n, step.want)
		}
	}
	for w, want := range map[*world]error{&old: auth.ErrNotFound, &young: nil} {
		for name, verb := range swept(w) {
			if err := s.View(t.Context(), verb); !errors.Is(err, want) {
				t.Errorf("%s of %s: got %v, want %v", name, w.tenant.ID, err, want)
			}
		}
	}
	for _, c := range []struct {
		tenant  auth.TenantID
		subject auth.Subject
		want    int64
	}{{"old", auth.SubjectOf("17"), 0}, {"young", auth.SubjectOf("17"), 7}, {"old", "for ever", 1}} {
		got := read(t, s, func(r auth.Reads) (auth.Attempts, error) {
			return r.Attempts(c.tenant, c.subject, auth.AttemptPassword)
		})
		if got.Version != c.want {
			t.Errorf("attempts of %s/%s: got version %d, want %d", c.tenant, c.subject, got.Version, c.want)
		}
	}
	// An attempt that was read before the sweep does not bring its row back.
	if move(t, s, func(tx auth.Writes) (bool, error) {
		return tx.PutAttempts("old", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 8}, 7)
	}) {
		t.Error("swept attempts were swapped")
	}
}

// testSweepKeepsEvents: what happened stays.
func testSweepKeepsEvents(t *testing.T, s auth.Store) {
	old := live("old")
	old.endAt(at(20))
	added(t, s, old)
	write(t, s, func(tx auth.Writes) error { _, err := tx.Sweep(at(21), 99); return err })
	if events := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("old", "", 9) }); len(events) != 1 {
		t.Errorf("got %d events, want the one there was", len(events))
	}
}

// testSweepBound sweeps fewer rows at once than there are.
func testSweepBound(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error {
		for i := range 5 {
			name := fmt.Sprint(i)
			session := auth.Session{Tenant: "demo", ID: auth.SessionID(name), EndsAt: at(i + 1)}
			token := auth.Token{Tenant: "demo", Hash: digest(name), Session: session.ID}
			if err := steps(func() error { return tx.AddSession(session) }, func() error { return tx.AddToken(token) }); err != nil {
				return err
			}
		}
		return nil
	})
	for i, want := range []int{2, 2, 2, 2, 2, 0} {
		var n int
		write(t, s, func(tx auth.Writes) (err error) { n, err = tx.Sweep(at(9), 2); return err })
		if n != want {
			t.Errorf("sweep %d: got %d rows, want %d", i, n, want)
		}
	}
}

// testSweepOpen sweeps the rest: what ended goes, what is open stays, and what failed stays for a month.
func testSweepOpen(t *testing.T, s auth.Store) {
	c := func(id auth.ChallengeID, status auth.ChallengeStatus, expires, ended time.Time) auth.Challenge {
		return auth.Challenge{Tenant: "demo", ID: id, Status: status, ExpiresAt: expires, EndedAt: ended}
	}
	p := func(id auth.ParcelID, status auth.ParcelStatus, settled time.Time) auth.Parcel {
		return auth.Parcel{Tenant: "demo", ID: id, Status: status, CreatedAt: at(1), SettledAt: settled}
	}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.AddChallenge(c("open", auth.ChallengePending, at(9), time.Time{})) },
			func() error { return tx.AddChallenge(c("forgotten", auth.ChallengePending, at(4), time.Time{})) },
			func() error { return tx.AddChallenge(c("ended early", auth.ChallengeDenied, at(9), at(4))) },
			func() error { return tx.AddChallenge(c("ended", auth.ChallengeExpired, at(4), at(6))) },
			func() error {
				return tx.AddParcels(p("open", auth.ParcelPending, time.Time{}), p("delivered", auth.ParcelDelivered, at(4)),
					p("just delivered", auth.ParcelDelivered, at(6)), p("failed", auth.ParcelFailed, at(4)))
			},
		)
	})
	month := 30 * 24 * time.Hour
	for _, step := range []struct {
		before     time.Time
		want       int
		challenges string
		parcels    string
	}{
		{at(5), 3, "[ended open]", "[open just delivered failed]"},
		{at(4).Add(month), 3, "[]", "[open failed]"},
		{at(4).Add(month + time.Microsecond), 1, "[]", "[open]"},
	} {
		var n int
		write(t, s, func(tx auth.Writes) (err error) { n, err = tx.Sweep(step.before, 9); return err })
		var challenges []auth.ChallengeID
		for _, id := range []auth.ChallengeID{"ended", "ended early", "forgotten", "open"} {
			err := s.View(t.Context(), func(r auth.Reads) error { _, err := r.Challenge("demo", id); return err })
			if err == nil {
				challenges = append(challenges, id)
			}
		}
		parcels := parcelIDs(read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, 9) }))
		if n != step.want || fmt.Sprint(challenges) != step.challenges || fmt.Sprint(parcels) != step.parcels {
			t.Errorf("before %v: got %d rows, which leaves %v and %v, want %d, %s and %s", step.before, n, challenges, parcels, step.want,
				step.challenges, step.parcels)
		}
	}
}

// links counts what testSweepLinks has made.
func links(r auth.Reads) (n int, err error) {
	for _, id := range []auth.LinkStatus{auth.LinkPending, auth.LinkFailed, auth.LinkExempt, auth.LinkConfirmed, "young"} {
		_, err := r.Link("demo", auth.LinkRef{Type: "t", ID: string(id)})
		if err == nil {
			n++
		} else if !errors.Is(err, auth.ErrNotFound) {
			return n, err
		}
	}
	return n, nil
}

// testSweepLinks leaves what was confirmed, and what was not for three months.
func testSweepLinks(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	write(t, s, func(tx auth.Writes) error {
		for status, at := range map[auth.LinkStatus]time.Time{
			auth.LinkPending: at(4), auth.LinkFailed: at(4), auth.LinkExempt: at(4), auth.LinkConfirmed: at(4), "young": at(6),
		} {
			l := auth.DynamicLink{Tenant: "demo", Ref: auth.LinkRef{Type: "t", ID: string(status)}, Version: 1, Status: status, UpdatedAt: at}
			if _, err := tx.PutLink(l, 0); err != nil {
				return err
			}
		}
		return nil
	})
	const kept = 90 * 24 * time.Hour
	for _, step := range []struct {
		before time.Time
		want   int
	}{{at(4).Add(kept), 0}, {at(5).Add(kept), 3}, {at(5).Add(kept), 0}, {at(7).Add(kept), 1}} {
		had := read(t, s, links)
		write(t, s, func(tx auth.Writes) error {
			for {
				if n, err := tx.Sweep(step.before, 9); err != nil || n == 0 {
					return err
				}
			}
		})
		if went := had - read(t, s, links); went != step.want {
			t.Errorf("before %v: %d of what was to be confirmed went, want %d", step.before, went, step.want)
		}
	}
	view(t, s, func(r auth.Reads) error {
		return found(r.Link("demo", auth.LinkRef{Type: "t", ID: string(auth.LinkConfirmed)}))
	})
}

// testClear clears two tenants, and leaves notes and signing keys.
func testClear(t *testing.T, s auth.Store) {
	w, other := added(t, s, newWorld("demo")), added(t, s, live("other"))
	write(t, s, func(tx auth.Writes) error { return tx.SetMeta("note", "kept") })
	before := read(t, s, auth.Reads.Directory)
	write(t, s, func(tx auth.Writes) error { return tx.Clear() })
	want := auth.Directory{
		Revision: before.Revision + 1, SigningKeys: before.SigningKeys, Tenants: []auth.Tenant{}, APIKeys: []auth.APIKey{},
		ProgrammeKeys: []auth.ProgrammeKey{}, Applications: []auth.Application{}, Resources: []auth.Resource{},
		Roles: []auth.AppRole{}, Clients: []auth.Client{}, AppKeys: []auth.AppKey{}, Shapes: map[auth.TenantID][]string{},
	}
	if diff := cmp.Diff(want, read(t, s, auth.Reads.Directory)); diff != "" || len(want.SigningKeys) != 2 {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
	if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("note") }); got != "kept" {
		t.Errorf("note: got %q", got)
	}
	// The same world again meets nothing that is left of it.
	added(t, s, w)
	added(t, s, other)
}
