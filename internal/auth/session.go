package auth

import (
	"context"
	"slices"
	"time"

	"countersign/internal/seal"
)

// SessionID names a session. It is unguessable, and still no credential: every call that takes one also needs an authenticated caller.
type SessionID string

// Surface is the wire contract a session was made through.
type Surface string

const (
	SurfaceMulti   Surface = "multi"
	SurfaceCIS     Surface = "cis"
	SurfaceReset   Surface = "reset"   // of /cis, and good for nothing but one new password
	SurfaceBrowser Surface = "browser" // the login page: single sign-on for the clients of one browser
	SurfaceEntry   Surface = "entry"   // of a login that a client's page has taken, until a browser brings it; good for nothing else
	SurfaceOIDC    Surface = "oidc"    // what the tokens of one authorization code live in
)

// Method is how a user proved something, in the values of amr (RFC 8176, contract/cis §2.4).
type Method string

const (
	MethodPassword Method = "pwd"
	MethodSMS      Method = "sms"
	MethodDevice   Method = "hwk"  // a key that its device keeps (RFC 8176 §2)
	MethodEmail    Method = "eotp" // a code by e-mail
	MethodLink     Method = "eml"  // a link by e-mail
	MethodTOTP     Method = "totp" // a code of an app, by time
	MethodDirect   Method = "otp"  // a code that the client hands to the user (RFC 8176 §2)
	MethodPasskey  Method = "webauthn"
	// MethodPasskeyVerified is MethodPasskey of an authenticator that has verified its user: two factors in one. On the wire it is one
	// method as well, since the contract has mfa for two different ones (contract/cis §2.6).
	MethodPasskeyVerified Method = "webauthn verified"
	MethodMFA             Method = "mfa" // at least two different methods; computed, never stored
)

// Session is the server's record that a user is authenticated.
type Session struct {
	Tenant    TenantID
	ID        SessionID
	Surface   Surface
	User      UserID
	Epoch     int64 // the user's when the session was made
	Client    ClientID
	Methods   []Method
	Org       IdentityRef // a login for one organization
	CreatedAt time.Time
	AuthAt    time.Time // of the latest authentication
	SeenAt    time.Time // of the latest activity that was written
	IdleLimit time.Duration
	EndsAt    time.Time // absolute limit
	EndedAt   time.Time // zero: not ended
	EndedWhy  string
}

// LiveSession is a session with what its liveness depends on.
type LiveSession struct {
	Session     Session
	User        User
	LockedUntil time.Time // of the user's password
	SucceededAt time.Time // of the user's last authentication by password
	Revision    int64
	Memberships []Membership
}

// Bearer is a token of /multi with what its liveness depends on.
type Bearer struct {
	Token Token
	LiveSession
}

// membership is the link that an access token acts under; false for an AUTH token, and when the link is gone.
func (b Bearer) membership() (Membership, bool) {
	for _, m := range b.Memberships {
		if b.Token.Kind == TokenAccess && m.Identity.Ref == b.Token.Identity {
			return m, true
		}
	}
	return Membership{}, false
}

// standing is the user's standing towards whom they act for, as events of the contract tell it.
func (b Bearer) standing() Membership {
	if m, ok := b.membership(); ok {
		return m
	}
	m, _ := current(b.Memberships)
	return m
}

// alive reports whether the session authenticates its user at the time now. Expiry is decided here, on use, and nowhere else.
func (l LiveSession) alive(now time.Time) bool {
	s := l.Session
	return s.EndedAt.IsZero() && now.Before(s.EndsAt) && now.Before(s.SeenAt.Add(s.IdleLimit)) &&
		s.Epoch == l.User.Epoch && l.User.Status != UserSuspended && l.stands(s.Org)
}

// stands reports whether the user still acts for an organization, if there is one.
func (l LiveSession) stands(org IdentityRef) bool {
	_, ok := memberOf(l.Memberships, org)
	return ok || org.IsZero()
}

