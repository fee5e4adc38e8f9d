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
		all, _, err = joinableSessions(r, by.Tenant, id, true, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, s.current(ctx, by, revision)
}

// joinableSessions lists those of a user's latest sessions that are alive, and says whether there are more behind them. The latest seen
// come first, so behind a batch of dead ones there are no others. Those that only their organization's suspension keeps from being alive are
// among them unless standing is set: they will be alive again.
func joinableSessions(r Reads, t TenantID, id UserID, standing bool, now time.Time) (alive []Session, more bool, err error) {
	a, err := r.AccountByUser(t, id)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	all, err := r.SessionsOf(t, id, SurfaceCIS, sessionBatch)
	more = len(all) == sessionBatch
	alive = slices.DeleteFunc(all, func(session Session) bool {
		live := LiveSession{Session: session, User: a.User, Memberships: a.Memberships}
		if !standing {
			live.Session.Org = IdentityRef{}
		}
		return !live.joinable(now)
	})
	return alive, more && len(alive) > 0, err
}

// EndSessions ends a user's live sessions of /cis, and with them their refresh tokens, before it returns. A user who is not there has none.
func (s *Service) EndSessions(ctx context.Context, by Actor, id UserID) error {
	now := s.now()
	for more := true; more; {
		err := s.update(ctx, by, func(tx Tx) error {
			alive, behind, err := joinableSessions(tx, by.Tenant, id, false, now)
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

// FrontSessions lists a user's live sessions that a browser opened: those of the login page, and those that the tokens of its codes live
// in; oldest first (contract/cis §1.4). A user who is not there has none.
func (s *Service) FrontSessions(ctx context.Context, by Actor, id UserID) ([]Session, error) {
	now := s.now()
	var all []Session
	var revision int64
	err := s.store.View(ctx, func(r Reads) (err error) {
		all = nil
		if revision, err = r.Revision(); err != nil {
			return err
		}
		a, err := r.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		for _, surface := range []Surface{SurfaceBrowser, SurfaceOIDC} {
			if err != nil {
				return err
			}
			var some []Session
			some, err = r.SessionsOf(by.Tenant, id, surface, sessionBatch)
			all = append(all, some...)
		}
		all = slices.DeleteFunc(all, func(session Session) bool {
			return !LiveSession{Session: session, User: a.User, Memberships: a.Memberships}.alive(now)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, s.current(ctx, by, revision)
}

// EndFrontSessions ends them, and with them their refresh tokens, before it returns; clients are told. It counts those that were alive.
func (s *Service) EndFrontSessions(ctx context.Context, by Actor, id UserID) (int, error) {
	now, count := s.now(), 0
	err := s.update(ctx, by, func(tx Tx) error {
		count = 0
		a, err := tx.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ended, err := s.endBrowsers(tx, by.Tenant, id, now, EventLogout)
		if err != nil {
			return err
		}
		tokens, err := tx.EndSessionsOf(by.Tenant, id, SurfaceOIDC, "", now, string(EventLogout))
		if err != nil {
			return err
		}
		count, err = s.noteLogouts(tx, by, a.User, append(ended, tokens...), now)
		return err
	})
	return count, err
}

// LogoutUser ends the session of a user's access token (contract/cis §1.3), as AuthenticateUserToken found it, and counts what it ended: a
// token that a browser's code gave ends that browser's session too, whose other clients are told.
func (s *Service) LogoutUser(ctx context.Context, by Actor, live LiveSession) (int, error) {
	if live.Session.Surface != SurfaceOIDC {
		return 1, s.endSession(ctx, by, live.Session)
	}
	now, count := s.now(), 0
	err := s.update(ctx, by, func(tx Tx) error {
		ids, events := []SessionID{live.Session.ID}, []Event(nil)
		party, err := tx.Party(by.Tenant, live.Session.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil {
			ids = append(ids, party.Browser)
		}
		for _, id := range ids {
			ended, err := tx.EndSession(by.Tenant, id, now, string(EventLogout))
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if ended {
				e := s.event(by, EventLogout, now)
				e.User, e.Session = live.User.ID, id
				events = append(events, e)
			}
		}
		count = len(events)
		if err := s.tellParties(tx, by.Tenant, live.User.ID, ids[len(ids)-1], now); err != nil {
			return err
		}
		return tx.AddEvents(events...)
	})
	return count, err
}
