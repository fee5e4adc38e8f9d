package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"countersign/internal/seal"
)

const (
	totpPeriod = 30 // seconds of a time step, where nothing is said (RFC 6238 §5.2)
	totpDrift  = 1  // steps that a clock may be off, either way, where nothing is said
	totpSecret = 20 // bytes (RFC 4226 §4, R6)
)

// library is the algorithm's name in the library.
func (a TOTPAlgorithm) library() (otp.Algorithm, error) {
	switch a {
	case TOTPSHA1:
		return otp.AlgorithmSHA1, nil
	case TOTPSHA256:
		return otp.AlgorithmSHA256, nil
	case TOTPSHA512:
		return otp.AlgorithmSHA512, nil
	}
	return 0, fmt.Errorf("unknown algorithm of codes: %q", string(a))
}

// TOTP is an app of a user's that shows codes by time (RFC 6238), of the kind that it was registered for. A user has at most one.
type TOTP struct {
	Tenant    TenantID
	User      UserID
	Version   int64 // of the row, from 1
	Label     string
	Sealed    []byte // the secret, in base32
	Step      int64  // of the latest code that was accepted: no code of it or of an earlier one is good any more
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
	Algorithm TOTPAlgorithm
	Digits    int
	Period    time.Duration // of a time step; whole seconds
}

// TOTPKey is what an app needs to show the codes. It is told once.
type TOTPKey struct {
	Secret string // base32
	URI    string // otpauth://, to be shown as a QR code
}

// TOTPLogin is what a client sends for a user who authenticates by a code of their app.
type TOTPLogin struct {
	Kind       IdentifierKind
	Identifier string
	Code       string
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

func (a TOTP) place() string { return "totps/" + string(a.Tenant) + "/" + string(a.User) }

// RegisterTOTP gives the user of a session an authenticator of codes by time (contract/cis §1.12). It is good from now on, whether its
// codes have been used or not. replace allows that there is one already, whose codes are good no longer.
//
// Errors: CodeChannelUnsupported where the application has no such codes, CodeChannelBound, CodeStepUpRequired, CodeLocked.
func (s *Service) RegisterTOTP(ctx context.Context, by Actor, live LiveSession, label string, replace bool) (TOTPKey, error) {
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (TOTPKey, *Error, error) {
		if err := s.rules(by).totps(); err != nil {
			return TOTPKey{}, nil, err
		}
		account, had, no, err := s.ownTOTP(tx, live)
		if err != nil {
			return TOTPKey{}, nil, err
		}
		owns := had.Version > 0
		if owns && !replace {
			no = refuse(CodeChannelBound)
		}
		if no != nil {
			return TOTPKey{}, no, tx.AddEvents(s.factorEvent(by, EventBindingRefused, live, no.Code.String(), now))
		}
		a := TOTP{Tenant: by.Tenant, User: account.User.ID, Version: had.Version + 1, Label: label, CreatedAt: now}
		key, err := s.newTOTPKey(by, account.User, &a)
		if err != nil {
			return TOTPKey{}, nil, err
		}
		if done, err := tx.PutTOTP(a, had.Version); err != nil || !done {
			return TOTPKey{}, nil, errors.Join(err, raced(done))
		}
		if owns {
			if err := s.weaken(tx, account.User, now); err != nil {
				return TOTPKey{}, nil, err
			}
		}
		if err := s.notice(tx, account.User, TemplateBound, ChannelTOTP, now); err != nil {
			return TOTPKey{}, nil, err
		}
		return key, nil, tx.AddEvents(s.factorEvent(by, EventBound, live, "", now))
	})
}

// ownTOTP reads a session's user who is about to change their authenticator of codes, and says why they may not. It is zero when there is
// none.
func (s *Service) ownTOTP(tx Tx, live LiveSession) (Account, TOTP, *Error, error) {
	account, err := tx.AccountByUser(live.User.Tenant, live.User.ID)
	if err != nil {
		return account, TOTP{}, nil, err
	}
	had, err := totpOf(tx, account.User)
	if err != nil {
		return account, had, nil, err
	}
	no, err := s.mayRefactor(tx, live, account, had.Version > 0)
	return account, had, no, err
}

// newDecoyTOTP makes the app whose codes are computed for whoever has none. No code of it is good.
func newDecoyTOTP(ring *seal.Ring) (TOTP, error) {
	m := DefaultTOTPMethod()
	a := TOTP{User: "decoy", Algorithm: m.Algorithm, Digits: m.Digits, Period: m.Period}
	secret := make([]byte, totpSecret)
	rand.Read(secret) // it does not fail
	var err error
	a.Sealed, err = ring.Seal(a.place(), []byte(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)))
	return a, err
}

func totpOf(r Reads, u User) (TOTP, error) {
	a, err := r.TOTP(u.Tenant, u.ID)
	if errors.Is(err, ErrNotFound) {
		return TOTP{}, nil
	}
	return a, err
}

