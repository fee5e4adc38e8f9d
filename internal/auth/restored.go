package auth

import (
	"context"
	"errors"
)

// restoredBatch bounds one transaction of Restored.
const restoredBatch = 100

// Restored is what an operator calls after the database was restored from a backup: it knows nothing of the logouts, changes and used codes of
// the time since. In every tenant it ends each user's sessions, tokens and refresh families, and cancels what they have under way, codes and
// links among it. Locks and failures stay, and so do passwords: a user who has changed theirs since has the former one again. It returns how
// many users there are. A call that fails may be made again.
//
// The system's clock counts from then on, also where it is behind what was shown before.
func (s *Service) Restored(ctx context.Context) (int, error) {
	total := 0
	for _, t := range s.Tenants() {
		n, err := s.restoredTenant(ctx, t.ID)
		if total += n; err != nil {
			return total, err
		}
	}
	s.nudge()
	return total, s.acceptClock(ctx)
}

func (s *Service) restoredTenant(ctx context.Context, t TenantID) (int, error) {
	page := UserPage{Order: OrderByID, Limit: restoredBatch}
	for done := 0; ; {
		var users []UserID
		err := s.store.View(ctx, func(r Reads) error {
			users = users[:0]
			return r.Users(t, page, func(a Account) error {
				users = append(users, a.User.ID)
				return nil
			})
		})
		if err != nil {
			return done, err
		}
		if err := s.restoredUsers(ctx, t, users, len(users) < restoredBatch); err != nil {
			return done, err
		}
		if done += len(users); len(users) < restoredBatch {
			return done, nil
		}
		page.Among = []UserSpan{{Field: SpanOfID, From: next(string(users[len(users)-1]))}}
	}
}

// restoredUsers ends what some users have open; after the last ones an event says that it is done.
func (s *Service) restoredUsers(ctx context.Context, t TenantID, users []UserID, last bool) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		for _, id := range users {
			if err := tx.RaiseEpoch(t, id); errors.Is(err, ErrNotFound) {
				continue // deleted meanwhile
			} else if err != nil {
				return err
			}
			if _, err := tx.CancelChallenges(t, SubjectOf(id), "", now); err != nil {
				return err
			}
			if _, err := s.endBrowsers(tx, t, id, now, EventRestored); err != nil {
				return err
			}
		}
		if !last {
			return nil
		}
		return tx.AddEvents(s.event(Actor{Tenant: t}, EventRestored, now))
	})
}
