package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"countersign/internal/webauthn"
)

// CeremonyID names a ceremony. It is unguessable.
type CeremonyID string

// CeremonyPurpose is what a ceremony is for.
type CeremonyPurpose string

const (
	CeremonyBind         CeremonyPurpose = "bind"
	CeremonyAuthenticate CeremonyPurpose = "authenticate"
)

// Ceremony is a challenge to the passkeys of whoever has one: a registration or an authentication of the Web Authentication specification,
// from its options to its result. It is good once, for one client.
type Ceremony struct {
	Tenant    TenantID
	ID        CeremonyID
	Purpose   CeremonyPurpose
	Client    ClientID
	Username  string // as it was given; empty: whoever has a passkey
	Name      string // what it is looked up by
	Handle    []byte // of the user, for the authenticator; CeremonyBind
	Challenge []byte
	Site      string   // of the passkey
	Allowed   []string // passkeys that may answer; empty: all
	Approval  string   // a JSON object that the challenge binds, as it came, or empty
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not used
}

// UserVerification says whether authenticators have to verify their users, by biometrics or a PIN.
type UserVerification string

const (
	VerificationRequired  UserVerification = "required"
	VerificationPreferred UserVerification = "preferred" // one that cannot is taken; it proves possession alone
)

// PasskeyPolicy is for whom passkeys are made, and which are taken (contract/cis §1.11).
type PasskeyPolicy struct {
	Site          string           // a domain; empty: none are, but in a sandbox, for localhost
	Origins       []string         // that may ask for one
	Verification  UserVerification
	Synced        bool             // those that more than one device may hold are taken
	Models        []string         // AAGUID of the authenticators that are taken; empty: all. None proves its model
	BlockedModels []string
}

// DefaultPasskeyPolicy returns the policy of a tenant that says nothing.
func DefaultPasskeyPolicy() PasskeyPolicy {
	return PasskeyPolicy{Verification: VerificationRequired, Synced: true}
}

// takes reports whether the policy lets a new key in.
func (p PasskeyPolicy) takes(k webauthn.Key) bool {
	return (p.Synced || !k.BackupEligible) && !slices.Contains(p.BlockedModels, k.AAGUID) &&
		(len(p.Models) == 0 || slices.Contains(p.Models, k.AAGUID))
}

// site is whom a caller's passkeys are made for. In a sandbox that says nothing it is localhost, for pages at any of its ports.
//
// Error: CodeChannelUnsupported.
func (s *Service) site(by Actor) (webauthn.Site, error) {
	rules := s.rules(by)
	if err := rules.passkeys(); err != nil {
		return webauthn.Site{}, err
	}
	p := rules.passkey()
	if p.Site != "" {
		return webauthn.Site{ID: p.Site, Origins: p.Origins}, nil
	}
	if tenant := s.dir.Load().tenants[by.Tenant]; s.sandbox && tenant != nil && tenant.Mode == ModeSandbox {
		return webauthn.Site{ID: "localhost", Local: true}, nil
	}
	return webauthn.Site{}, refuse(CodeChannelUnsupported)
}

// Bounds of the life of a ceremony, and its length when nothing is asked for (contract/cis §1.11).
const (
	CeremonyMin = 30 * time.Second
	CeremonyFor = 5 * time.Minute
	CeremonyMax = 10 * time.Minute
)

// startLimits bound the ceremonies that one address begins. They need no credentials, and nobody gives the charge back.
func startLimits() []Limit {
	return []Limit{{Count: 300, Window: time.Minute}, {Count: 3000, Window: time.Hour}}
}

// maxUsername bounds the name that a passkey is made with (contract/cis §1.11).
const maxUsername = 64

// CeremonyRequest begins a ceremony.
type CeremonyRequest struct {
	Client   ClientID
	Username string
	For      time.Duration // zero: CeremonyFor
	Alone    bool          // CeremonyBind: not on an authenticator that has one of the user's
	Approval string        // CeremonyAuthenticate: a JSON object that the challenge has to bind
}

// KeyHint is a passkey that the browser is told of, and how it may reach it.
type KeyHint struct {
	ID         string
	Transports []string
}

