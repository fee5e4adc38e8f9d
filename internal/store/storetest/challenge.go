package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// addChallenges adds pending challenges, of version 1 whatever they say.
func addChallenges(t *testing.T, s auth.Store, cs ...auth.Challenge) {
	t.Helper()
	write(t, s, func(tx auth.Writes) error {
		for _, c := range cs {
			c.Tenant, c.Status, c.Version = "demo", auth.ChallengePending, 9
			if err := tx.AddChallenge(c); err != nil {
				return err
			}
		}
		return nil
	})
}

func challengeIDs(cs []auth.Challenge) (ids []auth.ChallengeID) {
	for _, c := range cs {
		ids = append(ids, c.ID)
	}
	return ids
}

// testChallenges finds challenges by what they are looked for.
func testChallenges(t *testing.T, s auth.Store) {
	me, phantom := auth.SubjectOf("17"), auth.Subject("phantom")
	addChallenges(t, s,
		auth.Challenge{ID: "5", Purpose: "a", Channel: "SMS", Subject: me, User: "17", Session: "s1", CreatedAt: at(2), ExpiresAt: at(9)},
		auth.Challenge{ID: "99", Purpose: "a", Channel: "AUTHY", Subject: me, User: "17", Session: "s2", CreatedAt: at(3), ExpiresAt: at(8)},
		auth.Challenge{ID: "100", Purpose: "a", Channel: "BIOMETRIC", Subject: me, User: "17", Session: "s1", CreatedAt: at(3), ExpiresAt: at(7)},
		auth.Challenge{ID: "101", Purpose: "b", Channel: "BIOMETRIC", Subject: me, User: "17", CreatedAt: at(1), ExpiresAt: at(6)},
		auth.Challenge{ID: "7", Purpose: "a", Channel: "EMAIL", Subject: phantom, CreatedAt: at(5), ExpiresAt: at(9)},
		auth.Challenge{ID: "8", Purpose: "a", Channel: "AUTHY", Subject: auth.SubjectOf("18"), User: "18", CreatedAt: at(2), ExpiresAt: at(20)},
	)
	for _, c := range []struct {
		subject auth.Subject
		purpose auth.Purpose
		session auth.SessionID
		by      auth.Channel
		want    auth.ChallengeID
	}{
		{me, "a", "", "", "100"}, {me, "a", "s2", "", "99"}, {me, "a", "s1", "", "100"}, {me, "b", "", "", "101"}, {phantom, "a", "", "", "7"},
		{me, "a", "", "AUTHY", "99"}, {me, "a", "", "BIOMETRIC", "100"},
	} {
		got := read(t, s, func(r auth.Reads) (auth.Challenge, error) {
			return r.LatestChallenge("demo", c.subject, c.purpose, c.session, c.by)
		})
		if got.ID != c.want || got.Version != 1 {
			t.Errorf("latest of %q for %q in %q by %q: got %q of version %d, want %q of 1", c.subject, c.purpose, c.session, c.by, got.ID, got.Version, c.want)
		}
	}
	pending := func(id auth.UserID, n int) func(auth.Reads) ([]auth.Challenge, error) {
		return func(r auth.Reads) ([]auth.Challenge, error) { return r.PendingChallenges("demo", id, n) }
	}
	overdue := func(now time.Time, n int) func(auth.Reads) ([]auth.Challenge, error) {
		return func(r auth.Reads) ([]auth.Challenge, error) { return r.OverdueChallenges(now, n) }
	}
	for name, c := range map[string]struct {
		verb func(auth.Reads) ([]auth.Challenge, error)
		want []auth.ChallengeID
	}{
		"pending of one":     {pending("17", 9), []auth.ChallengeID{"101", "99", "100"}},
		"pending of all":     {pending("", 9), []auth.ChallengeID{"101", "8", "99", "100"}},
		"pending, at most 2": {pending("17", 2), []auth.ChallengeID{"101", "99"}},
		"overdue":            {overdue(at(8), 9), []auth.ChallengeID{"101", "100", "99"}},
		"overdue, at most 1": {overdue(at(28), 1), []auth.ChallengeID{"101"}},
		"overdue too early":  {overdue(at(6).Add(-time.Microsecond), 9), nil},
	} {
		if got := challengeIDs(read(t, s, c.verb)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// testChallengeMoves replaces a challenge by its version.
func testChallengeMoves(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	want := newWorld("other").challenge
	want.Tenant, want.Version, want.Failures, want.Links, want.CodeHash = "demo", 2, 5, nil, digest("new")
	want.Subject, want.User, want.Purpose, want.Channel, want.Session = "s", "18", auth.PurposeLogin, auth.ChannelEmail, ""
	for i, done := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutChallenge(want, w.challenge.Version) }); got != done {
			t.Errorf("put %d: got %t, want %t", i+1, got, done)
		}
	}
	got := read(t, s, func(r auth.Reads) (auth.Challenge, error) { return r.Challenge("demo", w.challenge.ID) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("challenge (-want +got):\n%s", diff)
	}
}

// testCancelChallenges cancels what is pending and nothing else.
func testCancelChallenges(t *testing.T, s auth.Store) {
	addChallenges(t, s,
		auth.Challenge{ID: "1", Subject: "me", Purpose: "a"}, auth.Challenge{ID: "2", Subject: "me", Purpose: "a"},
		auth.Challenge{ID: "3", Subject: "me", Purpose: "b"}, auth.Challenge{ID: "4", Subject: "other", Purpose: "a"},
		auth.Challenge{ID: "5", Subject: "me", Purpose: "a"},
	)
	approved := auth.Challenge{
		Tenant: "demo", ID: "5", Version: 2, Subject: "me", Purpose: "a", Status: auth.ChallengeApproved, EndedAt: at(1),
	}
	move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutChallenge(approved, 1) })
	for i, step := range []struct {
		purpose auth.Purpose
		want    int
	}{{"a", 2}, {"a", 0}, {"", 1}, {"", 0}} {
		var n int
		write(t, s, func(tx auth.Writes) (err error) {
			n, err = tx.CancelChallenges("demo", "me", step.purpose, at(9))
			return err
		})
		if n != step.want {
			t.Errorf("step %d: cancelled %d, want %d", i, n, step.want)
		}
	}
	for id, want := range map[auth.ChallengeID]auth.Challenge{
		"1": {Version: 2, Status: auth.ChallengeCancelled, EndedAt: at(9)},
		"3": {Version: 2, Status: auth.ChallengeCancelled, EndedAt: at(9)},
		"4": {Version: 1, Status: auth.ChallengePending},
		"5": {Version: 2, Status: auth.ChallengeApproved, EndedAt: at(1)},
	} {
		got := read(t, s, func(r auth.Reads) (auth.Challenge, error) { return r.Challenge("demo", id) })
		if got.Version != want.Version || got.Status != want.Status || !got.EndedAt.Equal(want.EndedAt) {
			t.Errorf("challenge %s: got %+v, want %+v", id, got, want)
		}
	}
}

