package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"countersign/internal/jose"
)

// Scope is what the tokens of a back-end authentication carry.
const Scope = "openid offline_access"

// BackendLogin is what a client sends for a user who authenticates through its back end.
type BackendLogin struct {
	PasswordLogin
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

// BackendGrant is what a client asks of the tokens of an authentication.
type BackendGrant struct {
	Resource string         // aud of the access token; empty: DefaultAudience
	Claims   []ClaimRequest // beyond the always-present ones, for the ID token
	OrgID    string         // log in as a member of this organization
}

// TokenSet is the answer to an authentication on /cis.
type TokenSet struct {
	AccessToken  string
	IDToken      string
	RefreshToken string
	ExpiresIn    time.Duration // of the access token
	Scope        string
	Session      SessionID
}

// AuthenticatePassword authenticates a user for a client of /cis (contract/cis §1.1).
//
// Errors: those of an attempt (see provePassword); CodeInvalidTarget; CodeSessionNotFound and CodeSessionForeign, which no dialect may
// tell apart; CodeNotMember; CodePasswordExpired and CodePasswordTemp with Error.Token.
func (s *Service) AuthenticatePassword(ctx context.Context, by Actor, in BackendLogin) (TokenSet, error) {
	client, err := s.clientOf(by)
	if err != nil {
		return TokenSet{}, err
	}
	audience, err := client.audience(in.Resource)
	if err != nil {
		return TokenSet{}, err
	}
	a, err := s.provePassword(ctx, by, in.PasswordLogin)
	if err != nil {
		return TokenSet{}, err
	}
	now := s.now()
	if code, due := a.account.Password.dueFor(now); due {
		return TokenSet{}, s.demandUpdate(ctx, a, code, SurfaceCIS, now)
	}
	session, joined, err := s.sessionFor(ctx, a, in, now)
	if err != nil {
		return TokenSet{}, s.refuseProved(ctx, a, err)
	}
	set, leaf, err := s.issue(ctx, client, in.BackendGrant, audience, issuance{
		user: a.account.User, memberships: a.account.Memberships, session: session, lastAuth: a.account.Attempts.SucceededAt, now: now,
	})
	if err != nil {
		return TokenSet{}, s.refuseProved(ctx, a, err)
	}
	err = s.admit(ctx, a, in.Password, session, "refresh", func(w Writes) error {
		if err := s.openOrJoin(w, session, joined, now); err != nil {
			return err
		}
		return w.AddRefresh(leaf)
	})
	return set, err
}

func (s *Service) openOrJoin(w Writes, session Session, joined bool, now time.Time) error {
	if !joined {
		return w.AddSession(session)
	}
	if live, err := w.JoinSession(session.Tenant, session.ID, session.Methods, now); err != nil || !live {
		return orRefuse(err, CodeSessionNotFound)
	}
	return nil
}

// sessionFor returns the session that an authentication opens, or the one it joins as it will be then.
func (s *Service) sessionFor(ctx context.Context, a *attempt, in BackendLogin, now time.Time) (Session, bool, error) {
	u := a.account.User
	org, err := organization(a.account.Memberships, in.OrgID)
	if err != nil {
		return Session{}, false, err
	}
	if in.Session == "" {
		session := s.newSession(a.by, u, SurfaceCIS, MethodPassword, now)
		session.Org = org
		return session, false, nil
	}
	live, err := s.liveSession(ctx, a.by, in.Session, now)
	if err != nil {
		return Session{}, false, err
	}
	if live.Session.User != u.ID {
		return Session{}, false, refuse(CodeSessionForeign)
	}
	session := live.Session
	if !slices.Contains(session.Methods, MethodPassword) {
		session.Methods = append(slices.Clone(session.Methods), MethodPassword)
	}
	session.AuthAt, session.SeenAt = now, now
	if !org.IsZero() {
		session.Org = org
	}
	return session, true, nil
}

// refuseProved settles the attempt of a right password that is refused for another reason; the counter is not touched by that reason.
func (s *Service) refuseProved(ctx context.Context, a *attempt, why error) error {
	if CodeOf(why) == CodeInternal {
		_ = s.settle(ctx, a, withdrawn, nil)
		return why
	}
	if err := s.settle(ctx, a, succeeded, nil, s.refusal(a, CodeOf(why), s.now())); err != nil {
		return err
	}
	return why
}

// organization finds the corporate identity of a membership by id; an empty id is no organization.
func organization(ms []Membership, id string) (IdentityRef, error) {
	if id == "" {
		return IdentityRef{}, nil
	}
	for _, m := range ms {
		if m.Identity.Ref == (IdentityRef{Corporate, id}) {
			return m.Identity.Ref, nil
		}
	}
	return IdentityRef{}, refuseField(CodeNotMember, "org_id")
}

// liveSession finds a live session of /cis in the actor's tenant; CodeSessionNotFound otherwise.
func (s *Service) liveSession(ctx context.Context, by Actor, id SessionID, now time.Time) (LiveSession, error) {
	var live LiveSession
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Session(by.Tenant, id); return err })
	if errors.Is(err, ErrNotFound) {
		return live, refuseField(CodeSessionNotFound, "session_id")
	}
	if err != nil {
		return live, err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return live, err
	}
	if live.Session.Surface != SurfaceCIS || !live.alive(now) {
		return live, refuseField(CodeSessionNotFound, "session_id")
	}
	return live, nil
}

