package auth

import (
	"context"
	"encoding/base32"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/seal"
)

// What tests of the rules need to see and no caller does.

type Outcome = outcome

const (
	Succeeded = succeeded
	Failed    = failed
	Withdrawn = withdrawn

	PendingLimit     = pendingLimit
	MaxPasswordBytes = maxPasswordBytes
	MaxThrottled     = maxThrottled
	LongestToken     = longestToken

	PurposeBearer  = sealBearer
	PurposeRefresh = sealRefresh
)

func (a Attempts) Locked(now time.Time) bool { return a.locked(now) }

func (a Attempts) Reserve(now time.Time, p LockPolicy) (Attempts, Code, bool) {
	return a.reserve(now, locking{LockPolicy: p})
}

func (a Attempts) Settle(o Outcome, now time.Time, p LockPolicy) Attempts {
	return a.settle(o, now, locking{LockPolicy: p})
}

func (s UserStatus) Next(e UserEvent) (UserStatus, bool) { return s.next(e) }

func (s ChallengeStatus) Next(e ChallengeEvent) (ChallengeStatus, bool) { return s.next(e) }

func (s LinkStatus) Next(e LinkEvent) (LinkStatus, bool) { return s.next(e) }

func (s *Service) NewCode(t TenantID) string { return s.newCode(t, otpDigits) }

func (l LiveSession) Alive(now time.Time) bool { return l.alive(now) }

func (s Session) AMR() []string { return s.amr() }

func (p PasswordPolicy) Check(password string, u User) error {
	return p.check(seal.NewSecret(password), u)
}

func (p Password) DueFor(end, now time.Time) (Code, bool) { return p.dueFor(end, now) }

func IdentifiersOf(u User) ([]Identifier, error) { return identifiersOf(u) }

func IsCountry(code string) bool { return isCountry(code) }

func (p PhoneNumber) E164() (string, error) {
	text, no := p.e164()
	if no != nil {
		return "", no
	}
	return text, nil
}

func Requestable(names []string) []string { return requestable(named(names)) }

func Named(names ...string) []ClaimRequest { return named(names) }

func (s *Service) NewToken(purpose string) (string, TokenHash) { return s.newToken(purpose) }

func (s *Service) OpenToken(purpose, text string) bool {
	_, ok := s.openToken(purpose, text)
	return ok
}

type Throttle struct {
	throttle[addressKey]
	limits []Limit
}

func NewThrottle(limits ...Limit) *Throttle { return &Throttle{limits: limits} }

func (t *Throttle) Charge(id TenantID, a netip.Addr, now time.Time) error {
	return t.charge(addressKey{id, network(a)}, t.limits, now)
}

func (t *Throttle) Refund(id TenantID, a netip.Addr, now time.Time) {
	t.refund(addressKey{id, network(a)}, t.limits, now)
}

func (t *Throttle) Limit(limits ...Limit) { t.limits = limits }

func (t *Throttle) Len() int { return len(t.seen) }

// AdmitClient lets a user in who proved themselves by a method, as a call of /cis does.
func (s *Service) AdmitClient(ctx context.Context, by Actor, id UserID, m Method, g BackendGrant, join SessionID) (TokenSet, error) {
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	return decide(ctx, s, by, func(tx Tx) (TokenSet, *Error, error) {
		account, err := tx.AccountByUser(by.Tenant, id)
		if err != nil {
			return TokenSet{}, nil, err
		}
		return s.admitClient(tx, by, client, account, m, g, join, s.now())
	})
}

func (s *Service) Forget() { s.throttles.forget() }

type (
	Turnstile = turnstile
	Passage   = passage
)

var (
	NewTurnstile     = newTurnstile
	TurnstileEnter   = (*turnstile).enter
	TurnstileLeave   = (*turnstile).leave
	TurnstileSettled = (*turnstile).settled
	PassageWait      = (*passage).wait
)

func TurnstileLen(t *Turnstile) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.keys)
}

func (l DynamicLink) Line() string { return l.line() }

var (
	LinkText   = linkText
	LinkDigest = linkDigest
	Money      = money
)

// StepOf returns the time step that a code of an app is of.
func StepOf(secret, code string, now time.Time) (int64, error) {
	m := DefaultTOTPMethod()
	return TOTP{Algorithm: m.Algorithm, Digits: m.Digits, Period: m.Period}.stepOf(secret, code, m.Window, now)
}

// OCRA is the code of a challenge.
var OCRA = ocra

// TransactionCode is what an app makes of a challenge at a time.
func TransactionCode(t testing.TB, secret, challenge string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	code, err := ocra(key, transactionSuite, challenge, uint64(at.Unix()/totpPeriod))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// LockLimit is the number of failures that locks next after n.
func LockLimit(p LockPolicy, n int) int { return p.limit(n) }

// Oracle finds by looking at everybody: the ids in the order of the page, and how many spans would have narrowed it.
func (in UserSearch) Oracle(t testing.TB, all []Account) (ids []UserID, spans int) {
	t.Helper()
	var f UserFilter
	if in.Filter != "" {
		var err error
		if f, err = ParseUserFilter(in.Filter); err != nil {
			t.Fatalf("%s: %v", in.Filter, err)
		}
	}
	some, _ := in.spans(f)
	for _, a := range slices.SortedFunc(slices.Values(all), in.Page.compare) {
		if f.match(a, nil) && (strings.HasPrefix(lowerASCII(a.User.Email), lowerASCII(in.Prefix)) || strings.HasPrefix(a.User.Phone, in.Prefix)) {
			ids = append(ids, a.User.ID)
		}
	}
	return ids, len(some)
}

// ParsePublicKey is the key of a phone in SubjectPublicKeyInfo.
func ParsePublicKey(text string) (typ KeyType, der []byte, err error) {
	key, no := parsePublicKey(text)
	return key.typ, key.der, orNone(no)
}
