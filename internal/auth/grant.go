package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
)

// Grant is what a user's authorization gave a client: tokens, once, for the code that it is stored by (RFC 6749 §4.1.2).
type Grant struct {
	Tenant      TenantID
	Hash        TokenHash // of the code
	Client      ClientID
	RedirectURI string
	Challenge   string    // of PKCE; empty: none, by a client with PKCEOptional
	Key         string    // the thumbprint of the key that redeems it (RFC 9449 §10); empty: any, or none
	Browser     SessionID // in which the user authorized it
	Session     SessionID // that its tokens live in, once it is redeemed
	Scope       string
	Audience    string
	Nonce       string
	Org         IdentityRef
	Claims      []string // for the ID token
	UserInfo    []string // for UserInfo
	IssuedAt    time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time // zero: not redeemed
}

// CodeFor is the life of an authorization code.
const CodeFor = time.Minute

// needsCode reports whether the user has to prove a second factor, and can.
//
// Error: CodeFactorsUnmet, when they have to and cannot.
func (s *Service) needsCode(ctx context.Context, p *page) (bool, error) {
	second, must, err := p.state.Request.factors(p.client)
	if err != nil || !second || p.session.Session.acr() == ACRMFA {
		return false, err
	}
	able := false
	err = s.store.View(ctx, func(r Reads) (err error) {
		_, able, err = s.authenticator(r, p.session.User, ChannelSMS)
		return err
	})
	able = able && s.uses(p.by.Tenant, ChannelSMS) && s.rules(p.by).codes(ChannelSMS) == nil &&
		s.phoneFit(p.by.Tenant, p.session.User.Phone) == nil
	if err == nil && !able && must {
		err = refuseField(CodeFactorsUnmet, "acr_values")
	}
	return able, err
}

// sendFactor sends the code that proves a second factor. It is not sent before the user asks for it or has proved the first: no other site
// may make us send messages.
//
// Errors: those of sendCode; CodeLocked, CodeChannelUnbound.
func (s *Service) sendFactor(ctx context.Context, p *page) error {
	_, err := decide(ctx, s, p.by, func(tx Tx) (Challenge, *Error, error) {
		account, no, err := s.challenged(tx, p.session, ChannelSMS, p.now)
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, p.by, p.session, PurposeSecondFactor, ChannelSMS, no, err)
		}
		c := p.session.challenge(PurposeSecondFactor, ChannelSMS)
		c.Target = account.User.Phone
		c, no, err = s.sendCode(tx, p.by, account.User, c, Message{Template: TemplateStepUp, Kind: ParcelSMS, To: c.Target}, p.now)
		return c, no, s.noteChallenge(tx, p.by, p.session, PurposeSecondFactor, ChannelSMS, no, err)
	})
	s.nudge()
	p.sent = err == nil || CodeOf(err) == CodeTooSoon
	return err
}

// proveFactor adds the factor that a code proves to the browser's session.
//
// Errors: those of proveCode; CodeLocked, CodeChannelUnbound, CodeSessionNotFound.
func (s *Service) proveFactor(ctx context.Context, p *page, code string) error {
	p.sent = true
	_, err := decide(ctx, s, p.by, func(tx Tx) (Challenge, *Error, error) {
		account, no, err := s.challenged(tx, p.session, ChannelSMS, p.now)
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, p.by, p.session, PurposeSecondFactor, ChannelSMS, no, err)
		}
		c, err := s.prior(tx, p.session.challenge(PurposeSecondFactor, ChannelSMS))
		if err != nil {
			return c, nil, err
		}
		if c.ID == "" {
			return c, refuse(CodeNoChallenge), nil
		}
		if c, no, err = s.proveCode(tx, p.by, c, account.User.Phone, code, p.now); err != nil || no != nil {
			return c, no, err
		}
		joined, err := tx.JoinSession(p.by.Tenant, p.session.Session.ID, []Method{MethodSMS}, p.now)
		if err == nil && !joined {
			return c, refuse(CodeSessionNotFound), nil
		}
		if err != nil {
			return c, nil, err
		}
		return c, nil, tx.AddEvents(s.challengeEvent(p.by, EventSteppedUp, c, string(c.Channel), p.now))
	})
	if err == nil {
		p.session.Session.Methods = append(slices.Clone(p.session.Session.Methods), MethodSMS)
		p.session.Session.AuthAt = p.now
	}
	return err
}

