package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"countersign/internal/seal"
)

// page is one request for the login page, or one answer to it.
type page struct {
	client  *Client
	by      Actor
	browser Browser
	state   authorizing
	session Bearer  // of the browser; no Token.Hash: none that is alive, or its user is locked
	former  Session // of the browser when it came, of a locked user too: a new login takes its place
	secret  string  // of a session that was opened on the way
	sent    bool    // a code is on its way
	now     time.Time
}

func (p *page) loggedIn() bool { return p.session.Session.ID != "" }

// arrive finds the live session of the page's browser; none is no error. A locked user can do nothing with theirs.
func (s *Service) arrive(ctx context.Context, p *page) error {
	b, err := s.anyBrowser(ctx, p.by, p.browser.Session(p.client.Tenant), p.now)
	if err != nil {
		return err
	}
	if p.former = b.Session; !p.now.Before(b.LockedUntil) {
		p.session = b
	}
	return nil
}

// anyBrowser finds the live session of a browser, of a locked user too, who may log out; none is no error.
func (s *Service) anyBrowser(ctx context.Context, by Actor, text string, now time.Time) (Bearer, error) {
	secret, ok := s.openToken(sealBrowser, text)
	if !ok {
		return Bearer{}, nil
	}
	var b Bearer
	err := s.store.View(ctx, func(r Reads) (err error) { b, err = r.Bearer(sha256.Sum256(secret[:])); return err })
	if errors.Is(err, ErrNotFound) {
		return Bearer{}, nil
	}
	if err != nil {
		return Bearer{}, err
	}
	if err := s.current(ctx, by, b.Revision); err != nil {
		return Bearer{}, err
	}
	if b.Token.Tenant != by.Tenant || b.Token.Kind != TokenBrowser || !b.alive(now) {
		return Bearer{}, nil
	}
	return b, nil
}

// proceed says what comes next, and issues the code when nothing does.
func (s *Service) proceed(ctx context.Context, p *page) (Authorization, error) {
	in := p.state.Request
	none := slices.Contains(in.Prompts, promptNone)
	fresh := p.loggedIn() && p.state.Proved == p.session.Session.ID
	switch {
	case !fresh && (!p.loggedIn() || p.asksAnew()):
		if none {
			return Authorization{}, refuse(CodeLoginRequired)
		}
		return s.show(p, StepPassword)
	case in.Subject != "" && in.Subject != p.session.User.ID: // fresh: somebody else has logged in
		return Authorization{}, refuse(CodeLoginRequired)
	}
	switch code, err := s.needsCode(ctx, p); {
	case err != nil:
		return Authorization{}, err
	case code && none:
		return Authorization{}, refuse(CodeLoginRequired)
	case code:
		return s.show(p, StepCode)
	}
	switch ask, err := s.asksConsent(ctx, p); {
	case err != nil:
		return Authorization{}, err
	case ask && none:
		return Authorization{}, refuse(CodeConsentRequired)
	case ask:
		p.state.Asked = true
		return s.show(p, StepConsent)
	}
	out, err := s.show(p, StepDone)
	if err == nil {
		out.Code, err = s.issueCode(ctx, p)
	}
	return out, err
}

// asksAnew reports whether the session that the browser brings is not enough for the request.
func (p *page) asksAnew() bool {
	in := p.state.Request
	age, _ := in.maxAge() // was checked
	return slices.Contains(in.Prompts, promptLogin) || slices.Contains(in.Prompts, promptSelect) ||
		in.Subject != "" && in.Subject != p.session.User.ID || age == 0 ||
		age > 0 && p.now.Sub(p.session.Session.AuthAt) > age
}

// show describes the page of a step.
func (s *Service) show(p *page, step AuthorizationStep) (Authorization, error) {
	out := Authorization{
		AuthorizationRequest: p.state.Request, Step: step, Tenant: p.client.Tenant, App: p.client.AppName, Session: p.secret, Sent: p.sent,
		ThirdParty: p.client.ThirdParty, KeepFor: s.lives(p.client, "").Rotate,
	}
	if out.App == "" {
		out.App = string(p.client.ID)
	}
	out.Theme = s.theme(p.client.Tenant)
	if step == StepDone {
		return out, nil
	}
	var err error
	out.Form, err = s.signForm(p.state, p.browser.Form)
	return out, err
}

// signForm writes what a form of the login page brings back.
func (s *Service) signForm(state authorizing, cookie string) (string, error) {
	return s.signState(sealForm, state, cookie)
}

func (s *Service) openForm(text, cookie string, now time.Time) (authorizing, error) {
	var state authorizing
	if err := s.openState(sealForm, text, cookie, &state); err != nil {
		return state, err
	}
	if !now.Before(state.BegunAt.Add(authorizeFor)) {
		return state, refuse(CodeFormInvalid)
	}
	return state, nil
}

