package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"
)

// TokenHash is the SHA-256 of a token's secret part: all that is stored of it.
type TokenHash [sha256.Size]byte

// TokenKind says which calls take a token of /multi.
type TokenKind string

const (
	TokenAuth      TokenKind = "AUTH"      // lists identities and is exchanged for an access token; contract/multi §3.1
	TokenAccess    TokenKind = "ACCESS"    // acts for one identity
	TokenTemporary TokenKind = "TEMPORARY" // one password update and nothing else
	TokenEntry     TokenKind = "ENTRY"     // one session of the login page, and one code
	TokenBrowser   TokenKind = "BROWSER"   // the cookie of a session of the login page
)

// TemporaryTokenFor is the life of a token that is good for one password update (security A-013).
const TemporaryTokenFor = 5 * time.Minute

// Token is a bearer token of /multi. It lives as long as its session, and never beyond ExpiresAt when that is set.
type Token struct {
	Tenant      TenantID
	Hash        TokenHash
	Session     SessionID
	Kind        TokenKind
	Identity    IdentityRef    // TokenAccess: whom it acts for
	Credential  CredentialType // TokenAccess
	IssuedAt    time.Time
	ExpiresAt   time.Time // zero: the session's end
	UsedAt      time.Time // TokenTemporary: zero until used
	SteppedUpAt time.Time // zero: STANDARD
}

// Sealed tokens are for one of these, so that one kind is never taken for another, whatever the table it is looked up in.
const (
	sealBearer  = "bearer"
	sealRefresh = "refresh"
	sealBrowser = "browser"
	sealCode    = "code"
	sealPushed  = "pushed"
)

const (
	tokenSecretBytes = 32
	tokenTagBytes    = 16
)

var tokenText = base64.RawURLEncoding.Strict()

// tokenOf gives a secret its outer form: the secret and a keyed tag, so that a made-up or altered token is refused without a look into
// the database (security A-033).
func (s *Service) tokenOf(purpose string, secret [tokenSecretBytes]byte) (string, TokenHash) {
	tag := s.mac.Sum("token", []byte(purpose), secret[:])
	return tokenText.EncodeToString(append(secret[:], tag[:tokenTagBytes]...)), sha256.Sum256(secret[:])
}

func (s *Service) newToken(purpose string) (string, TokenHash) {
	var secret [tokenSecretBytes]byte
	rand.Read(secret[:])
	return s.tokenOf(purpose, secret)
}

// openToken checks a token's outer form. There is exactly one spelling of each token.
func (s *Service) openToken(purpose, text string) (secret [tokenSecretBytes]byte, ok bool) {
	var raw [tokenSecretBytes + tokenTagBytes]byte
	if len(text) != tokenText.EncodedLen(len(raw)) {
		return secret, false
	}
	if n, err := tokenText.Decode(raw[:], []byte(text)); err != nil || n != len(raw) {
		return secret, false
	}
	copy(secret[:], raw[:])
	tag := s.mac.Sum("token", []byte(purpose), secret[:])
	return secret, subtle.ConstantTimeCompare(tag[:tokenTagBytes], raw[tokenSecretBytes:]) == 1
}

// AuthenticateKey lets the holder of an API key in. Errors: CodeUnknownKey, CodeMaintenance, CodeThrottled.
func (s *Service) AuthenticateKey(ctx context.Context, key string, via Via) (Actor, error) {
	by := Actor{Via: via}
	if key == "" {
		return by, refuse(CodeUnknownKey)
	}
	hash := s.mac.Sum("api key", []byte(key))
	err := s.lookup(ctx, func(d *directory) error {
		k := d.keys[hash]
		if k == nil || !k.RevokedAt.IsZero() {
			return refuse(CodeUnknownKey)
		}
		by.Tenant, by.Key = k.Tenant, k.ID
		return d.open(k.Tenant)
	})
	if err != nil {
		return by, err
	}
	return by, s.chargeCaller(by)
}

