package auth

import (
	"context"
	"errors"
	"time"

	"countersign/internal/jose"
)

// Claims of our access tokens that no specification names. Resource servers have no use for them.
const (
	claimFamily   = "family"   // the root of the refresh tokens that came with it: with them it is revoked
	claimUserInfo = "userinfo" // the claims that UserInfo was asked for, as OIDC Core §5.5 writes them
)

// accessToken is an access token of ours whose signature, issuer, audience and time are good, with a client that is. Whether it is
// revoked, and whether its session lives, only the store knows.
type accessToken struct {
	id      string // jti
	client  *Client
	subject string
	session SessionID // empty: the client's own
	family  TokenHash // zero: no refresh tokens came with it
	claims  jose.Claims
}

// readAccess reads an access token for an audience, which may be jose.AnyAudience. A user's has a session and a client's has not; there is
// no third kind.
//
// Error: CodeInvalidToken.
func (s *Service) readAccess(d *directory, token, audience string) (accessToken, error) {
	claims, err := d.public.Verify(token, jose.Want{Typ: []string{typAccess}, Issuer: s.issuer, Audience: audience, Now: s.now()})
	if err != nil {
		return accessToken{}, &Error{Code: CodeInvalidToken, Cause: err}
	}
	id, _ := claims.String("client_id")
	aud, _ := claims.String("aud") // of several audiences, which we issue to nobody, none could be told apart
	tenant, _ := claims.String("tid")
	session, _ := claims.String("sid")
	family, _ := claims.String(claimFamily)
	t := accessToken{client: d.clients[ClientID(id)], session: SessionID(session), claims: claims}
	t.id, _ = claims.String("jti")
	t.subject, _ = claims.String("sub")
	if raw, err := tokenText.DecodeString(family); err == nil && len(raw) == len(t.family) {
		t.family = TokenHash(raw)
	}
	_, users := claims["sid"]
	if t.client == nil || !t.client.DisabledAt.IsZero() || string(t.client.Tenant) != tenant || t.id == "" || aud == "" ||
		users != (session != "") || !users && (t.subject != id || t.client.Auth == ClientAuthNone) {
		return accessToken{}, refuse(CodeInvalidToken)
	}
	return t, nil
}

// liveToken returns the session of a user's access token, as that of the organization that the token is for, unless the session has ended or
// the token is revoked. It moves no session on.
//
// Error: CodeInvalidToken.
func (s *Service) liveToken(ctx context.Context, by Actor, t accessToken, now time.Time) (LiveSession, error) {
	var live LiveSession
	revoked := false
	err := s.store.View(ctx, func(r Reads) (err error) {
		live, revoked, err = r.TokenSession(t.client.Tenant, t.session, t.id, t.family)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return live, refuse(CodeInvalidToken)
	}
	if err != nil {
		return live, err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return live, err
	}
	if revoked || !s.clientLives(t.client) || !live.carriesTokens() || !live.alive(now) || string(live.User.ID) != t.subject {
		return live, refuse(CodeInvalidToken)
	}
	return live, live.bearerFor(s.dir.Load().clients[t.client.ID], t.org().ID)
}

// unrevoked refuses a token that was revoked, itself or with its family.
//
// Error: CodeInvalidToken.
func (s *Service) unrevoked(ctx context.Context, t accessToken) error {
	revoked := false
	err := s.store.View(ctx, func(r Reads) (err error) { revoked, err = r.RevokedToken(t.client.Tenant, t.id, t.family); return err })
	if err == nil && revoked {
		return refuse(CodeInvalidToken)
	}
	return err
}

// clientLives reports whether a client that was found before still is in the present directory.
func (s *Service) clientLives(c *Client) bool {
	now := s.dir.Load().clients[c.ID]
	return now != nil && now.Tenant == c.Tenant && now.DisabledAt.IsZero()
}

// org is the organization that a token is for.
func (t accessToken) org() IdentityRef {
	if id, _ := t.claims.String("org_id"); id != "" {
		return IdentityRef{Corporate, id}
	}
	return IdentityRef{}
}

// carriesTokens reports whether tokens of /cis are issued in sessions of this kind.
func (l LiveSession) carriesTokens() bool {
	return l.Session.Surface == SurfaceCIS || l.Session.Surface == SurfaceOIDC
}

// AuthenticateClientToken lets the bearer of a client's own access token in. A token of a user, or one made for another audience, is
// refused. As long as no client's own token is revoked, and it is bound to no
// key, it costs no statement.
//
// Errors: CodeInvalidToken, CodeProofInvalid, CodeMaintenance, CodeThrottled.
func (s *Service) AuthenticateClientToken(ctx context.Context, token string, via Via) (Actor, error) {
	by := Actor{Via: via}
	var t accessToken
	err := s.lookup(ctx, func(d *directory) (err error) {
		if t, err = s.readAccess(d, token, DefaultAudience); err != nil {
			return err
		}
		if t.session != "" {
			return refuse(CodeInvalidToken)
		}
		by.Tenant, by.Client, by.Token = t.client.Tenant, t.client.ID, t.id
		return d.open(by.Tenant)
	})
	if err == nil {
		err = s.possessed(ctx, by, t, token)
	}
	if err == nil {
		err = s.ownToken(ctx, by)
	}
	if err != nil {
		return by, err
	}
	return by, s.chargeCaller(by)
}

// ownToken refuses an actor whose own token is revoked. The directory says whether there is any to look for; it is asked again whenever it
// turns out to be old (see current).
//
// Error: CodeInvalidToken.
func (s *Service) ownToken(ctx context.Context, by Actor) error {
	if by.Token == "" || !s.now().Before(s.dir.Load().RevokedUntil) {
		return nil
	}
	return s.unrevoked(ctx, accessToken{id: by.Token, client: &Client{Tenant: by.Tenant}})
}
