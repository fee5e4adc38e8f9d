package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// AuthenticatorState is one of a user's ways to prove, as a client that manages users sees it (contract/cis §1.6).
type AuthenticatorState struct {
	ID        string
	Kind      AuthenticatorKind
	Name      string // the user's own, of an app, a key or a passkey
	Status    AuthenticatorStatus
	Locked    bool
	CreatedAt time.Time
	Subject   Subject
	Attempts  Attempts // of its kind: failures are counted over all of one kind, but for keys and passkeys, which have their own
}

// Kinds that no row is kept of: the password, and the primary e-mail address, which codes go to.
const (
	AuthenticatorPassword AuthenticatorKind = "password"
	AuthenticatorEmail    AuthenticatorKind = "email"
	AuthenticatorTOTP     AuthenticatorKind = "totp"    // has a row of its own, as TOTP
	AuthenticatorKey      AuthenticatorKind = "key"     // the same, as UserKey
	AuthenticatorPasskey  AuthenticatorKind = "passkey" // the same, as Passkey
)

// Unlocking says which locks are lifted.
type Unlocking string

const (
	UnlockAny       Unlocking = "any"
	UnlockManual    Unlocking = "manual"    // locks that a client set
	UnlockAutomatic Unlocking = "automatic" // locks that followed from failures
)

// heldUntil is the end of a lock that a client set: no clock comes to it.
func heldUntil() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// held reports whether a client set the lock.
func (a Attempts) held() bool { return a.LockedUntil.Equal(heldUntil()) }

// factor is under what the attempts with authenticators of a kind are counted.
func (k AuthenticatorKind) factor() AttemptFactor {
	switch k {
	case AuthenticatorSMS:
		return AttemptOTP
	case AuthenticatorEmail:
		return AttemptEmail
	case AuthenticatorDevice:
		return AttemptDevice
	case AuthenticatorTOTP:
		return AttemptTOTP
	case AuthenticatorKey:
		return AttemptKey
	case AuthenticatorPasskey:
		return AttemptPasskey
	}
	return AttemptPassword
}

// UserAuthenticators lists a user's ways to prove: the password, codes to the primary address and number, devices, an app and passkeys. Error:
// CodeUserNotFound.
func (s *Service) UserAuthenticators(ctx context.Context, by Actor, id UserID) (Account, []AuthenticatorState, error) {
	var a Account
	var all []AuthenticatorState
	err := s.store.View(ctx, func(r Reads) (err error) { a, all, err = s.states(r, by, id); return err })
	if err != nil {
		return a, nil, err
	}
	return a, all, s.current(ctx, by, a.Revision)
}

func (s *Service) states(r Reads, by Actor, id UserID) (Account, []AuthenticatorState, error) {
	a, err := r.AccountByUser(by.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return a, nil, refuse(CodeUserNotFound)
	}
	if err != nil {
		return a, nil, err
	}
	bound, err := r.Authenticators(by.Tenant, id)
	if err != nil {
		return a, nil, err
	}
	all := a.implied(bound)
	app, err := r.TOTP(by.Tenant, id)
	if err == nil {
		all = append(all, AuthenticatorState{
			ID: string(AuthenticatorTOTP), Kind: AuthenticatorTOTP, Status: AuthenticatorActive, CreatedAt: app.CreatedAt, Name: app.Label,
		})
	} else if !errors.Is(err, ErrNotFound) {
		return a, nil, err
	}
	keys, err := r.UserKeys(by.Tenant, id)
	if err != nil {
		return a, nil, err
	}
	for _, k := range keys {
		if k.Use == KeyBiometric {
			all = append(all, AuthenticatorState{
				ID: k.ID, Kind: AuthenticatorKey, Status: AuthenticatorActive, CreatedAt: k.CreatedAt, Name: k.Name, Subject: k.subject(),
			})
		}
	}
	passkeys, err := r.PasskeysOf(by.Tenant, id)
	if err != nil {
		return a, nil, err
	}
	for _, p := range passkeys {
		all = append(all, p.state())
	}
	now := s.now()
	for i := range all {
		st := &all[i]
		if st.Subject == "" {
			st.Subject = a.Subject
		}
		if st.Attempts, err = s.counter(by, st.Subject, st.Kind.factor()).read(r, now); err != nil {
			return a, nil, err
		}
		st.Locked = st.Attempts.locked(now)
	}
	return a, all, nil
}

func (p Passkey) state() AuthenticatorState {
	name := p.Label
	if name == "" {
		name = p.Username
	}
	return AuthenticatorState{
		ID: p.ID, Kind: AuthenticatorPasskey, Status: AuthenticatorActive, CreatedAt: p.CreatedAt, Name: name, Subject: PasskeySubject(p.ID),
	}
}