// Begun is a ceremony that has begun, with what the browser needs for it.
type Begun struct {
	Ceremony
	SiteName     string
	Hints        []KeyHint // to be left out, or to choose from
	Algorithms   []int64   // COSE
	Verification UserVerification
	Nonce        []byte // what the challenge binds Approval to; nil: the challenge is that
}

// BeginPasskey begins the registration of a passkey (contract/cis §1.11). Whose it becomes is settled when the result comes: here everybody
// may ask, and learns nothing of the name they give.
//
// Errors: CodeClientNotFound, CodeIdentifierInvalid, CodeChannelUnsupported, CodeThrottled, CodeMaintenance.
func (s *Service) BeginPasskey(ctx context.Context, via Via, in CeremonyRequest) (Begun, error) {
	return s.beginCeremony(ctx, via, CeremonyBind, in)
}

// BeginAssertion begins an authentication by passkey. Without a username whoever has one may answer. A name that has none gets ids that
// nobody has, always the same ones, unless Settings.RevealAccounts.
//
// Errors: those of BeginPasskey; with Settings.RevealAccounts CodePasskeyMissing.
func (s *Service) BeginAssertion(ctx context.Context, via Via, in CeremonyRequest) (Begun, error) {
	return s.beginCeremony(ctx, via, CeremonyAuthenticate, in)
}

func (s *Service) beginCeremony(ctx context.Context, via Via, p CeremonyPurpose, in CeremonyRequest) (Begun, error) {
	by, client, err := s.namedClient(ctx, via, in.Client)
	if err != nil {
		return Begun{}, err
	}
	kind, name, err := passkeyName(in.Username)
	if err != nil && (in.Username != "" || p == CeremonyBind) {
		return Begun{}, err
	}
	now := s.now()
	b := Begun{
		Ceremony: Ceremony{
			Tenant: by.Tenant, ID: CeremonyID(randomText(24)), Purpose: p, Client: by.Client, Username: in.Username, Name: name,
			Challenge: randomBytes(32), Approval: in.Approval, CreatedAt: now,
			ExpiresAt: now.Add(orElse(in.For, CeremonyFor)),
		},
		SiteName: client.AppName, Algorithms: webauthn.Algorithms(),
	}
	if p == CeremonyBind {
		b.Handle = s.userHandle(by.Tenant, name)
	}
	if in.Approval != "" {
		b.Nonce = b.Challenge
		b.Challenge = approvalChallenge(b.Nonce, in.Approval)
	}
	return decide(ctx, s, by, func(tx Tx) (Begun, *Error, error) {
		site, err := s.site(by)
		if err != nil {
			return Begun{}, nil, err
		}
		rules := s.rules(by)
		b := b
		b.Site, b.SiteName, b.Verification = site.ID, cmp.Or(b.SiteName, site.ID), rules.passkey().Verification
		begun, missing, err := s.withHints(tx, b, kind, in.Alone)
		if err != nil {
			return begun, nil, err
		}
		e := s.event(by, EventChallenged, now)
		e.Note = string(AttemptPasskey) + " " + string(p)
		if missing && p == CeremonyAuthenticate && rules.RevealAccounts {
			e.Kind, e.Reason = EventChallengeRefused, CodePasskeyMissing.String()
			return begun, refuse(CodePasskeyMissing), tx.AddEvents(e)
		}
		if err := tx.AddCeremony(begun.Ceremony); err != nil {
			return begun, nil, err
		}
		return begun, nil, tx.AddEvents(e)
	})
}

// withHints fills in the passkeys that the browser is told of, and says whether the name has none. It reads and computes the same whatever
// the name.
func (s *Service) withHints(r Reads, b Begun, kind IdentifierKind, alone bool) (Begun, bool, error) {
	if b.Username == "" {
		return b, false, nil
	}
	all, err := s.passkeysFor(r, b.Tenant, kind, b.Name)
	if err != nil {
		return b, false, err
	}
	hints, missing := s.decoyKeys(b.Tenant, b.Name), true
	for _, p := range all {
		if p.Site != b.Site {
			continue
		}
		if missing {
			hints, missing = nil, false
		}
		hints = append(hints, KeyHint{p.ID, p.Transports})
	}
	if b.Purpose == CeremonyBind {
		if alone {
			b.Hints = hints
		}
		return b, missing, nil
	}
	b.Hints = hints
	for _, h := range hints {
		b.Allowed = append(b.Allowed, h.ID)
	}
	return b, missing, nil
}

