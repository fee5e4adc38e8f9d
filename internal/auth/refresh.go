package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
)

// RefreshToken is one link of a family: the tokens that follow from one grant. The first is the family's root, and the whole family
// is revoked by revoking it.
type RefreshToken struct {
	Tenant    TenantID
	Hash      TokenHash
	Root      TokenHash // of the first token of the family; its own hash in the first
	Session   SessionID
	User      UserID
	Client    ClientID
	Key       string // the thumbprint of the key without which it is not refreshed (RFC 9449 §5); empty: none
	Audience  string
	Scope     string
	Org       IdentityRef
	Claims    []string // asked for at the authentication, as ClaimRequest.String; repeated in every ID token
	UserInfo  []string // the same, for UserInfo
	IssuedAt  time.Time
	ExpiresAt time.Time
	RotatedAt time.Time // zero: the live leaf
}

// LiveRefresh is a refresh token with what its liveness depends on.
type LiveRefresh struct {
	Token        RefreshToken
	FamilyEndsAt time.Time // ExpiresAt of the root
	RevokedAt    time.Time // of the family; zero: not revoked
	LiveSession
}

// RefreshReplay is how long after its rotation a refresh token still returns the same successor, for a client that lost the answer
// (security 0.2-4). After it, or once the successor was used, the token's return revokes the family.
const RefreshReplay = 10 * time.Second

// Refresh exchanges a refresh token for new tokens and rotates it. The session is not touched (contract/cis §2.6); user, client,
// session and lock are looked at again. scopes are what the new tokens are to be good for: some of those that were granted, or none
// for all of them. They hold for this answer alone: the next refresh token has the whole grant (RFC 6749 §6, A-095).
//
// Errors: CodeInvalidRefresh; CodeReusedRefresh, by which the family is now revoked; CodeInvalidScope; CodeLocked; CodeThrottled.
func (s *Service) Refresh(ctx context.Context, by Actor, token string, scopes ...string) (TokenSet, error) {
	secret, ok := s.openToken(sealRefresh, token)
	if !ok {
		return TokenSet{}, refuse(CodeInvalidRefresh)
	}
	for charged := false; ; charged = true {
		now := s.now()
		live, err := s.readRefresh(ctx, by, sha256.Sum256(secret[:]), now)
		if err != nil {
			return TokenSet{}, err
		}
		if !charged {
			if err := s.chargeUser(by.Tenant, live.User.ID, now); err != nil {
				return TokenSet{}, err
			}
		}
		next, nextHash := s.tokenOf(sealRefresh, s.successor(secret))
		replay := !live.Token.RotatedAt.IsZero()
		if replay {
			if err := s.replayable(ctx, by, live, nextHash, now); err != nil {
				return TokenSet{}, err
			}
		}
		scope, err := narrowed(live.Token.Scope, scopes)
		if err != nil {
			return TokenSet{}, s.refuseToken(ctx, by, Bearer{LiveSession: live.LiveSession}, err)
		}
		set, err := s.refreshed(ctx, by, live, renewal{next, nextHash, scope, replay}, now)
		if !errors.Is(err, ErrRaced) {
			return set, err
		}
	}
}

// narrowed is what is asked for of a scope, in the order of the grant.
//
// Error: CodeInvalidScope, for what was not granted.
func narrowed(granted string, asked []string) (string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	all := strings.Fields(granted)
	for _, scope := range asked {
		if !slices.Contains(all, scope) {
			return "", refuseField(CodeInvalidScope, "scope")
		}
	}
	return strings.Join(slices.DeleteFunc(all, func(scope string) bool { return !slices.Contains(asked, scope) }), " "), nil
}

// refreshable reports whether the token's family, its session, and the resource and the organization that it is for are in force for its
// client; one that was rotated is no exception.
func (l LiveRefresh) refreshable(c *Client, now time.Time) bool {
	return l.RevokedAt.IsZero() && l.alive(now) && now.Before(l.Token.ExpiresAt) && now.Before(l.FamilyEndsAt) &&
		c.covers(l.Token.Audience, l.Memberships, l.Token.Org)
}

// successor derives the next refresh token's secret, so that a replay inside the window can return the same one without storing it.
func (s *Service) successor(secret [tokenSecretBytes]byte) [tokenSecretBytes]byte {
	return s.mac.Derive("refresh successor", secret[:])
}