// issueCode gives the client a code for what the user authorized.
//
// Errors: CodeNotMember, CodeInvalidTarget, CodeLoginRequired.
func (s *Service) issueCode(ctx context.Context, p *page) (string, error) {
	in := p.state.Request
	audience, err := p.client.audience(in.Resource)
	if err != nil {
		return "", err
	}
	org, err := p.client.organization(p.session.User, p.session.Memberships, IdentityRef{}, in.OrgID)
	if err != nil {
		return "", err
	}
	text, hash := s.newToken(sealCode)
	g := Grant{
		Tenant: p.by.Tenant, Hash: hash, Client: p.client.ID, RedirectURI: in.RedirectURI, Challenge: in.Challenge,
		Key: in.Key, Browser: p.session.Session.ID, Session: newSessionID(), Scope: in.scope(), Audience: audience, Nonce: in.Nonce, Org: org,
		Claims: requestable(in.Claims), UserInfo: requestableUserInfo(in.UserInfo), IssuedAt: p.now, ExpiresAt: p.now.Add(CodeFor),
	}
	e := s.event(p.by, EventAuthorized, p.now)
	e.User, e.Session, e.Note = p.session.User.ID, g.Browser, g.Scope
	write := func(w Writes) error {
		if alive, err := w.TouchSession(g.Tenant, g.Browser, p.now); err != nil || !alive {
			return orRefuse(err, CodeLoginRequired)
		}
		if err := w.AddGrant(g); err != nil {
			return err
		}
		return w.AddEvents(e)
	}
	if !p.state.Consented {
		return text, s.store.Write(ctx, write)
	}
	return text, s.store.Update(ctx, func(tx Tx) error {
		if err := s.consent(tx, p, g.Scope); err != nil {
			return err
		}
		return write(tx)
	})
}

// Redemption is what a client brings for the tokens of a code.
type Redemption struct {
	Code        string
	RedirectURI string
	AnyRedirect bool   // the call has no redirect URI (contract/cis §1.3, /v1/token)
	Verifier    string // RFC 7636 §4.1
}

// Redeem exchanges an authorization code for tokens, once (RFC 6749 §4.1.3). A code that comes back ends all that it gave.
//
// Errors: CodeInvalidCode, CodeReusedCode, CodeLocked.
func (s *Service) Redeem(ctx context.Context, by Actor, in Redemption) (TokenSet, error) {
	secret, ok := s.openToken(sealCode, in.Code)
	if !ok {
		return TokenSet{}, refuse(CodeInvalidCode)
	}
	for {
		now := s.now()
		g, live, err := s.readGrant(ctx, by, sha256.Sum256(secret[:]))
		if err != nil {
			return TokenSet{}, err
		}
		if !g.UsedAt.IsZero() && g.Client == by.Client {
			return TokenSet{}, s.revokeGrant(ctx, by, g, live, now)
		}
		client, err := s.clientOf(by)
		if err != nil {
			return TokenSet{}, err
		}
		if no := g.refuses(client, by, in, live, now); no != nil {
			return TokenSet{}, s.refuseToken(ctx, by, Bearer{LiveSession: live}, no)
		}
		set, err := s.redeemed(ctx, by, g, live, now)
		switch {
		case errors.Is(err, ErrRaced):
			continue
		case CodeOf(err) == CodeInvalidCode:
			err = s.refuseToken(ctx, by, Bearer{LiveSession: live}, err)
		}
		return set, err
	}
}

// readGrant finds a grant of the actor's tenant with the session that it was authorized in.
func (s *Service) readGrant(ctx context.Context, by Actor, hash TokenHash) (Grant, LiveSession, error) {
	var g Grant
	var live LiveSession
	err := s.store.View(ctx, func(r Reads) (err error) {
		if g, err = r.Grant(hash); err == nil {
			live, err = r.Session(g.Tenant, g.Browser)
		}
		return err
	})
	if errors.Is(err, ErrNotFound) || err == nil && g.Tenant != by.Tenant { // and no event: a tenant's events do not name another's users
		return g, live, refuse(CodeInvalidCode)
	}
	if err != nil {
		return g, live, err
	}
	return g, live, s.current(ctx, by, live.Revision)
}

// refuses says why a grant that was not used is not redeemed. Each single mismatch is enough (B-42, B-43).
func (g Grant) refuses(c *Client, by Actor, in Redemption, live LiveSession, now time.Time) *Error {
	switch {
	case g.Client != by.Client, g.Key != "" && g.Key != by.Holds, g.RedirectURI != in.RedirectURI && !in.AnyRedirect, !proves(in.Verifier, g.Challenge),
		!now.Before(g.ExpiresAt), !live.alive(now), !c.covers(g.Audience, live.Memberships, g.Org):
		return refuse(CodeInvalidCode)
	case now.Before(live.LockedUntil):
		return &Error{Code: CodeLocked, RetryAfter: live.LockedUntil.Sub(now)}
	}
	return nil
}

