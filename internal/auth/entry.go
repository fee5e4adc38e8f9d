package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"countersign/internal/seal"
)

// An entry takes a login that a client's own page has taken into the user's browser (contract/cis §1.3, §5.5). The client gets a text that
// stands for what the user proved, for a minute. The browser that brings it, once, has a session with the tenant from then on, and takes a
// code to the client.

// FrontLogin is a login that a client's own page has taken.
type FrontLogin struct {
	PasswordLogin
	FrontGrant
	Client ClientID
}

// FrontGrant is what a client asks for a user who enters.
type FrontGrant struct {
	RedirectURI     string
	State           string
	Challenge       string // RFC 7636 §4.3; a public client needs one
	ChallengeMethod string
	Resource        string
	Claims          []ClaimRequest
	OrgID           string
	MFA             bool // one factor is not enough
}

// Entry is what a browser brings to enter.
type Entry struct {
	Client ClientID
	Text   string
}

// EntryFor is how long an entry is good, and maxEntry how long it may be, in bytes.
const (
	EntryFor = time.Minute
	maxEntry = 2048
)

// entering is what an entry says, under a keyed hash.
type entering struct {
	Token   string // of a session on SurfaceEntry
	Request AuthorizationRequest
	MFA     bool
}

const (
	sealEntering = "entry"
	sealEntry    = "entry token"
	anyBrowser   = "any browser"
)

// request is the authorization that an entry stands for. Its code is bound by a challenge only where the client gave one: a client that
// proves itself has proved the user to us itself.
func (g FrontGrant) request(c *Client) (AuthorizationRequest, error) {
	in := AuthorizationRequest{
		Client: c.ID, RedirectURI: g.RedirectURI, ResponseType: "code", Scopes: []string{"openid"}, State: g.State, Challenge: g.Challenge,
		ChallengeMethod: g.ChallengeMethod, Resource: g.Resource, Claims: g.Claims, OrgID: g.OrgID,
	}
	switch {
	case c.RequirePAR, c.ThirdParty: // whose page has no business with the tenant's passwords
		return in, refuse(CodeClientRefused)
	case g.Challenge == "" && g.ChallengeMethod == "" && c.Auth != ClientAuthNone:
	case g.ChallengeMethod != "S256":
		return in, refuseField(CodeRequestInvalid, "code_challenge_method")
	case !isChallenge(g.Challenge):
		return in, refuseField(CodeRequestInvalid, "code_challenge")
	}
	_, err := c.audience(g.Resource)
	return in, err
}

// LoginFront authenticates a user for a client whose page they typed their password into. The call brings no credentials of a client: it
// names one.
//
// Errors: CodeRedirectInvalid for an unknown client too, CodeClientRefused, CodeRequestInvalid, CodeInvalidTarget, CodeInputTooLong; those
// of an attempt (see provePassword); CodePasswordExpired and CodePasswordTemp with Error.Token; CodeNotMember.
func (s *Service) LoginFront(ctx context.Context, via Via, in FrontLogin) (Entry, error) {
	client, err := s.redirectClient(ctx, in.Client, in.RedirectURI)
	if CodeOf(err) == CodeRedirectInvalid {
		if err := s.charge(Actor{Via: via}); err != nil {
			return Entry{}, err
		}
	}
	if err != nil {
		return Entry{}, err
	}
	request, err := in.FrontGrant.request(client)
	if err != nil {
		return Entry{}, err
	}
	by := Actor{Tenant: client.Tenant, Client: client.ID, Via: via}
	a, err := s.provePassword(ctx, by, in.PasswordLogin)
	if err != nil {
		return Entry{}, err
	}
	defer a.visit.Leave()
	now := s.now()
	if code, due := a.due(now); due {
		return Entry{}, s.demandUpdate(ctx, a, code, SurfaceReset, now)
	}
	if _, err := client.organization(a.account.User, a.account.Memberships, IdentityRef{}, in.OrgID); err != nil {
		return Entry{}, s.refuseProved(ctx, a, err)
	}
	t := s.entryToken(by, a.account.User, []Method{MethodPassword}, now)
	entry, err := s.entry(request, in.MFA, t)
	if err != nil {
		return Entry{}, s.refuseProved(ctx, a, err)
	}
	return entry, s.admit(ctx, a, in.Password, t.session, string(TokenEntry), t.rows)
}

// entryToken is a token that is good for one entry, with what is written of it.
func (s *Service) entryToken(by Actor, u User, methods []Method, now time.Time) temporary {
	text, hash := s.newToken(sealEntry)
	session := s.newSession(by, u, SurfaceEntry, methods[0], now)
	session.Methods, session.EndsAt = methods, now.Add(EntryFor)
	issued := s.event(by, EventTokenIssued, now)
	issued.User, issued.Session, issued.Reason = u.ID, session.ID, string(TokenEntry)
	token := Token{Tenant: u.Tenant, Hash: hash, Session: session.ID, Kind: TokenEntry, IssuedAt: now, ExpiresAt: session.EndsAt}
	return temporary{text, token, session, issued}
}

func (s *Service) entry(in AuthorizationRequest, mfa bool, t temporary) (Entry, error) {
	text, err := s.signState(sealEntering, entering{t.text, in, mfa}, anyBrowser)
	if err == nil && len(text) > maxEntry {
		err = refuseField(CodeInputTooLong, "claims")
	}
	return Entry{in.Client, text}, err
}

