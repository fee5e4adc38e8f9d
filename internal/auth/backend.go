package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
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
	UserInfo []ClaimRequest // the same, for UserInfo
	OrgID    string         // log in as a member of this organization
	Scope    string         // of the tokens; empty: Scope

	username, approval string // of the passkey, and what the user approved by the authentication, a JSON object: for the ID token of this authentication alone
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
	return s.authenticatePassword(ctx, by, in, func(ctx context.Context, a *attempt, code Code, now time.Time) error {
		return s.demandUpdate(ctx, a, code, SurfaceReset, now)
	})
}

// authenticatePassword is AuthenticatePassword; due refuses a right password that has to be replaced first.
func (s *Service) authenticatePassword(
	ctx context.Context, by Actor, in BackendLogin, due func(context.Context, *attempt, Code, time.Time) error,
) (TokenSet, error) {
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	if _, err := client.audience(in.Resource); err != nil {
		return TokenSet{}, err
	}
	a, err := s.provePassword(ctx, by, in.PasswordLogin)
	if err != nil {
		return TokenSet{}, err
	}
	defer a.visit.Leave()
	now := s.now()
	if code, is := a.due(now); is {
		return TokenSet{}, due(ctx, a, code, now)
	}
	var live *LiveSession
	if in.Session != "" {
		if live, err = s.liveSession(ctx, by, in.Session, now); err != nil {
			return TokenSet{}, s.refuseProved(ctx, a, err)
		}
	}
	entry, err := s.admission(by, client, a.account, MethodPassword, in.BackendGrant, live, now)
	if err != nil {
		return TokenSet{}, s.refuseProved(ctx, a, err)
	}
	return entry.tokens, s.admit(ctx, a, in.Password, entry.session, "refresh", entry.rows)
}

// admission is how a client's user comes in: a session opened or joined, and the tokens issued in it.
type admission struct {
	tokens  TokenSet
	session Session
	joins   bool // the session is there already
	leaf    RefreshToken
}

// admission decides what an authentication by one method leads to. It opens a session, or joins a live one of the same user, when that is
// given.
//
// Errors: CodeInvalidTarget, CodeNotMember, CodeSessionForeign.
func (s *Service) admission(
	by Actor, client *Client, account Account, m Method, g BackendGrant, live *LiveSession, now time.Time,
) (admission, error) {
	u := account.User
	audience, err := client.audience(g.Resource)
	if err != nil {
		return admission{}, err
	}
	in := admission{joins: live != nil}
	switch {
	case !in.joins:
		in.session = s.newSession(by, u, SurfaceCIS, m, now)
	case live.Session.User != u.ID:
		return admission{}, refuse(CodeSessionForeign)
	default:
		in.session = live.Session
		if !slices.Contains(in.session.Methods, m) {
			in.session.Methods = append(slices.Clone(in.session.Methods), m)
		}
		in.session.AuthAt, in.session.SeenAt = now, now
	}
	if in.session.Org, err = client.organization(u, account.Memberships, in.session.Org, g.OrgID); err != nil {
		return admission{}, err
	}
	in.tokens, in.leaf, err = s.issue(client, g, audience, issuance{
		user: u, memberships: account.Memberships, session: in.session, lastAuth: account.Attempts.SucceededAt, key: by.Holds, now: now,
	})
	return in, err
}

// rows writes the session and the root of its refresh tokens. It fails with CodeSessionNotFound when the session ended meanwhile.
func (in admission) rows(w Writes) error {
	if !in.joins {
		if err := w.AddSession(in.session); err != nil {
			return err
		}
		return w.AddRefresh(in.leaf)
	}
	if live, err := w.JoinSession(in.session.Tenant, in.session.ID, in.session.Methods, in.session.SeenAt); err != nil || !live {
		return orRefuse(err, CodeSessionNotFound)
	}
	return w.AddRefresh(in.leaf)
}