// passkeysFor lists the passkeys of the user whom a name identifies or, when it identifies nobody, those that were made with it. A name
// that others typed never stands beside a user's own.
func (s *Service) passkeysFor(r Reads, t TenantID, kind IdentifierKind, name string) ([]Passkey, error) {
	account, err := r.AccountByIdentifier(t, kind, name, s.phantom(t, kind, name))
	if err != nil {
		return nil, err
	}
	own, err := r.PasskeysOf(t, account.User.ID)
	if err != nil {
		return nil, err
	}
	named, err := r.PasskeysNamed(t, name, maxPasskeys)
	if account.Found {
		return own, err
	}
	return named, err
}

// namedClient finds the client whom a public call names, and charges its address for the call.
//
// Errors: CodeClientNotFound, CodeThrottled, CodeMaintenance.
func (s *Service) namedClient(ctx context.Context, via Via, id ClientID) (Actor, Client, error) {
	by := Actor{Client: id, Via: via}
	err := s.lookup(ctx, func(d *directory) error {
		c := d.clients[id]
		if c == nil || !c.DisabledAt.IsZero() {
			return refuse(CodeClientNotFound)
		}
		by.Tenant = c.Tenant
		return d.open(c.Tenant)
	})
	if CodeOf(err) == CodeClientNotFound {
		if err := s.charge(Actor{Via: via}); err != nil {
			return Actor{}, Client{}, err
		}
	}
	if err != nil {
		return by, Client{}, err
	}
	if s.limitsAddress(by) {
		if err := s.throttles.starts.charge(addressKey{by.Tenant, network(by.Address)}, startLimits(), s.now()); err != nil {
			return by, Client{}, err
		}
	}
	return by, s.Client(by), nil
}

// passkeyName is what the name of a passkey is looked up by, and as which kind of identifier. It may be any text without controls: one that
// is no identifier identifies nobody.
//
// Error: CodeIdentifierInvalid.
func passkeyName(raw string) (IdentifierKind, string, error) {
	if raw == "" || !utf8.ValidString(raw) || utf8.RuneCountInString(raw) > maxUsername || strings.ContainsFunc(raw, unicode.IsControl) {
		return "", "", refuseField(CodeIdentifierInvalid, "username")
	}
	kind := ByUsername
	switch {
	case isE164(raw):
		kind = ByPhone
	case strings.Contains(raw, "@"):
		kind = ByEmail
	}
	if canonical, err := Canonical(kind, raw); err == nil {
		return kind, canonical, nil
	}
	return ByUsername, lowerASCII(norm.NFC.String(raw)), nil
}

// userHandle is what an authenticator keeps of the user with a passkey. It says nothing of who that is, and is the same for one name
// whether anybody has it or not; the same, so that an authenticator keeps one passkey for it.
func (s *Service) userHandle(t TenantID, name string) []byte {
	sum := s.mac.Derive("passkey handle", []byte(t), []byte(name))
	return sum[:]
}

// approvalChallenge is the challenge that binds what the user approves: whoever signs it signs that.
func approvalChallenge(nonce []byte, approval string) []byte {
	sum := sha256.Sum256(append(slices.Clone(nonce), approval...))
	return sum[:]
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// spend uses a ceremony up for the actor's result. One that is not there, another's or over is refused alike.
//
// Verdict: CodePasskeyInvalid.
func (s *Service) spend(tx Tx, by Actor, id CeremonyID, p CeremonyPurpose, now time.Time) (Ceremony, *Error, error) {
	c, err := tx.Ceremony(by.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return c, refuse(CodePasskeyInvalid), nil
	}
	if err != nil {
		return c, nil, err
	}
	if c.Client != by.Client || c.Purpose != p || !now.Before(c.ExpiresAt) {
		return c, refuse(CodePasskeyInvalid), nil
	}
	first, err := tx.UseCeremony(by.Tenant, id, now)
	if err != nil || !first {
		return c, refuse(CodePasskeyInvalid), err
	}
	return c, nil, nil
}