// AuthenticateSession issues tokens to a client for a user whose session is live, without asking the user for anything, and moves the
// session's end forward (contract/cis §1.4, §2.6). Any client of the tenant may, which is the contract's single sign-on.
//
// Errors: CodeSessionNotFound, CodeThrottled, CodeLocked, CodeInvalidTarget, CodeNotMember.
func (s *Service) AuthenticateSession(ctx context.Context, by Actor, id SessionID, g BackendGrant) (TokenSet, error) {
	now := s.now()
	live, err := s.liveSession(ctx, by, id, now)
	if err != nil {
		return TokenSet{}, err
	}
	if err := s.chargeUser(by.Tenant, live.User.ID, now); err != nil {
		return TokenSet{}, err
	}
	client, err := s.clientOf(by)
	if err != nil {
		return TokenSet{}, err
	}
	audience, err := client.audience(g.Resource)
	if err == nil && now.Before(live.LockedUntil) {
		err = &Error{Code: CodeLocked, RetryAfter: live.LockedUntil.Sub(now)}
	}
	if err == nil && g.OrgID != "" {
		live.Session.Org, err = organization(live.Memberships, g.OrgID)
	}
	if err != nil {
		return TokenSet{}, s.refuseToken(ctx, by, Bearer{LiveSession: live}, err)
	}
	set, leaf, err := s.issue(ctx, client, g, audience, issuance{
		user: live.User, memberships: live.Memberships, session: live.Session, lastAuth: live.SucceededAt, now: now,
	})
	if err != nil {
		return TokenSet{}, err
	}
	e := s.event(by, EventTokenIssued, now)
	e.User, e.Session, e.Reason = live.User.ID, id, "session"
	err = s.store.Write(ctx, func(w Writes) error {
		if alive, err := w.TouchSession(by.Tenant, id, now); err != nil || !alive {
			return orRefuse(err, CodeSessionNotFound)
		}
		if err := w.AddRefresh(leaf); err != nil {
			return err
		}
		return w.AddEvents(e)
	})
	return set, err
}

// LogoutSession ends a session, and with it its refresh tokens, before it returns. A session that had ended is no error.
//
// Errors: CodeSessionNotFound.
func (s *Service) LogoutSession(ctx context.Context, by Actor, id SessionID) error {
	var live LiveSession
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Session(by.Tenant, id); return err })
	if errors.Is(err, ErrNotFound) || (err == nil && live.Session.Surface != SurfaceCIS) {
		return refuseField(CodeSessionNotFound, "session_id")
	}
	if err != nil {
		return err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return err
	}
	return s.endSession(ctx, by, live.Session)
}

// issuance is whom and when tokens are issued for.
type issuance struct {
	user        User
	memberships []Membership
	session     Session
	lastAuth    time.Time
	claims      []string // asked for beyond the client's, as requestable keeps them
	now         time.Time
}

// issue makes a token set with a new family of refresh tokens; the caller writes the family's root.
func (s *Service) issue(ctx context.Context, c *Client, g BackendGrant, audience string, i issuance) (TokenSet, RefreshToken, error) {
	i.claims = requestable(g.Claims)
	set, err := s.tokens(ctx, c, audience, i)
	text, hash := s.newToken(sealRefresh)
	set.RefreshToken = text
	return set, RefreshToken{
		Tenant: c.Tenant, Hash: hash, Root: hash, Session: i.session.ID, User: i.user.ID, Client: c.ID, Audience: audience, Scope: Scope,
		Org: i.session.Org, Claims: i.claims, IssuedAt: i.now, ExpiresAt: i.now.Add(c.refreshTokenFor()),
	}, err
}

// tokens signs an access and an ID token.
func (s *Service) tokens(ctx context.Context, c *Client, audience string, i issuance) (TokenSet, error) {
	set := TokenSet{ExpiresIn: c.accessTokenFor(), Scope: Scope, Session: i.session.ID}
	access := s.baseClaims(c, string(i.user.ID), audience, i.now)
	access["scope"], access["roles"], access["sid"] = Scope, []string{}, string(i.session.ID)
	access["auth_time"], access["amr"] = i.session.AuthAt, i.session.amr()
	if !i.session.Org.IsZero() {
		access["org_id"] = i.session.Org.ID
	}
	var err error
	if set.AccessToken, err = s.sign(ctx, c, typAccess, access); err != nil {
		return set, err
	}
	set.IDToken, err = s.sign(ctx, c, typID, s.idClaims(c, set.AccessToken, i))
	return set, err
}

func (s *Service) idClaims(c *Client, accessToken string, i issuance) jose.Claims {
	id := jose.Claims{
		"iss": s.issuer, "sub": string(i.user.ID), "aud": string(c.ID), "iat": i.now, "exp": i.now.Add(c.accessTokenFor()),
		"tid": string(c.Tenant), "auth_time": i.session.AuthAt, "amr": i.session.amr(), "acr": "", "at_hash": atHash(accessToken),
		"sid": string(i.session.ID),
	}
	if !i.session.Org.IsZero() {
		id["org_id"] = i.session.Org.ID
	}
	for _, kept := range slices.Concat(c.Claims, i.claims) {
		request := parseClaimRequest(kept)
		if value, ok := i.claim(c, request.Name, request.Fields); ok {
			id[request.Name] = value
		}
	}
	return id
}

// atHash binds an ID token to its access token (OIDC Core §3.1.3.6); the hash of all our algorithms is SHA-256.
func atHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return tokenText.EncodeToString(sum[:sha256.Size/2])
}