// admitClient lets in a user who has just proved themselves to a client by any method but a password: it opens a session, or joins the
// live one that is named, and issues tokens. client is issuingClient's; account is as it is inside the transaction. A refusal is an event,
// and what the caller has written before stays.
//
// Verdicts: CodeUnknownUser, CodeSuspended, CodeLocked, CodeInvalidTarget, CodeNotMember, CodeSessionNotFound, CodeSessionForeign.
func (s *Service) admitClient(
	tx Tx, by Actor, client *Client, account Account, m Method, g BackendGrant, join SessionID, now time.Time,
) (TokenSet, *Error, error) {
	in, err := s.admissible(tx, by, client, account, m, g, join, now)
	var no *Error
	if errors.As(err, &no) {
		e := s.event(by, EventLoginRefused, now)
		e.User, e.Reason = account.User.ID, no.Code.String()
		return TokenSet{}, no, tx.AddEvents(e)
	}
	if err != nil {
		return TokenSet{}, nil, err
	}
	if account.User.Status == UserPending {
		if _, err := tx.ActivateUser(account.User.Tenant, account.User.ID, now); err != nil {
			return TokenSet{}, nil, err
		}
	}
	if err := in.rows(tx); err != nil {
		return TokenSet{}, nil, err
	}
	entered, issued := s.event(by, EventLogin, now), s.event(by, EventTokenIssued, now)
	entered.User, entered.Session, entered.Reason = account.User.ID, in.session.ID, string(m)
	issued.User, issued.Session, issued.Reason = account.User.ID, in.session.ID, "refresh"
	return in.tokens, nil, tx.AddEvents(entered, issued)
}

// admissible is admission for a user who may be suspended or locked by now, with the session to be joined as the transaction sees it.
func (s *Service) admissible(
	r Reads, by Actor, client *Client, account Account, m Method, g BackendGrant, join SessionID, now time.Time,
) (admission, error) {
	switch {
	case !account.Found:
		return admission{}, refuse(CodeUnknownUser)
	case account.User.Status == UserSuspended:
		return admission{}, refuse(CodeSuspended)
	case account.Attempts.locked(now):
		return admission{}, &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}
	case join == "":
		return s.admission(by, client, account, m, g, nil, now)
	}
	live, err := r.Session(by.Tenant, join)
	if errors.Is(err, ErrNotFound) || err == nil && !live.joinable(now) {
		return admission{}, refuseField(CodeSessionNotFound, "session_id")
	}
	if err != nil {
		return admission{}, err
	}
	return s.admission(by, client, account, m, g, &live, now)
}

// refuseProved settles the attempt of a right password that is refused for another reason; the counter is not touched by that reason.
func (s *Service) refuseProved(ctx context.Context, a *attempt, why error) error {
	if ours(why) {
		_ = s.settle(ctx, a, withdrawn, nil)
		return why
	}
	if err := s.settle(ctx, a, succeeded, nil, s.refusal(a, CodeOf(why), s.now())); err != nil {
		return err
	}
	return why
}

// liveSession finds a live session of /cis in the actor's tenant; CodeSessionNotFound otherwise.
func (s *Service) liveSession(ctx context.Context, by Actor, id SessionID, now time.Time) (*LiveSession, error) {
	return s.liveUse(ctx, by, id, now, LiveSession.joinable)
}

// liveUse is liveSession for sessions of another use.
func (s *Service) liveUse(
	ctx context.Context, by Actor, id SessionID, now time.Time, fit func(LiveSession, time.Time) bool,
) (*LiveSession, error) {
	var live LiveSession
	err := s.store.View(ctx, func(r Reads) (err error) { live, err = r.Session(by.Tenant, id); return err })
	if errors.Is(err, ErrNotFound) {
		return nil, refuseField(CodeSessionNotFound, "session_id")
	}
	if err != nil {
		return nil, err
	}
	if err := s.current(ctx, by, live.Revision); err != nil {
		return nil, err
	}
	if !fit(live, now) {
		return nil, refuseField(CodeSessionNotFound, "session_id")
	}
	return &live, nil
}

// bearable reports whether users bear access tokens of the session: one that a client's back end opened, or that a browser's code gave
// (contract/cis §0.2).
func (l LiveSession) bearable(now time.Time) bool {
	return l.joinable(now) || l.Session.Surface == SurfaceOIDC && l.alive(now)
}