// AuthenticateProgramme lets the holder of a programme key in, which opens the simulator (contract/multi §2.10). Errors: CodeUnknownKey,
// CodeMaintenance; outside of the sandbox no programme key is good for anything.
func (s *Service) AuthenticateProgramme(ctx context.Context, key string, via Via) (Actor, error) {
	by := Actor{Via: via}
	if key == "" || !s.sandbox {
		return by, refuse(CodeUnknownKey)
	}
	hash := s.mac.Sum("programme key", []byte(key))
	err := s.lookup(ctx, func(d *directory) error {
		for _, k := range d.ProgrammeKeys {
			if k.Hash == hash {
				by.Tenant = k.Tenant
				return d.open(k.Tenant)
			}
		}
		return refuse(CodeUnknownKey)
	})
	return by, err
}

// Authenticate finds the live token of an actor's user among the kinds that a call takes, and counts as the user's activity.
//
// Errors: CodeInvalidToken, CodeWrongTokenKind, CodeThrottled, CodeIdentitySuspended, and those of the actor.
func (s *Service) Authenticate(ctx context.Context, by Actor, text string, kinds ...TokenKind) (Bearer, error) {
	b, err := s.bearer(ctx, by, text, kinds...)
	if err != nil {
		return b, err
	}
	if m, acts := b.membership(); acts && !m.Identity.SuspendedAt.IsZero() {
		return b, refuse(CodeIdentitySuspended)
	}
	return b, nil
}

// bearer is Authenticate for calls that a suspended identity's users may make, too.
func (s *Service) bearer(ctx context.Context, by Actor, text string, kinds ...TokenKind) (Bearer, error) {
	b, err := s.liveBearer(ctx, by, text, kinds...)
	if err != nil {
		return b, err
	}
	now := s.now()
	if err := s.chargeUser(by.Tenant, b.User.ID, now); err != nil {
		return Bearer{}, err
	}
	return b, s.touch(ctx, &b.Session, now)
}

// liveBearer is bearer without counting for anything.
func (s *Service) liveBearer(ctx context.Context, by Actor, text string, kinds ...TokenKind) (Bearer, error) {
	secret, ok := s.openToken(sealBearer, text)
	if !ok {
		return Bearer{}, refuse(CodeInvalidToken)
	}
	var b Bearer
	err := s.store.View(ctx, func(r Reads) (err error) { b, err = r.Bearer(sha256.Sum256(secret[:])); return err })
	if errors.Is(err, ErrNotFound) {
		return Bearer{}, refuse(CodeInvalidToken)
	}
	if err != nil {
		return Bearer{}, err
	}
	if err := s.current(ctx, by, b.Revision); err != nil {
		return Bearer{}, err
	}
	now := s.now()
	if b.Token.Tenant != by.Tenant || !b.alive(now) || !b.Token.good(now) {
		return Bearer{}, refuse(CodeInvalidToken)
	}
	if m, acts := b.membership(); b.Token.Kind == TokenAccess && (!acts || !m.SuspendedAt.IsZero()) {
		return Bearer{}, refuse(CodeInvalidToken) // the link that it acted under has gone
	}
	if !slices.Contains(kinds, b.Token.Kind) {
		return Bearer{}, refuse(CodeWrongTokenKind)
	}
	return b, nil
}

// steppedUp reports whether the bearer's step-up counts at the time now: a bounded time, and not beyond the loss of a way to prove
//
func (s *Service) steppedUp(b Bearer, now time.Time) bool {
	at, limit := b.Token.SteppedUpAt, s.settings(b.Token.Tenant).StepUpFor
	return !at.IsZero() && !at.Before(b.User.WeakenedAt) && (limit == 0 || now.Before(at.Add(limit)))
}