// PageAnswer is what a user sent from the login page.
type PageAnswer struct {
	Form       string
	Identifier string
	Password   seal.Secret
	Code       string // by SMS; empty, where one is asked for: send one, or another
	Cancel     bool
}

// Answer takes what a user sent from the login page. What does not hold is no error: the same page is to be shown again, with
// Authorization.Refused.
//
// Errors: CodeFormInvalid and CodeMaintenance, of which only the user can be told; CodeAccessDenied and those of Authorize for the
// client, with what is needed to tell it.
func (s *Service) Answer(ctx context.Context, in PageAnswer, b Browser, via Via) (Authorization, error) {
	p := &page{browser: b, now: s.now()}
	var err error
	if p.state, err = s.openForm(in.Form, b.Form, p.now); err != nil {
		return Authorization{}, err
	}
	request := p.state.Request
	if p.client, err = s.redirectClient(ctx, request.Client, request.RedirectURI); err != nil {
		return Authorization{}, err
	}
	p.by = Actor{Tenant: p.client.Tenant, Client: p.client.ID, Via: via}
	out := Authorization{AuthorizationRequest: request, Tenant: p.client.Tenant}
	if in.Cancel {
		return out, refuse(CodeAccessDenied)
	}
	if err := s.arrive(ctx, p); err != nil {
		return out, err
	}
	step, err := s.take(ctx, p, in)
	out.Session = p.secret // of a login that may have been good though what came after it was not
	var no *Error
	if errors.As(err, &no) && step != StepDone {
		shown, err := s.show(p, step)
		shown.Refused = no
		return shown, err
	}
	if err != nil {
		return out, err
	}
	next, err := s.proceed(ctx, p)
	if err != nil {
		return out, err
	}
	return next, nil
}

// take does what was asked of the step that the page was at, and returns that step. A page whose session has gone begins again.
func (s *Service) take(ctx context.Context, p *page, in PageAnswer) (AuthorizationStep, error) {
	login := in.Identifier != "" || !in.Password.IsZero()
	if login {
		if err := s.logIn(ctx, p, in); err != nil {
			return StepPassword, err
		}
	} else if !p.loggedIn() || p.state.Proved != p.session.Session.ID && p.asksAnew() {
		return StepPassword, refuse(CodeSessionNotFound)
	}
	code, err := s.needsCode(ctx, p)
	switch {
	case err != nil:
		return StepDone, err
	case code && in.Code != "":
		return StepCode, s.proveFactor(ctx, p, in.Code)
	case code:
		return StepCode, s.sendFactor(ctx, p)
	}
	p.state.Consented = !login && p.state.Asked
	return StepConsent, nil
}

// logIn authenticates the user by password and opens a session for the browser, in the place of the one it had: what is proved again is
// proved whole, and no secret that was there before is worth more afterwards.
func (s *Service) logIn(ctx context.Context, p *page, in PageAnswer) error {
	a, err := s.provePassword(ctx, p.by, PasswordLogin{Kind: typedKind(in.Identifier), Identifier: in.Identifier, Password: in.Password})
	if err != nil {
		return err
	}
	defer a.visit.Leave()
	now, u := s.now(), a.account.User
	if code, due := a.due(now); due {
		return s.refuseProved(ctx, a, refuse(code))
	}
	session := s.newSession(p.by, u, SurfaceBrowser, MethodPassword, now)
	text, hash := s.newToken(sealBrowser)
	token := Token{Tenant: u.Tenant, Hash: hash, Session: session.ID, Kind: TokenBrowser, IssuedAt: now}
	former := p.former
	err = s.admit(ctx, a, in.Password, session, string(TokenBrowser), func(w Writes) error {
		if former.ID != "" {
			if err := s.succeed(w, former, session, now); err != nil {
				return err
			}
		}
		if err := w.AddSession(session); err != nil {
			return err
		}
		return w.AddToken(token)
	})
	if err != nil {
		return err
	}
	p.secret, p.state.Proved, p.now = text, session.ID, now
	p.session = Bearer{Token: token, LiveSession: LiveSession{
		Session: session, User: u, SucceededAt: now, Revision: a.account.Revision, Memberships: a.account.Memberships,
	}}
	return nil
}

// succeed ends the session that a browser had before. The clients of the same user go on with the new one; those of another are told.
func (s *Service) succeed(w Writes, former, session Session, now time.Time) error {
	if _, err := w.EndSession(former.Tenant, former.ID, now, string(EventLogin)); err != nil {
		return err
	}
	if former.User == session.User {
		return w.MoveParties(former.Tenant, former.User, former.ID, session.ID, session.EndsAt)
	}
	return s.tellParties(w, former.Tenant, former.User, former.ID, now)
}

// typedKind tells what a person has typed to say who they are; usernames have no @ and do not begin with + (see identifiersOf).
func typedKind(text string) IdentifierKind {
	switch {
	case strings.Contains(text, "@"):
		return ByEmail
	case strings.HasPrefix(text, "+"):
		return ByPhone
	}
	return ByUsername
}