// Enter lets the user of an entry into the browser that brings it, and gives the client its code. A session that the browser had before
// ends, as by a login on our page; but where two factors are asked for, and it is one of the same user who has proved two, it goes on.
//
// Errors: CodeFormInvalid, CodeRedirectInvalid and CodeMaintenance, of which only the user can be told; and then, for the client,
// CodeLoginRequired for an entry that was used or is too old, CodeFactorsUnmet, CodeInvalidTarget, CodeNotMember.
func (s *Service) Enter(ctx context.Context, in Entry, b Browser, via Via) (Authorization, error) {
	var e entering
	if err := s.openState(sealEntering, in.Text, anyBrowser, &e); err != nil {
		return Authorization{}, err
	}
	if e.Request.Client != in.Client {
		return Authorization{}, refuse(CodeFormInvalid)
	}
	client, err := s.redirectClient(ctx, e.Request.Client, e.Request.RedirectURI)
	if err != nil {
		return Authorization{}, err
	}
	p := &page{client: client, by: Actor{Tenant: client.Tenant, Client: client.ID, Via: via}, browser: b, now: s.now()}
	p.state = authorizing{Request: e.Request, BegunAt: p.now}
	out := Authorization{AuthorizationRequest: e.Request, Tenant: client.Tenant}
	entered, err := s.readEntry(ctx, p, e.Token)
	if err != nil {
		return out, err
	}
	if err := s.arrive(ctx, p); err != nil {
		return out, err
	}
	err = s.let(ctx, p, entered, e.MFA || client.SecondFactor)
	out.Session = p.secret
	if err != nil {
		return out, err
	}
	done, err := s.show(p, StepDone)
	if err == nil {
		done.Code, err = s.issueCode(ctx, p)
	}
	if err != nil {
		return out, err
	}
	return done, nil
}

// readEntry finds the live token of an entry.
func (s *Service) readEntry(ctx context.Context, p *page, text string) (Bearer, error) {
	secret, ok := s.openToken(sealEntry, text)
	if !ok {
		return Bearer{}, refuse(CodeFormInvalid)
	}
	var b Bearer
	err := s.store.View(ctx, func(r Reads) (err error) { b, err = r.Bearer(sha256.Sum256(secret[:])); return err })
	if errors.Is(err, ErrNotFound) {
		return b, refuse(CodeLoginRequired)
	}
	if err != nil {
		return b, err
	}
	if err := s.current(ctx, p.by, b.Revision); err != nil {
		return b, err
	}
	if b.Token.Tenant != p.by.Tenant || b.Token.Kind != TokenEntry || !b.alive(p.now) || !b.Token.good(p.now) || p.now.Before(b.LockedUntil) {
		return b, refuse(CodeLoginRequired)
	}
	return b, nil
}

// let uses an entry up and gives the browser its session; CodeFactorsUnmet, after that, when the user has to prove another factor.
func (s *Service) let(ctx context.Context, p *page, entered Bearer, second bool) error {
	former := p.former
	stays := second && p.loggedIn() && former.User == entered.User.ID && former.acr() == ACRMFA
	session := s.newSession(p.by, entered.User, SurfaceBrowser, entered.Session.Methods[0], p.now)
	session.Methods, session.AuthAt, session.Epoch = entered.Session.Methods, entered.Session.AuthAt, entered.Session.Epoch
	text, hash := s.newToken(sealBrowser)
	token := Token{Tenant: p.by.Tenant, Hash: hash, Session: session.ID, Kind: TokenBrowser, IssuedAt: p.now}
	issued := s.event(p.by, EventTokenIssued, p.now)
	issued.User, issued.Session, issued.Reason = entered.User.ID, session.ID, string(TokenBrowser)
	err := s.store.Write(ctx, func(w Writes) error {
		if first, err := w.UseToken(entered.Token.Hash, p.now); err != nil || !first {
			return orRefuse(err, CodeLoginRequired)
		}
		if stays {
			alive, err := w.JoinSession(former.Tenant, former.ID, entered.Session.Methods, p.now)
			if err == nil && !alive {
				err = refuse(CodeLoginRequired)
			}
			return err
		}
		if former.ID != "" {
			if err := s.succeed(w, former, session, p.now); err != nil {
				return err
			}
		}
		if err := w.AddSession(session); err != nil {
			return err
		}
		if err := w.AddToken(token); err != nil {
			return err
		}
		return w.AddEvents(issued)
	})
	s.nudge()
	if err != nil || stays {
		return err
	}
	p.secret, p.session = text, Bearer{Token: token, LiveSession: entered.LiveSession}
	p.session.Session = session
	if second && session.acr() != ACRMFA {
		return refuse(CodeFactorsUnmet)
	}
	return nil
}

// ResetAndEnter is ResetPassword for a client that wants the user to enter with what the reset token proved.
//
// Errors: those of ResetPassword, and, before the token is used, CodeRedirectInvalid, CodeClientRefused, CodeRequestInvalid,
// CodeInvalidTarget.
func (s *Service) ResetAndEnter(ctx context.Context, via Via, token string, new seal.Secret, g FrontGrant) (string, Entry, error) {
	return s.resetPassword(ctx, via, token, new, func(r reset) (func(Writes, User, time.Time) (Entry, error), error) {
		client, err := s.redirectClient(ctx, r.by.Client, g.RedirectURI)
		if err != nil {
			return nil, err
		}
		request, err := g.request(client)
		if err != nil {
			return nil, err
		}
		return func(w Writes, u User, now time.Time) (Entry, error) {
			methods := slices.DeleteFunc(slices.Clone(r.methods), func(m Method) bool { return m == methodTrusted })
			t := s.entryToken(r.by, u, methods, now)
			if err := t.rows(w); err != nil {
				return Entry{}, err
			}
			if err := w.AddEvents(t.issued); err != nil {
				return Entry{}, err
			}
			return s.entry(request, g.MFA, t)
		}, nil
	})
}
