package auth

import (
	"context"
	"errors"
)

// voidBatch bounds one transaction of voidAll.
const voidBatch = 100

// Restored is what an operator calls after the database was restored from a backup: it knows nothing of the logouts, changes and used codes of
// the time since. In every tenant it ends each user's sessions, tokens and refresh families, and cancels what they have under way, codes and
// links among it. Locks and failures stay, and so do passwords: a user who has changed theirs since has the former one again. It returns how
// many users there are. A call that fails may be made again.
//
// The system's clock counts from then on, also where it is behind what was shown before.
func (s *Service) Restored(ctx context.Context) (int, error) {
	n, err := s.voidAll(ctx, EventRestored, "")
	if err != nil {
		return n, err
	}
	return n, s.acceptClock(ctx)
}

// Rewound is what a server calls that finds its database behind what was acknowledged, as after a failover to a standby for which nobody
// waited; why goes into the events. It ends what Restored ends, and leaves the clock alone (security C-17).
func (s *Service) Rewound(ctx context.Context, why string) (int, error) {
	return s.voidAll(ctx, EventRewound, why)
}

// voidAll ends what the users of all tenants have open, and returns how many they are.
func (s *Service) voidAll(ctx context.Context, kind EventKind, why string) (int, error) {
	total := 0
	for _, t := range s.Tenants() {
		e := s.event(Actor{Tenant: t.ID}, kind, s.now())
		e.Note = why
		n, err := s.voidTenant(ctx, t.ID, e)
		if total += n; err != nil {
			return total, err
		}
	}
	s.nudge()
	return total, nil
}

// voidTenant does it for a tenant, whose event says that it is done.
func (s *Service) voidTenant(ctx context.Context, t TenantID, says Event) (int, error) {
	page := UserPage{Order: OrderByID, Limit: voidBatch}
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
		var last []Event
		if len(users) < voidBatch {
			last = []Event{says}
		}
		if err := s.voidUsers(ctx, t, users, says.Kind, last); err != nil {
			return done, err
		}
		if done += len(users); len(users) < voidBatch {
			return done, nil
		}
		page.Among = []UserSpan{{Field: SpanOfID, From: next(string(users[len(users)-1]))}}
	}
}

// voidUsers ends what some users have open, and adds the events.
func (s *Service) voidUsers(ctx context.Context, t TenantID, users []UserID, why EventKind, events []Event) error {
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
			if _, err := s.endBrowsers(tx, t, id, now, why); err != nil {
				return err
			}
		}
		return tx.AddEvents(events...)
	})
}
