package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// sessionBatch is how many sessions of a user are listed, or ended in one transaction.
const sessionBatch = 1000

// ExpiresAt is when the session ends if nothing happens in it before.
func (s Session) ExpiresAt() time.Time { return earlier(s.EndsAt, s.SeenAt.Add(s.IdleLimit)) }

// Sessions lists a user's live sessions of /cis, which all clients of the tenant share, oldest first (contract/cis §1.4). A user who is not
// there has none.
func (s *Service) Sessions(ctx context.Context, by Actor, id UserID) ([]Session, error) {
	now := s.now()
	var all []Session
	var revision int64
	err := s.store.View(ctx, func(r Reads) (err error) {
		if revision, err = r.Revision(); err != nil {
			return err
		}
		all, _, err = joinableSessions(r, by.Tenant, id, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, s.current(ctx, by, revision)
}

// joinableSessions lists those of a user's latest sessions that are alive, and says whether there are more behind them. The latest seen
// come first, so behind a batch of dead ones there are no others.
func joinableSessions(r Reads, t TenantID, id UserID, now time.Time) (alive []Session, more bool, err error) {
	a, err := r.AccountByUser(t, id)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	all, err := r.SessionsOf(t, id, SurfaceCIS, sessionBatch)
	more = len(all) == sessionBatch
	alive = slices.DeleteFunc(all, func(session Session) bool { return !LiveSession{Session: session, User: a.User}.joinable(now) })
	return alive, more && len(alive) > 0, err
}

// EndSessions ends a user's live sessions of /cis, and with them their refresh tokens, before it returns. A user who is not there has none.
func (s *Service) EndSessions(ctx context.Context, by Actor, id UserID) error {
	now := s.now()
	for more := true; more; {
		err := s.update(ctx, by, func(tx Tx) error {
			alive, behind, err := joinableSessions(tx, by.Tenant, id, now)
			if err != nil {
				return err
			}
			more = behind
			events := make([]Event, len(alive))
			for i, session := range alive {
				events[i] = s.event(by, EventLogout, now)
				events[i].User, events[i].Session = id, session.ID
				if _, err := tx.EndSession(by.Tenant, session.ID, now, string(EventLogout)); err != nil {
					return err
				}
			}
			return tx.AddEvents(events...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// LogoutUser ends the session of a user's access token (contract/cis §1.3), as AuthenticateUserToken found it.
func (s *Service) LogoutUser(ctx context.Context, by Actor, live LiveSession) error {
	return s.endSession(ctx, by, live.Session)
}