func (t Token) good(now time.Time) bool {
	return t.UsedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// activityGrain is how much of a user's activity may go unwritten: an idle session may end that much early, never late.
const activityGrain = time.Second

func (s *Service) touch(ctx context.Context, session *Session, now time.Time) error {
	if now.Sub(session.SeenAt) < activityGrain {
		return nil
	}
	live, tenant, id := false, session.Tenant, session.ID
	err := s.store.Write(ctx, func(w Writes) (err error) { live, err = w.TouchSession(tenant, id, now); return err })
	if err == nil && !live {
		return refuse(CodeInvalidToken)
	}
	return err
}

// Access is an access token for one identity.
type Access struct {
	Token      string
	Membership Membership
	SteppedUp  bool
}

// AccessToken issues a token that acts for one of the user's identities; a zero ref means the only one. The answer for an identity that
// is not the user's is the same as for one that does not exist.
//
// Errors: those of Authenticate, CodeLocked, CodeForeignIdentity, CodeIdentityRequired.
func (s *Service) AccessToken(ctx context.Context, by Actor, bearer string, ref IdentityRef) (Access, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return Access{}, err
	}
	now := s.now()
	if now.Before(b.LockedUntil) {
		return Access{}, s.refuseToken(ctx, by, b, &Error{Code: CodeLocked, RetryAfter: b.LockedUntil.Sub(now)})
	}
	m, err := choose(b.Memberships, ref)
	if err != nil {
		return Access{}, s.refuseToken(ctx, by, b, err)
	}
	text, hash := s.newToken(sealBearer)
	t := Token{
		Tenant: by.Tenant, Hash: hash, Session: b.Session.ID, Kind: TokenAccess, Identity: m.Identity.Ref, Credential: m.Credential,
		IssuedAt: now,
	}
	if b.Token.Kind == TokenAuth && s.steppedUp(b, now) {
		t.SteppedUpAt = b.Token.SteppedUpAt // a stepped-up login is for all identities; an access token's step-up is for its own
	}
	issued := s.tokenEvent(by, EventTokenIssued, b, now)
	issued.Identity, issued.Reason = m.Identity.Ref, string(TokenAccess)
	err = s.store.Write(ctx, func(w Writes) error {
		if err := w.AddToken(t); err != nil {
			return err
		}
		if err := w.TouchMembership(by.Tenant, b.User.ID, m.Identity.Ref, now); err != nil {
			return err
		}
		return w.AddEvents(issued)
	})
	if errors.Is(err, ErrNotFound) { // the user or their membership is gone since
		return Access{}, s.refuseToken(ctx, by, b, refuse(CodeForeignIdentity))
	}
	return Access{Token: text, Membership: m, SteppedUp: !t.SteppedUpAt.IsZero()}, err
}

func choose(ms []Membership, ref IdentityRef) (Membership, error) {
	if ref.IsZero() {
		if len(ms) != 1 {
			return Membership{}, refuse(CodeIdentityRequired)
		}
		ref = ms[0].Identity.Ref
	}
	for _, m := range ms {
		if m.Identity.Ref == ref && m.active() {
			return m, nil
		}
	}
	return Membership{}, refuse(CodeForeignIdentity)
}

// refuseToken writes the event of a token that was not issued and returns why.
func (s *Service) refuseToken(ctx context.Context, by Actor, b Bearer, why error) error {
	e := s.tokenEvent(by, EventTokenRefused, b, s.now())
	e.Reason = CodeOf(why).String()
	if err := s.store.Write(ctx, func(w Writes) error { return w.AddEvents(e) }); err != nil {
		return err
	}
	return why
}

func (s *Service) tokenEvent(by Actor, kind EventKind, b Bearer, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Session, e.Identity = b.User.ID, b.Session.ID, b.Token.Identity
	return e
}

// Logout ends the session of a token, and so every token of the session, on every node, before it returns. No limit on the
// user's requests holds it up.
//
// Errors: CodeInvalidToken, and those of the actor.
func (s *Service) Logout(ctx context.Context, by Actor, bearer string) error {
	b, err := s.liveBearer(ctx, by, bearer, TokenAuth, TokenAccess)
	if CodeOf(err) == CodeWrongTokenKind {
		err = refuse(CodeInvalidToken) // the contract has no 403 here
	}
	if err != nil {
		return err
	}
	return s.endSession(ctx, by, b.Session)
}

func (s *Service) endSession(ctx context.Context, by Actor, session Session) error {
	now := s.now()
	e := s.event(by, EventLogout, now)
	e.User, e.Session = session.User, session.ID
	return s.store.Write(ctx, func(w Writes) error {
		ended, err := w.EndSession(session.Tenant, session.ID, now, string(EventLogout))
		if err != nil || !ended {
			return err
		}
		return w.AddEvents(e)
	})
}