// implied lists the authenticators of an account, those that follow from what the user has first. Their ids are their kinds.
func (a Account) implied(bound []Authenticator) []AuthenticatorState {
	var all []AuthenticatorState
	add := func(has bool, kind AuthenticatorKind, at time.Time) {
		if has {
			all = append(all, AuthenticatorState{ID: string(kind), Kind: kind, Status: AuthenticatorActive, CreatedAt: at})
		}
	}
	add(a.Password.Hash != "", AuthenticatorPassword, a.Password.SetAt)
	add(a.User.Email != "", AuthenticatorEmail, a.User.CreatedAt)
	add(a.User.Phone != "", AuthenticatorSMS, a.User.CreatedAt)
	for _, b := range bound {
		if b.Kind == AuthenticatorDevice {
			all = append(all, AuthenticatorState{ID: b.ID, Kind: b.Kind, Status: b.Status, CreatedAt: b.CreatedAt})
		}
	}
	return all
}

// LockAuthenticator locks what the user proves with an authenticator until a client unlocks it (contract/cis §1.6). All of one kind are locked
// together, but for passkeys.
//
// Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) LockAuthenticator(ctx context.Context, by Actor, id UserID, authenticator string) error {
	match := func(st AuthenticatorState) bool { return st.ID == authenticator }
	return s.shiftLock(ctx, by, id, match, func(tx Tx, a Account, st AuthenticatorState, now time.Time) (Attempts, EventKind, error) {
		next := st.Attempts
		if next.held() {
			return next, "", nil
		}
		next.LockedUntil = heldUntil()
		if st.Kind != AuthenticatorPassword {
			return next, EventLocked, nil
		}
		return next, EventLocked, s.cancelFlows(tx, by.Tenant, a.Subject, now)
	})
}

// UnlockAuthenticator lifts the lock of an authenticator's kind.
//
// Errors: those of LockAuthenticator.
func (s *Service) UnlockAuthenticator(ctx context.Context, by Actor, id UserID, authenticator string) error {
	return s.shiftLock(ctx, by, id, func(st AuthenticatorState) bool { return st.ID == authenticator }, unlock(UnlockAny))
}

// UnlockKind lifts the locks of a kind that are asked for.
//
// Errors: those of LockAuthenticator.
func (s *Service) UnlockKind(ctx context.Context, by Actor, id UserID, kind AuthenticatorKind, which Unlocking) error {
	return s.UnlockKinds(ctx, by, id, []AuthenticatorKind{kind}, which)
}

// UnlockKinds is UnlockKind for what a contract takes for one kind.
func (s *Service) UnlockKinds(ctx context.Context, by Actor, id UserID, kinds []AuthenticatorKind, which Unlocking) error {
	return s.shiftLock(ctx, by, id, func(st AuthenticatorState) bool { return slices.Contains(kinds, st.Kind) }, unlock(which))
}

// lockShift returns the counter that follows, and what happened: nothing if empty.
type lockShift = func(tx Tx, a Account, st AuthenticatorState, now time.Time) (Attempts, EventKind, error)

func unlock(which Unlocking) lockShift {
	return func(_ Tx, _ Account, st AuthenticatorState, _ time.Time) (Attempts, EventKind, error) {
		next := st.Attempts
		if st.Kind == AuthenticatorTOTP && !next.held() { // the lock that follows from failures is UnlockTOTP's
			return next, "", nil
		}
		if !st.Locked || which == UnlockManual && !next.held() || which == UnlockAutomatic && next.held() {
			return next, "", nil
		}
		next.Failures, next.LockedUntil = 0, time.Time{}
		return next, EventUnlocked, nil
	}
}

func (s *Service) shiftLock(ctx context.Context, by Actor, id UserID, is func(AuthenticatorState) bool, shift lockShift) error {
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		var done struct{}
		a, all, err := s.states(tx, by, id)
		if err != nil {
			return done, nil, err
		}
		all = slices.DeleteFunc(all, func(st AuthenticatorState) bool { return !is(st) })
		if len(all) == 0 {
			return done, refuse(CodeNotFound), nil
		}
		shifted := make(map[string]bool) // those of one kind are locked together
		for _, st := range all {
			counter := string(st.Subject) + " " + string(st.Kind.factor())
			if shifted[counter] {
				continue
			}
			shifted[counter] = true
			if err := s.shiftOne(tx, by, a, st, shift, now); err != nil {
				return done, nil, err
			}
		}
		return done, nil, nil
	})
	return err
}

func (s *Service) shiftOne(tx Tx, by Actor, a Account, st AuthenticatorState, shift lockShift, now time.Time) error {
	next, kind, err := shift(tx, a, st, now)
	if err != nil || kind == "" {
		return err
	}
	factor := st.Kind.factor()
	next.Version++
	next = next.kept(s.rules(by).lock(factor))
	if done, err := tx.PutAttempts(by.Tenant, st.Subject, factor, next, next.Version-1); err != nil || !done {
		return errors.Join(err, raced(done))
	}
	e := s.event(by, kind, now)
	e.User, e.Reason, e.Note = a.User.ID, string(factor), "by a client"
	return tx.AddEvents(e)
}
