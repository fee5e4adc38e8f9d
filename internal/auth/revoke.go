package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// Revoke ends a token of the client's own before it returns (RFC 7009 §2.1). With a refresh token goes its whole family, and every access
// token that came with it; an access token goes alone. A token that is unknown, has ended, or is another client's is no error, and nothing
// is changed.
//
// Errors: those of the actor.
func (s *Service) Revoke(ctx context.Context, by Actor, token string) error {
	if secret, ok := s.openToken(sealRefresh, token); ok {
		return s.revokeRefresh(ctx, by, sha256.Sum256(secret[:]))
	}
	t, err := s.findAccess(ctx, token)
	if err != nil && CodeOf(err) != CodeInvalidToken {
		return err
	}
	if no := s.admitted(by); no != nil || err != nil {
		return no
	}
	if t.client.Tenant != by.Tenant || t.client.ID != by.Client {
		return nil
	}
	return s.revokeAccess(ctx, by, t)
}

func (s *Service) revokeRefresh(ctx context.Context, by Actor, hash TokenHash) error {
	var live LiveRefresh
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Refresh(hash); return err })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return err
	}
	t, now := live.Token, s.now()
	if t.Tenant != by.Tenant || t.Client != by.Client {
		return nil
	}
	e := s.event(by, EventTokenRevoked, now)
	e.User, e.Session, e.Reason = t.User, t.Session, "refresh"
	return s.store.Write(ctx, func(w Writes) error {
		if first, err := w.RevokeRefreshFamily(t.Root, now); err != nil || !first {
			return err
		}
		return w.AddEvents(e)
	})
}

func (s *Service) revokeAccess(ctx context.Context, by Actor, t accessToken) error {
	expires, _ := t.claims.Time("exp")
	e := s.event(by, EventTokenRevoked, s.now())
	e.Session, e.Reason = t.session, "access"
	own := t.session == ""
	if own {
		e.Reason = "client"
	} else {
		e.User = UserID(t.subject)
	}
	err := s.store.Write(ctx, func(w Writes) error {
		if first, err := w.RevokeToken(by.Tenant, t.id, expires); err != nil || !first {
			return err
		}
		if own {
			if err := w.RaiseRevokedUntil(revokedUntil(expires)); err != nil {
				return err
			}
		}
		return w.AddEvents(e)
	})
	if err == nil && own {
		err = s.Resync(ctx)
	}
	return err
}

// revokedUntil is the end of the hour in which a token expires: a change of the directory each hour is enough, however many are revoked.
func revokedUntil(expires time.Time) time.Time { return expires.Truncate(time.Hour).Add(time.Hour) }