// newTOTPKey makes a secret, seals it in a, and returns what the app needs. The account that the app shows is the label, or else how the
// user is named.
func (s *Service) newTOTPKey(by Actor, u User, a *TOTP) (TOTPKey, error) {
	client, err := s.clientOf(by)
	if err != nil {
		return TOTPKey{}, err
	}
	rules := s.rules(by).totp()
	a.Algorithm, a.Digits, a.Period = rules.Algorithm, rules.Digits, rules.Period
	algorithm, err := a.Algorithm.library()
	if err != nil {
		return TOTPKey{}, err
	}
	issuer, name := cmp.Or(rules.Issuer, client.AppName, string(client.ID)), a.Label
	for _, next := range []string{u.Email, u.Username, u.Phone, string(u.ID)} {
		if name == "" {
			name = next
		}
	}
	// A colon separates the two in the URI, and some apps take the escaped one for it, too.
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: strings.ReplaceAll(issuer, ":", " "), AccountName: strings.ReplaceAll(name, ":", " "), SecretSize: totpSecret,
		Period: uint(a.Period / time.Second), Digits: otp.Digits(a.Digits), Algorithm: algorithm,
	})
	if err != nil {
		return TOTPKey{}, err
	}
	a.Sealed, err = s.ring.Seal(a.place(), []byte(key.Secret()))
	return TOTPKey{Secret: key.Secret(), URI: key.URL()}, err
}

// AuthenticateTOTP authenticates a user for a client of /cis by a code of their app (contract/cis §1.12). A code is accepted once, on
// whatever node, and none that is older than it afterwards. Wrong codes are counted for the user, over all clients and sessions.
//
// Errors: CodeIdentifierInvalid, CodeThrottled, CodeChannelUnsupported; CodeWrongOTP, which does not tell whether there is such a user, whether they have an app
// or whether they are suspended; CodeLocked; those of admitClient.
func (s *Service) AuthenticateTOTP(ctx context.Context, by Actor, in TOTPLogin) (TokenSet, error) {
	return s.authenticateTOTP(ctx, by, in, func(tx Tx, account Account, now time.Time) (TOTP, string, *Error, error) {
		a, why, err := s.acceptTOTP(tx, by, account, in.Code, now)
		return a, "", why, err
	})
}

// acceptance judges a code, and returns the user's authenticator with what it spent of it and what the user approved; or why the code is
// not accepted, for the event alone.
type acceptance = func(tx Tx, account Account, now time.Time) (TOTP, string, *Error, error)

func (s *Service) authenticateTOTP(ctx context.Context, by Actor, in TOTPLogin, accept acceptance) (TokenSet, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return TokenSet{}, err
	}
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	if _, err := client.audience(in.Resource); err != nil {
		return TokenSet{}, err
	}
	if err := s.charge(by); err != nil {
		return TokenSet{}, err
	}
	now := s.now()
	set, err := decide(ctx, s, by, func(tx Tx) (TokenSet, *Error, error) {
		if err := s.rules(by).totps(); err != nil {
			return TokenSet{}, nil, err
		}
		account, err := tx.AccountByIdentifier(by.Tenant, in.Kind, canonical, s.phantom(by.Tenant, in.Kind, canonical))
		if err != nil {
			return TokenSet{}, nil, err
		}
		approval, no, err := s.proveTOTP(tx, by, account, accept, now)
		if err != nil || no != nil {
			return TokenSet{}, no, err
		}
		grant := in.BackendGrant
		grant.approval = approval
		return s.admitClient(tx, by, client, account, MethodTOTP, grant, in.Session, now)
	})
	if err == nil {
		s.refund(by)
	}
	return set, err
}

// proveTOTP judges a code and writes the outcome: its time step spent, or one failure more.
//
// Verdicts: CodeLocked, CodeWrongOTP.
func (s *Service) proveTOTP(tx Tx, by Actor, account Account, accept acceptance, now time.Time) (string, *Error, error) {
	p := proof{subject: account.Subject, factor: AttemptTOTP, refused: s.event(by, EventLoginRefused, now), as: CodeWrongOTP}
	p.refused.User, p.refused.Note = account.User.ID, string(AttemptTOTP)
	var a TOTP
	var approval string
	no, err := s.judged(tx, by, p, now, func() (why, err error) {
		var no *Error
		a, approval, no, err = accept(tx, account, now)
		return orNone(no), err
	})
	if err != nil || no != nil {
		return "", no, err
	}
	a.Version++
	done, err := tx.PutTOTP(a, a.Version-1)
	return approval, nil, errors.Join(err, raced(done))
}