// amr is the method as amr has it.
func (m Method) amr() string {
	if m == MethodPasskeyVerified {
		m = MethodPasskey
	}
	return string(m)
}

// amr lists the session's methods, with mfa when there are two different ones (contract/cis §2.6).
func (s Session) amr() []string {
	var amr []string
	for _, m := range s.Methods {
		if !slices.Contains(amr, m.amr()) {
			amr = append(amr, m.amr())
		}
	}
	if len(amr) > 1 {
		amr = append(amr, string(MethodMFA))
	}
	return amr
}

// Values of acr: which factors a user has proved.
const (
	ACRPassword = "pwd"
	ACRMFA      = "mfa" // contract/cis §1.5
)

// acr is what an authentication amounts to; empty, where one method that is no password proved it, for which there is no value: amr tells.
// The login page lets nobody in by less than a password, or what stands for one.
func (s Session) acr() string {
	switch {
	case slices.Contains(s.amr(), string(MethodMFA)):
		return ACRMFA
	case s.Surface == SurfaceBrowser, s.Surface == SurfaceOIDC, slices.Contains(s.Methods, MethodPassword):
		return ACRPassword
	}
	return ""
}

// newSession makes a session of a user who has just authenticated by one method.
func (s *Service) newSession(by Actor, u User, surface Surface, m Method, now time.Time) Session {
	policy := s.settings(by.Tenant).BackendSession
	switch surface {
	case SurfaceMulti:
		policy = s.settings(by.Tenant).Session
	case SurfaceBrowser:
		policy = s.settings(by.Tenant).BrowserSession
	}
	if c := s.dir.Load().clients[by.Client]; c != nil && surface == SurfaceCIS {
		policy.IdleLimit = orElse(c.SessionFor, policy.IdleLimit)
	}
	return Session{
		Tenant: by.Tenant, ID: newSessionID(), Surface: surface, User: u.ID, Epoch: u.Epoch, Client: by.Client, Methods: []Method{m},
		CreatedAt: now, AuthAt: now, SeenAt: now, IdleLimit: policy.IdleLimit, EndsAt: now.Add(policy.AbsoluteLimit),
	}
}

// Login is a successful login on /multi.
type Login struct {
	Token      string
	Kind       TokenKind
	User       UserID
	Membership Membership // zero: the user acts for nobody yet
}

// LoginPassword authenticates a user of /multi and opens a session.
//
// Errors: those of an attempt (see provePassword), and CodePasswordExpired and CodePasswordTemp with Error.Token, which is good for one
// UpdatePassword.
func (s *Service) LoginPassword(ctx context.Context, by Actor, in PasswordLogin) (Login, error) {
	a, err := s.provePassword(ctx, by, in)
	if err != nil {
		return Login{}, err
	}
	defer a.visit.Leave()
	now, u := s.now(), a.account.User
	if code, due := a.due(now); due {
		return Login{}, s.demandUpdate(ctx, a, code, SurfaceMulti, now)
	}
	session := s.newSession(by, u, SurfaceMulti, MethodPassword, now)
	login, token := s.firstToken(session, a.account.Memberships, now)
	told := News{
		Kind: NewsLogin, At: now, User: u.ID, Credential: login.Membership.Credential, Identity: login.Membership.Identity.Ref,
		Method: "PASSWORD", Status: StatusVerified,
	}
	err = s.admit(ctx, a, in.Password, session, string(login.Kind), func(w Writes) error {
		if err := w.AddSession(session); err != nil {
			return err
		}
		if err := s.announce(w, by.Tenant, told); err != nil {
			return err
		}
		return w.AddToken(token)
	})
	s.nudge()
	return login, err
}