// testCountPushed counts what was sent to devices, from a time on, and says when the first of them was.
func testCountPushed(t *testing.T, s auth.Store) {
	addChallenges(t, s,
		auth.Challenge{ID: "1", Subject: "me", Channel: auth.ChannelBiometric, SentAt: at(2)},
		auth.Challenge{ID: "2", Subject: "me", Channel: auth.ChannelAuthy, SentAt: at(3)},
		auth.Challenge{ID: "3", Subject: "me", Channel: auth.ChannelSMS, SentAt: at(3)},
		auth.Challenge{ID: "4", Subject: "other", Channel: auth.ChannelAuthy, SentAt: at(3)},
	)
	for day, want := range map[int]auth.Tally{
		1: {Count: 2, Oldest: at(2)}, 2: {Count: 2, Oldest: at(2)}, 3: {Count: 1, Oldest: at(3)}, 4: {},
	} {
		got := read(t, s, func(r auth.Reads) (auth.Tally, error) { return r.CountPushed("demo", "me", at(day)) })
		if got.Count != want.Count || !got.Oldest.Equal(want.Oldest) {
			t.Errorf("since day %d: got %v, want %v", day, got, want)
		}
	}
}

// counted is a tally's count alone.
func counted(n auth.Tally, err error) (int, error) { return n.Count, err }

// testLinks registers a resource and replaces it by its version.
func testLinks(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	want := auth.DynamicLink{Tenant: "demo", Ref: w.link.Ref, Version: 2, Status: auth.LinkPending, Amount: -1, UpdatedAt: at(20)}
	for _, step := range []struct {
		from int64
		done bool
	}{{0, false}, {2, false}, {1, true}, {1, false}} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutLink(want, step.from) }); got != step.done {
			t.Errorf("from %d: got %t, want %t", step.from, got, step.done)
		}
	}
	if got := read(t, s, func(r auth.Reads) (auth.DynamicLink, error) { return r.Link("demo", w.link.Ref) }); !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// testAnswers replaces an answer once it has expired, and not before.
func testAnswers(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	again := w.answer
	again.Status, again.Sealed, again.Digest, again.ExpiresAt = 409, nil, digest("other"), at(25)
	for _, step := range []struct {
		at   time.Time
		want error
	}{{w.answer.ExpiresAt.Add(-time.Microsecond), auth.ErrExists}, {w.answer.ExpiresAt, nil}, {at(24), auth.ErrExists}} {
		again.CreatedAt = step.at
		err := s.Write(t.Context(), func(tx auth.Writes) error { return tx.AddAnswer(again) })
		if !errors.Is(err, step.want) {
			t.Errorf("answered at %v: got %v, want %v", step.at, err, step.want)
		}
	}
	again.CreatedAt = w.answer.ExpiresAt
	if got := read(t, s, func(r auth.Reads) (auth.Answer, error) { return r.Answer(again.OnceKey) }); !cmp.Equal(got, again) {
		t.Errorf("got %+v, want %+v", got, again)
	}
}