// joinable reports whether clients may use the session.
func (l LiveSession) joinable(now time.Time) bool {
	return l.Session.Surface == SurfaceCIS && l.alive(now)
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
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	audience, err := client.audience(g.Resource)
	if err == nil && now.Before(live.LockedUntil) {
		err = &Error{Code: CodeLocked, RetryAfter: live.LockedUntil.Sub(now)}
	}
	if err == nil {
		live.Session.Org, err = client.organization(live.User, live.Memberships, live.Session.Org, g.OrgID)
	}
	if err != nil {
		return TokenSet{}, s.refuseToken(ctx, by, Bearer{LiveSession: *live}, err)
	}
	set, leaf, err := s.issue(client, g, audience, issuance{
		user: live.User, memberships: live.Memberships, session: live.Session, lastAuth: live.SucceededAt, key: by.Holds, now: now,
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
	claims      []string // of the ID token, beyond the client's, as requestable keeps them
	userInfo    []string // of UserInfo, the same
	scope       string
	own         roleSet   // roles of the client's application; tokens fills it in
	family      TokenHash // the root of the refresh tokens that the access token falls with; zero: there are none
	nonce       string    // of the authorization request; none at a refresh
	approval    string    // a JSON object, or empty
	username    string    // that the passkey was made with
	key         string    // that the access token is bound to, by its thumbprint; empty: none
	now         time.Time
}

// issue makes a token set with a new family of refresh tokens; the caller writes the family's root.
func (s *Service) issue(c *Client, g BackendGrant, audience string, i issuance) (TokenSet, RefreshToken, error) {
	i.claims, i.userInfo, i.scope = requestable(g.Claims), requestableUserInfo(g.UserInfo), cmp.Or(g.Scope, Scope)
	i.username, i.approval = g.username, g.approval
	return s.family(c, audience, i)
}

// family is issue for what is settled already.
func (s *Service) family(c *Client, audience string, i issuance) (TokenSet, RefreshToken, error) {
	text, hash := s.newToken(sealRefresh)
	i.family = hash
	set, err := s.tokens(c, audience, i)
	set.RefreshToken = text
	bound := ""
	if c.Auth == ClientAuthNone { // others prove themselves with it (RFC 9449 §5)
		bound = i.key
	}
	return set, RefreshToken{
		Tenant: c.Tenant, Key: bound, Hash: hash, Root: hash, Session: i.session.ID, User: i.user.ID, Client: c.ID, Audience: audience, Scope: i.scope,
		Org: i.session.Org, Claims: i.claims, UserInfo: i.userInfo, IssuedAt: i.now,
		ExpiresAt: earlier(i.now.Add(s.lives(c, audience).Rotate), i.session.EndsAt), // it is good for nothing afterwards, and swept
	}, err
}

// tokens signs an access token, and an ID token where the scope has one.
func (s *Service) tokens(c *Client, audience string, i issuance) (TokenSet, error) {
	set := TokenSet{ExpiresIn: s.lives(c, audience).Access, Scope: i.scope, Session: i.session.ID}
	access := s.baseClaims(c, string(i.user.ID), audience, i.now)
	i.own = s.ownRoles(c, i)
	access["scope"], access["roles"], access["sid"] = i.scope, slices.Concat(i.own.ids, i.roles()), string(i.session.ID)
	access["auth_time"], access["amr"] = i.session.AuthAt, i.session.amr()
	if acr := i.session.acr(); acr != "" {
		access["acr"] = acr
	}
	if !i.session.Org.IsZero() {
		access["org_id"] = i.session.Org.ID
	}
	if i.family != (TokenHash{}) {
		access[claimFamily] = tokenText.EncodeToString(i.family[:])
	}
	if i.key != "" {
		access[claimConfirmation] = confirmation(i.key)
	}
	if len(i.userInfo) > 0 {
		access[claimUserInfo] = userInfoClaim(i.userInfo)
	}
	var err error
	if set.AccessToken, err = s.sign(c, typAccess, access); err != nil {
		return set, err
	}
	if slices.Contains(strings.Fields(i.scope), "openid") { // OIDC Core §3.1.2.1: without it there is no ID token
		set.IDToken, err = s.sign(c, typID, s.idClaims(c, set, i))
	}
	return set, err
}

func (s *Service) idClaims(c *Client, set TokenSet, i issuance) jose.Claims {
	id := jose.Claims{
		"iss": s.issuer, "sub": string(i.user.ID), "aud": string(c.ID), "iat": i.now, "exp": i.now.Add(set.ExpiresIn),
		"tid": string(c.Tenant), "auth_time": i.session.AuthAt, "amr": i.session.amr(), "at_hash": atHash(set.AccessToken),
		"sid": string(i.session.ID),
	}
	if acr := i.session.acr(); acr != "" {
		id["acr"] = acr
	}
	if i.nonce != "" {
		id["nonce"] = i.nonce
	}
	if !i.session.Org.IsZero() {
		id["org_id"] = i.session.Org.ID
	}
	if i.approval != "" {
		id["approval_data"] = jose.Raw(i.approval)
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