// acceptTOTP returns the user's authenticator with the code's time step spent; or why the code is not accepted, for the event alone.
func (s *Service) acceptTOTP(r Reads, by Actor, account Account, code string, now time.Time) (TOTP, *Error, error) {
	a, err := totpOf(r, account.User) // of nobody, too: whoever has none costs what others do
	if err != nil {
		return a, nil, err
	}
	tried := a
	if a.Version == 0 {
		tried = s.decoyTOTP
	}
	secret, err := s.ring.Open(tried.place(), tried.Sealed)
	if err != nil {
		return a, nil, err
	}
	step, err := tried.stepOf(string(secret), code, s.rules(by).totp().Window, now)
	switch {
	case err != nil:
		return a, nil, err
	case !account.Found:
		return a, refuse(CodeUnknownUser), nil
	case a.Version == 0:
		return a, refuse(CodeChannelUnbound), nil
	case step <= a.Step:
		return a, refuse(CodeWrongOTP), nil
	case account.User.Status == UserSuspended:
		return a, refuse(CodeSuspended), nil
	}
	a.Step, a.UsedAt = step, now
	return a, nil, nil
}

// stepOf returns the time step that a code is of, of those so many steps around now; 0 when it is of none. The code must have its exact
// form, since what the library takes for equal would be counted as two (B-14).
func (a TOTP) stepOf(secret, code string, drift int, now time.Time) (int64, error) {
	algorithm, err := a.Algorithm.library()
	if err != nil {
		return 0, err
	}
	var found int64
	present := now.Unix() / int64(a.Period/time.Second)
	for step := present - int64(drift); step <= present+int64(drift); step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.Digits(a.Digits), Algorithm: algorithm})
		if err != nil {
			return 0, err
		}
		if isCode(code) && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found, nil
}

// RevokeTOTP takes the authenticator of codes from the user of a session.
//
// Errors: CodeChannelUnbound, CodeStepUpRequired, CodeLocked.
func (s *Service) RevokeTOTP(ctx context.Context, by Actor, live LiveSession) error {
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		account, had, no, err := s.ownTOTP(tx, live)
		if err == nil && no == nil && had.Version == 0 {
			no = refuse(CodeChannelUnbound)
		}
		switch {
		case err != nil:
			return struct{}{}, nil, err
		case no != nil:
			return struct{}{}, no, tx.AddEvents(s.factorEvent(by, EventBindingRefused, live, no.Code.String(), s.now()))
		}
		return struct{}{}, nil, s.dropTOTP(tx, by, account, live)
	})
	return err
}

// RevokeTOTPOf takes the authenticator of codes from a user; a client's, for a user who has lost it.
//
// Errors: CodeUserNotFound, CodeChannelUnbound.
func (s *Service) RevokeTOTPOf(ctx context.Context, by Actor, id UserID) error {
	return s.administerTOTP(ctx, by, id, func(tx Tx, account Account) error {
		return s.dropTOTP(tx, by, account, LiveSession{User: account.User})
	})
}

// UnlockTOTP lifts the lock of a user's codes and clears their failures; a client's.
//
// Errors: CodeUserNotFound, CodeChannelUnbound.
func (s *Service) UnlockTOTP(ctx context.Context, by Actor, id UserID) error {
	now := s.now()
	return s.administerTOTP(ctx, by, id, func(tx Tx, account Account) error {
		before, err := tx.Attempts(by.Tenant, account.Subject, AttemptTOTP)
		if err != nil || before.Version == 0 {
			return err
		}
		cleared := Attempts{Version: before.Version + 1, SucceededAt: before.SucceededAt}
		if _, err := tx.PutAttempts(by.Tenant, account.Subject, AttemptTOTP, cleared, before.Version); err != nil {
			return err
		}
		return tx.AddEvents(s.factorEvent(by, EventUnlocked, LiveSession{User: account.User}, "", now))
	})
}

// administerTOTP changes something about the authenticator of a user who has one.
func (s *Service) administerTOTP(ctx context.Context, by Actor, id UserID, change func(Tx, Account) error) error {
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		account, err := tx.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return struct{}{}, refuse(CodeUserNotFound), nil
		}
		if err != nil {
			return struct{}{}, nil, err
		}
		had, err := totpOf(tx, account.User)
		if err == nil && had.Version == 0 {
			return struct{}{}, refuse(CodeChannelUnbound), nil
		}
		if err != nil {
			return struct{}{}, nil, err
		}
		return struct{}{}, nil, change(tx, account)
	})
	return err
}

func (s *Service) dropTOTP(tx Tx, by Actor, account Account, live LiveSession) error {
	now := s.now()
	if _, err := tx.DropTOTP(by.Tenant, account.User.ID); err != nil {
		return err
	}
	if err := s.weaken(tx, account.User, now); err != nil {
		return err
	}
	if err := s.notice(tx, account.User, TemplateUnbound, ChannelTOTP, now); err != nil {
		return err
	}
	return tx.AddEvents(s.factorEvent(by, EventInvalidated, live, "", now))
}

// factorEvent is an event about a user's authenticator of codes.
func (s *Service) factorEvent(by Actor, kind EventKind, live LiveSession, reason string, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Session, e.Reason, e.Note = live.User.ID, live.Session.ID, reason, string(AttemptTOTP)
	return e
}