// firstToken makes the token that begins a session of /multi: ACCESS for the only identity unless the tenant wants AUTH always.
func (s *Service) firstToken(session Session, ms []Membership, now time.Time) (Login, Token) {
	text, hash := s.newToken(sealBearer)
	login := Login{Token: text, Kind: TokenAuth, User: session.User}
	token := Token{Tenant: session.Tenant, Hash: hash, Session: session.ID, Kind: TokenAuth, IssuedAt: now}
	login.Membership, _ = current(ms)
	if len(ms) == 1 && ms[0].active() && s.settings(session.Tenant).LoginToken == LoginTokenAuto {
		login.Kind, token.Kind = TokenAccess, TokenAccess
		token.Identity, token.Credential = ms[0].Identity.Ref, ms[0].Credential
	}
	return login, token
}

// admit settles a successful attempt with the rows that let the user in.
func (s *Service) admit(ctx context.Context, a *attempt, password seal.Secret, session Session, kind string, rows func(Writes) error) error {
	now, u := session.SeenAt, a.account.User
	rehashed := s.rehashed(ctx, a, password)
	in := s.event(a.by, EventLogin, now)
	in.User, in.Session, in.Reason = u.ID, session.ID, string(session.Methods[len(session.Methods)-1])
	issued := s.event(a.by, EventTokenIssued, now)
	issued.User, issued.Session, issued.Reason = u.ID, session.ID, kind
	events := []Event{in, issued}
	if rehashed != nil {
		e := s.event(a.by, EventPasswordRehash, now)
		e.User, e.Note = u.ID, rehashed.Shape
		events = append(events, e)
	}
	return s.settle(ctx, a, succeeded, func(w Writes) error {
		if u.Status == UserPending {
			if _, err := w.ActivateUser(u.Tenant, u.ID, now); err != nil {
				return gone(err, CodeWrongPassword)
			}
		}
		if rehashed != nil {
			if _, err := w.SwapPassword(*rehashed, a.account.Password.Version, false, false); err != nil {
				return err
			}
		}
		return rows(w)
	}, events...)
}

// demandUpdate settles the attempt of a right password that has to be replaced first, and returns the refusal with a temporary token.
// The token has a session of its own that can do nothing else. There is none for a temporary password whose time is over.
func (s *Service) demandUpdate(ctx context.Context, a *attempt, code Code, surface Surface, now time.Time) error {
	if a.account.Password.lapsed(a.end, now) {
		if surface == SurfaceMulti { // whose contract has no answer without a token
			code = CodeWrongPassword
		}
		return s.refuseProved(ctx, a, refuse(code))
	}
	refused := s.refusal(a, code, now)
	t := s.temporaryToken(a.by, a.account.User, surface, MethodPassword, now)
	if err := s.settle(ctx, a, succeeded, t.rows, refused, t.issued); err != nil {
		return err
	}
	return &Error{Code: code, Token: t.text}
}

// temporary is a token that is good for one new password, with what is written of it.
type temporary struct {
	text    string
	token   Token
	session Session
	issued  Event
}

func (s *Service) temporaryToken(by Actor, u User, surface Surface, m Method, now time.Time) temporary {
	text, hash := s.newToken(sealBearer)
	session := s.newSession(by, u, surface, m, now)
	session.EndsAt = now.Add(TemporaryTokenFor)
	if life, _ := s.rules(by).resetFor(); life > 0 && surface == SurfaceReset {
		session.EndsAt = now.Add(life)
	}
	issued := s.event(by, EventTokenIssued, now)
	issued.User, issued.Session, issued.Reason = u.ID, session.ID, string(TokenTemporary)
	token := Token{
		Tenant: u.Tenant, Hash: hash, Session: session.ID, Kind: TokenTemporary, IssuedAt: now, ExpiresAt: session.EndsAt,
	}
	return temporary{text, token, session, issued}
}

func (t temporary) rows(w Writes) error {
	if err := w.AddSession(t.session); err != nil {
		return err
	}
	return w.AddToken(t.token)
}

// Identities lists whom the holder of a token may act for, in the order the links were made.
func (s *Service) Identities(ctx context.Context, by Actor, bearer string) ([]Membership, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAuth, TokenAccess)
	return slices.DeleteFunc(b.Memberships, func(m Membership) bool { return !m.SuspendedAt.IsZero() }), err
}