// proves reports whether a verifier is the one whose hash is the challenge (RFC 7636 §4.1, §4.6). Where there was no challenge no verifier
// may come: it would say that somebody took the challenge away (RFC 9700 §4.8.2, B-42).
func proves(verifier, challenge string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// revokeGrant ends the session that a code gave, and so every token of it: the code is in two hands.
func (s *Service) revokeGrant(ctx context.Context, by Actor, g Grant, live LiveSession, now time.Time) error {
	e := s.event(by, EventTokenRevoked, now)
	e.User, e.Session, e.Reason = live.User.ID, g.Session, CodeReusedCode.String()
	err := s.store.Write(ctx, func(w Writes) error {
		ended, err := w.EndSession(g.Tenant, g.Session, now, e.Reason)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		said := e
		if !ended { // it had ended before, perhaps by an earlier return of the code
			said.Kind = EventTokenRefused
		}
		return w.AddEvents(said)
	})
	return orRefuse(err, CodeReusedCode)
}

// redeemed opens the session of a grant and issues its tokens; ErrRaced when another request was first. The tokens have a session of
// their own: they outlive the browser's when the user allowed that, and a code that comes back ends them alone.
func (s *Service) redeemed(ctx context.Context, by Actor, g Grant, live LiveSession, now time.Time) (TokenSet, error) {
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	session := live.Session
	session.ID, session.Surface, session.Client, session.Org = g.Session, SurfaceOIDC, by.Client, g.Org
	session.CreatedAt, session.SeenAt = now, now
	limits := s.lives(client, g.Audience)
	offline := slices.Contains(strings.Fields(g.Scope), scopeOffline)
	if session.IdleLimit = limits.Access; offline {
		session.IdleLimit = limits.Rotate
	}
	session.EndsAt = now.Add(session.IdleLimit)
	i := issuance{
		user: live.User, memberships: live.Memberships, session: session, lastAuth: live.SucceededAt, claims: g.Claims, userInfo: g.UserInfo,
		scope: g.Scope, nonce: g.Nonce, key: by.Holds, now: now,
	}
	var set TokenSet
	var leaf RefreshToken
	if offline {
		set, leaf, err = s.family(client, g.Audience, i)
	} else {
		set, err = s.tokens(client, g.Audience, i)
	}
	if err != nil {
		return TokenSet{}, err
	}
	party := Party{Tenant: g.Tenant, Session: session.ID, Browser: g.Browser, User: live.User.ID, Client: by.Client, EndsAt: live.Session.EndsAt}
	if party.EndsAt.Before(session.EndsAt) {
		party.EndsAt = session.EndsAt
	}
	e := s.event(by, EventTokenIssued, now)
	e.User, e.Session, e.Reason = live.User.ID, session.ID, "code"
	return set, s.spendGrant(ctx, client, g, live, now, func(w Writes) error {
		if err := w.AddSession(session); err != nil {
			return err
		}
		if err := w.AddParty(party); err != nil {
			return err
		}
		if offline {
			if err := w.AddRefresh(leaf); err != nil {
				return err
			}
		}
		return w.AddEvents(e)
	})
}

// spendGrant uses a grant up and writes what it gives. What needs the user's consent is looked at once more, with which nobody can take the
// consent back meanwhile.
//
// Errors: CodeInvalidCode without the consent; ErrRaced.
func (s *Service) spendGrant(ctx context.Context, c *Client, g Grant, live LiveSession, now time.Time, rows func(Writes) error) error {
	spend := func(w Writes) error {
		if first, err := w.UseGrant(g.Hash, now); err != nil || !first {
			return errors.Join(err, raced(first))
		}
		// The row of the browser's session is taken, so that whoever ends it meanwhile either finds this client or keeps it out.
		if alive, err := w.TouchSession(g.Tenant, g.Browser, live.Session.SeenAt); err != nil || !alive {
			return errors.Join(err, raced(alive))
		}
		return rows(w)
	}
	if !c.ThirdParty && !slices.Contains(strings.Fields(g.Scope), scopeOffline) {
		return s.store.Write(ctx, spend)
	}
	return s.store.Update(ctx, func(tx Tx) error {
		given, err := consentOf(tx, g.Tenant, live.User.ID, g.Client)
		if err == nil && !given.covers(g.Scope) {
			err = refuse(CodeInvalidCode)
		}
		if err != nil {
			return err
		}
		return spend(tx)
	})
}
