//go:build postgres

package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
	"countersign/internal/store"
)

// TestSweepSparesWhatLivesAgain: what was due to be swept and is written anew by a transaction that commits first stays.
func TestSweepSparesWhatLivesAgain(t *testing.T) {
	old, now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	answer := auth.Answer{OnceKey: auth.OnceKey{Tenant: "demo", Key: "k", Operation: "o", Ref: "r"}, CreatedAt: old, ExpiresAt: old}
	again := answer
	again.CreatedAt, again.ExpiresAt = now, now.Add(time.Hour)
	link := auth.DynamicLink{Tenant: "demo", Ref: auth.LinkRef{Type: "t", ID: "1"}, Version: 1, Status: auth.LinkPending, UpdatedAt: old}
	confirmed := link
	confirmed.Version, confirmed.Status, confirmed.UpdatedAt = 2, auth.LinkConfirmed, now
	parcel := auth.Parcel{Tenant: "demo", ID: "1", Status: auth.ParcelFailed, CreatedAt: old, SettledAt: old}
	challenge := auth.Challenge{Tenant: "demo", ID: "1", Version: 1, Status: auth.ChallengePending, ExpiresAt: old}
	ended := challenge
	ended.Version, ended.Status, ended.EndedAt = 2, auth.ChallengeExpired, now
	for name, c := range map[string]struct{ before, change func(auth.Writes) error }{
		"answer": {
			func(w auth.Writes) error { return w.AddAnswer(answer) },
			func(w auth.Writes) error { return w.AddAnswer(again) },
		},
		"attempts": {
			func(w auth.Writes) error {
				return putAttempts(w, auth.Attempts{Version: 1, Failures: 1, ExpiresAt: old})
			},
			func(w auth.Writes) error {
				return putAttempts(w, auth.Attempts{Version: 2, Failures: 2, ExpiresAt: now.Add(time.Hour)})
			},
		},
		"challenge": {
			func(w auth.Writes) error { return w.AddChallenge(challenge) },
			func(w auth.Writes) error { return done(w.PutChallenge(ended, 1)) },
		},
		"link": {
			func(w auth.Writes) error { return done(w.PutLink(link, 0)) },
			func(w auth.Writes) error { return done(w.PutLink(confirmed, 1)) },
		},
		"parcel": {
			func(w auth.Writes) error { return w.AddParcels(parcel) },
			func(w auth.Writes) error { return done(w.RestartParcel(parcel)) },
		},
		"party": {
			func(w auth.Writes) error {
				return w.AddParty(auth.Party{Tenant: "demo", Session: "s", Browser: "b", User: "17", EndsAt: old})
			},
			func(w auth.Writes) error { return w.MoveParties("demo", "17", "b", "c", now.Add(time.Hour)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := pgtest.Database(t)
			s, err := store.OpenPostgres(t.Context(), dsn, store.Options{Migrate: true, Patience: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Write(t.Context(), c.before); err != nil {
				t.Fatal(err)
			}
			swept := make(chan error, 1)
			err = s.Write(t.Context(), func(w auth.Writes) error {
				if err := c.change(w); err != nil {
					return err
				}
				go func() { swept <- sweep(t.Context(), s, now) }()
				waitForLock(t, dsn)
				return nil
			})
			if err := errors.Join(err, <-swept); err != nil {
				t.Fatal(err)
			}
			if n := rowsLeft(t, dsn); n != 1 {
				t.Errorf("%d rows are left, want the one that was written anew", n)
			}
		})
	}
}

func putAttempts(w auth.Writes, a auth.Attempts) error {
	return done(w.PutAttempts("demo", "s", auth.AttemptPassword, a, a.Version-1))
}

// done is the error of a move that has to happen.
func done(moved bool, err error) error {
	if err == nil && !moved {
		err = auth.ErrRaced
	}
	return err
}

func sweep(ctx context.Context, s *store.Store, before time.Time) error {
	return s.Write(ctx, func(w auth.Writes) error { _, err := w.Sweep(before, 100); return err })
}

// waitForLock returns when somebody in the database waits for another's row.
func waitForLock(t *testing.T, dsn string) {
	t.Helper()
	const waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	raw, n := rawPostgres(t, dsn), 0
	for end := time.Now().Add(time.Minute); n == 0; time.Sleep(time.Millisecond) {
		if err := raw.QueryRowContext(t.Context(), waiting).Scan(&n); err != nil || time.Now().After(end) {
			t.Errorf("nobody waits for a row: %v", err)
			return
		}
	}
}

func rowsLeft(t *testing.T, dsn string) (n int) {
	t.Helper()
	const count = `SELECT (SELECT COUNT(*) FROM answers) + (SELECT COUNT(*) FROM attempts) + (SELECT COUNT(*) FROM challenges) + (SELECT COUNT(*) FROM links)
    + (SELECT COUNT(*) FROM outbox) + (SELECT COUNT(*) FROM parties)`
	if err := rawPostgres(t, dsn).QueryRowContext(t.Context(), count).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}
