package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"countersign/internal/jose"
)

// Introspection is what a client may know of a token (RFC 7662 §2.2). Of one that is not active it knows nothing: all else is zero.
type Introspection struct {
	Active    bool
	Type      string // Bearer or DPoP: an access token; empty: a refresh token
	Key       string // the thumbprint of the key that it is bound to; empty: none
	ID        string // jti; of an access token
	Client    ClientID
	Tenant    TenantID
	Subject   string
	Audience  string // of an access token
	Scope     string
	Session   SessionID // empty: the client's own token
	Org       string
	IssuedAt  time.Time
	ExpiresAt time.Time
	AuthAt    time.Time // of the user (RFC 9470 §6.2)
	ACR       string
	AMR       []string
}

// Introspect tells a client whether a token is good now, from the store's present state: its session lives, nobody revoked it, its user is
// neither suspended nor locked, its client is not disabled (A-104, B-27). A client sees its own tokens, and the access tokens for the
// resources that are configured for it. Any other token is not active, and so is what is no access and no refresh token. It counts as
// nobody's activity.
//
// Errors: CodeClientRefused, for a client that proves nothing (RFC 7662 §2.1), and those of the actor.
func (s *Service) Introspect(ctx context.Context, by Actor, token string) (Introspection, error) {
	if s.Client(by).Auth == ClientAuthNone {
		return Introspection{}, refuse(CodeClientRefused)
	}
	now := s.now()
	var out Introspection
	var err error
	if secret, ok := s.openToken(sealRefresh, token); ok {
		out, err = s.introspectRefresh(ctx, by, sha256.Sum256(secret[:]), now)
	} else {
		out, err = s.introspectAccess(ctx, by, token, now)
	}
	if CodeOf(err) == CodeInvalidToken {
		return Introspection{}, s.admitted(by)
	}
	return out, err
}

func (s *Service) introspectRefresh(ctx context.Context, by Actor, hash TokenHash, now time.Time) (Introspection, error) {
	var live LiveRefresh
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Refresh(hash); return err })
	if errors.Is(err, ErrNotFound) {
		return Introspection{}, refuse(CodeInvalidToken)
	}
	if err != nil {
		return Introspection{}, err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return Introspection{}, err
	}
	t, client := live.Token, s.Client(by)
	if t.Tenant != by.Tenant || t.Client != by.Client || !live.refreshable(&client, now) || !now.Before(s.refreshEnds(t)) || !t.RotatedAt.IsZero() || now.Before(live.LockedUntil) {
		return Introspection{}, refuse(CodeInvalidToken)
	}
	return Introspection{
		Active: true, Client: t.Client, Tenant: t.Tenant, Subject: string(t.User), Scope: t.Scope, Session: t.Session, Org: t.Org.ID,
		Key: t.Key, IssuedAt: t.IssuedAt, ExpiresAt: earlier(earlier(t.ExpiresAt, live.FamilyEndsAt), s.refreshEnds(t)),
	}, nil
}

func (s *Service) introspectAccess(ctx context.Context, by Actor, token string, now time.Time) (Introspection, error) {
	t, err := s.findAccess(ctx, token)
	if err != nil {
		return Introspection{}, err
	}
	if t.client.Tenant != by.Tenant || t.client.ID != by.Client && !s.Client(by).serves(t.audience()) {
		return Introspection{}, refuse(CodeInvalidToken)
	}
	if t.session == "" {
		err = s.liveOwn(ctx, by, t)
	} else {
		err = s.liveUsers(ctx, by, t, now)
	}
	if err != nil {
		return Introspection{}, err
	}
	out := Introspection{
		Active: true, Type: "Bearer", ID: t.id, Client: t.client.ID, Tenant: t.client.Tenant, Subject: t.subject, Audience: t.audience(),
		Session: t.session, Org: t.org().ID,
	}
	if out.Key = t.boundTo(); out.Key != "" {
		out.Type = "DPoP"
	}
	out.Scope, _ = t.claims.String("scope")
	out.ACR, _ = t.claims.String("acr")
	out.AMR, _ = t.claims.Strings("amr")
	out.IssuedAt, _ = t.claims.Time("iat")
	out.ExpiresAt, _ = t.claims.Time("exp")
	out.AuthAt, _ = t.claims.Time("auth_time")
	return out, nil
}

// findAccess reads an access token for whomever it is.
//
// Error: CodeInvalidToken.
func (s *Service) findAccess(ctx context.Context, token string) (accessToken, error) {
	var t accessToken
	err := s.lookup(ctx, func(d *directory) (err error) { t, err = s.readAccess(d, token, jose.AnyAudience); return err })
	return t, err
}

// liveOwn refuses a client's own token that is revoked, or whose client has been disabled.
//
// Errors: CodeInvalidToken, and those of the actor.
func (s *Service) liveOwn(ctx context.Context, by Actor, t accessToken) error {
	if err := s.Resync(ctx); err != nil {
		return err
	}
	if err := s.admitted(by); err != nil {
		return err
	}
	if !s.clientLives(t.client) {
		return refuse(CodeInvalidToken)
	}
	return s.unrevoked(ctx, t)
}

// liveUsers is liveToken, and refuses the token of a user who is locked.
//
// Errors: CodeInvalidToken, and those of the actor.
func (s *Service) liveUsers(ctx context.Context, by Actor, t accessToken, now time.Time) error {
	live, err := s.liveToken(ctx, by, t, now)
	if err == nil && now.Before(live.LockedUntil) {
		return refuse(CodeInvalidToken)
	}
	return err
}

// serves reports whether the client is a resource server that tokens with this audience are for.
func (c Client) serves(audience string) bool { return slices.Contains(c.Resources, audience) }

func (t accessToken) audience() string {
	audience, _ := t.claims.String("aud")
	return audience
}