// readRefresh finds a refresh token that its client may use now, rotated or not.
func (s *Service) readRefresh(ctx context.Context, by Actor, hash TokenHash, now time.Time) (LiveRefresh, error) {
	var live LiveRefresh
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Refresh(hash); return err })
	if errors.Is(err, ErrNotFound) {
		return live, refuse(CodeInvalidRefresh)
	}
	if err != nil {
		return live, err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return live, err
	}
	t := live.Token
	client, err := s.clientOf(by)
	if err != nil {
		return live, err
	}
	switch {
	case t.Tenant != by.Tenant:
		return live, refuse(CodeInvalidRefresh) // and no event: a tenant's events do not name another's users
	case t.Client != by.Client || t.Key != "" && t.Key != by.Holds || !live.refreshable(client, now) || !now.Before(s.refreshEnds(t)):
		return live, s.refuseToken(ctx, by, Bearer{LiveSession: live.LiveSession}, refuse(CodeInvalidRefresh))
	case now.Before(live.LockedUntil):
		locked := &Error{Code: CodeLocked, RetryAfter: live.LockedUntil.Sub(now)}
		return live, s.refuseToken(ctx, by, Bearer{LiveSession: live.LiveSession}, locked)
	}
	return live, nil
}

// refreshEnds is when a token ends by its own life: the first of a family is kept for as long as the family.
func (s *Service) refreshEnds(t RefreshToken) time.Time {
	c := s.dir.Load().clients[t.Client]
	if c == nil {
		return t.IssuedAt
	}
	return t.IssuedAt.Add(s.lives(c, t.Audience).Refresh)
}

// replayable reports whether a rotated token may once more return its successor. Otherwise somebody else has a copy, and the family is
// revoked.
func (s *Service) replayable(ctx context.Context, by Actor, live LiveRefresh, next TokenHash, now time.Time) error {
	if now.Sub(live.Token.RotatedAt) < RefreshReplay {
		var child LiveRefresh
		err := s.store.View(ctx, func(r Reads) (err error) { child, err = r.Refresh(next); return err })
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil && child.Token.RotatedAt.IsZero() {
			return nil
		}
	}
	e := s.event(by, EventTokenRevoked, now)
	e.User, e.Session, e.Reason = live.User.ID, live.Session.ID, CodeReusedRefresh.String()
	err := s.store.Write(ctx, func(w Writes) error {
		if first, err := w.RevokeRefreshFamily(live.Token.Root, now); err != nil || !first {
			return err // another request has revoked it meanwhile, with its event
		}
		return w.AddEvents(e)
	})
	return orRefuse(err, CodeReusedRefresh)
}

// renewal is what a refresh gives.
type renewal struct {
	token  string // the next refresh token
	hash   TokenHash
	scope  string // of the other tokens
	replay bool   // the next one is there already
}

// refreshed writes a rotation and returns the new tokens; ErrRaced when another request rotated first.
func (s *Service) refreshed(ctx context.Context, by Actor, live LiveRefresh, next renewal, now time.Time) (TokenSet, error) {
	old := live.Token
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	session := live.Session
	session.Org = old.Org
	leaf := old
	leaf.Hash, leaf.IssuedAt, leaf.RotatedAt = next.hash, now, time.Time{}
	leaf.ExpiresAt = earlier(now.Add(s.lives(client, old.Audience).Refresh), live.FamilyEndsAt)
	set, err := s.tokens(client, old.Audience, issuance{
		user: live.User, memberships: live.Memberships, session: session, lastAuth: live.SucceededAt, claims: old.Claims,
		userInfo: old.UserInfo, scope: next.scope, family: old.Root, key: by.Holds, now: now,
	})
	if err != nil {
		return TokenSet{}, err
	}
	set.RefreshToken = next.token
	e := s.event(by, EventTokenRefreshed, now)
	e.User, e.Session = live.User.ID, live.Session.ID
	if next.replay {
		e.Note = "the same successor again"
	}
	err = s.store.Write(ctx, func(w Writes) error {
		if !next.replay {
			if err := w.RotateRefresh(old.Hash, now); err != nil {
				return err
			}
			if err := w.AddRefresh(leaf); err != nil {
				return err
			}
		}
		return w.AddEvents(e)
	})
	return set, err
}

func raced(won bool) error {
	if won {
		return nil
	}
	return ErrRaced
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
