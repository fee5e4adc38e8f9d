package auth

import (
	"context"
	"errors"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/seal"
)

// PasswordUpdate is the answer to a user's own change of password.
type PasswordUpdate struct {
	Login
	ExpiresAt time.Time // of the new password; zero: never
}

// UpdatePassword replaces a user's password on proof of the old one, and is counted like a login. In one transaction it ends every
// other session, token and refresh family of the user, uses up a temporary token, and opens a new session.
//
// Errors: those of Authenticate and of an attempt, CodeStepUpRequired for a reset token of an application that asks for two factors, with CodePasswordIncorrect for a wrong old password; CodePasswordTooShort,
// CodePasswordTooLong, CodePasswordTooSimple, CodePasswordUsed.
func (s *Service) UpdatePassword(ctx context.Context, by Actor, bearer string, old, new seal.Secret) (PasswordUpdate, error) {
	if err := errors.Join(tooLong("oldPassword", old), tooLong("newPassword", new)); err != nil {
		return PasswordUpdate{}, err
	}
	b, err := s.Authenticate(ctx, by, bearer, TokenAccess, TokenTemporary)
	if err != nil {
		return PasswordUpdate{}, err
	}
	if of := s.rules(Actor{Tenant: by.Tenant, Client: b.Session.Client}); b.Session.Surface == SurfaceReset && !of.enough(b.Session.Methods) {
		return PasswordUpdate{}, refuse(CodeStepUpRequired)
	}
	policy := s.rules(by).passwordPolicy()
	if err := policy.check(new, b.User); err != nil {
		return PasswordUpdate{}, s.refuseChange(ctx, by, b.User.ID, err)
	}
	a, err := s.proveOld(ctx, by, b.User.ID, old)
	if err != nil {
		return PasswordUpdate{}, err
	}
	defer a.visit.Leave()
	next, err := s.replacement(ctx, a, new, policy, false)
	if err != nil {
		o := succeeded
		if ours(err) {
			o = withdrawn // a fault of ours forgets nobody's failures
		}
		if unsettled := s.settle(ctx, a, o, nil); unsettled != nil && !ours(err) { // the refusal tells that the old one is right
			return PasswordUpdate{}, unsettled
		}
		return PasswordUpdate{}, s.refuseChange(ctx, by, b.User.ID, err)
	}
	return s.swapOwn(ctx, a, b, next)
}

// proveOld is an attempt at the password of a user who is already known.
func (s *Service) proveOld(ctx context.Context, by Actor, id UserID, old seal.Secret) (*attempt, error) {
	visit, err := s.chargedVisit(ctx, by)
	if err != nil {
		return nil, err
	}
	a := &attempt{by: by, factor: AttemptPassword, visit: visit}
	defer a.leave()
	err = s.store.View(ctx, func(r Reads) (err error) { a.account, err = r.AccountByUser(by.Tenant, id); return err })
	if err != nil {
		return nil, err
	}
	err = s.prove(ctx, a, old)
	if code := CodeOf(err); code == CodeWrongPassword || code == CodeNoPassword {
		err = refuse(CodePasswordIncorrect)
	}
	return a, err
}

// replacement makes the password that follows the account's present one, unless it is one of the last ones.
func (s *Service) replacement(ctx context.Context, a *attempt, new seal.Secret, policy PasswordPolicy, temporary bool) (Password, error) {
	visit := a.visit
	if visit == nil {
		var err error
		if visit, err = s.enter(ctx); err != nil {
			return Password{}, err
		}
		defer visit.Leave()
	}
	present := a.account.Password
	former := []string{present.Hash}
	if policy.History > 1 {
		err := s.store.View(ctx, func(r Reads) error {
			older, err := r.PasswordHistory(a.by.Tenant, a.account.User.ID, policy.History-1)
			former = append(former, older...)
			return err
		})
		if err != nil {
			return Password{}, err
		}
	}
	for _, hash := range former[:min(len(former), policy.History)] {
		same, err := visit.Verify(ctx, hash, normalised(new))
		if err != nil {
			return Password{}, err
		}
		if same {
			return Password{}, refuse(CodePasswordUsed)
		}
	}
	next, err := newHash(ctx, visit, new)
	if err != nil {
		return Password{}, err
	}
	now := s.now()
	next.Tenant, next.User, next.Version = present.Tenant, present.User, present.Version+1
	next.SetAt, next.Temporary = now, temporary
	next.ExpiresAt = s.settings(present.Tenant).Password.expiry(now, temporary) // an application's own policy counts when it is used
	return next, nil
}

// overloaded gives a full gate its code.
func overloaded(err error) error {
	var busy *passhash.BusyError
	if errors.As(err, &busy) {
		return &Error{Code: CodeOverloaded, RetryAfter: busy.RetryAfter, Cause: err}
	}
	return err
}

// swapOwn writes a user's own change and opens the session that goes on.
func (s *Service) swapOwn(ctx context.Context, a *attempt, b Bearer, next Password) (PasswordUpdate, error) {
	now, u := next.SetAt, a.account.User
	u.Epoch++
	session := s.newSession(a.by, u, SurfaceMulti, MethodPassword, now)
	login, token := s.firstToken(session, a.account.Memberships, now)
	changed := s.event(a.by, EventPasswordChanged, now)
	changed.User, changed.Session, changed.Reason = u.ID, b.Session.ID, string(b.Token.Kind)
	issued := s.event(a.by, EventTokenIssued, now)
	issued.User, issued.Session, issued.Reason = u.ID, session.ID, string(login.Kind)
	err := s.settle(ctx, a, succeeded, func(w Writes) error {
		if b.Token.Kind == TokenTemporary {
			if first, err := w.UseToken(b.Token.Hash, now); err != nil || !first {
				return orRefuse(err, CodeInvalidToken)
			}
		}
		if swapped, err := w.SwapPassword(next, a.account.Password.Version, true, true); err != nil || !swapped {
			return orRefuse(err, CodePasswordIncorrect) // somebody else changed it first
		}
		if err := s.passwordChanged(w, a.by, u, now); err != nil {
			return err
		}
		if err := w.AddSession(session); err != nil {
			return err
		}
		return w.AddToken(token)
	}, changed, issued)
	return PasswordUpdate{Login: login, ExpiresAt: next.ExpiresAt}, err
}

func orRefuse(err error, c Code) error {
	if err != nil {
		return err
	}
	return refuse(c)
}

// gone gives the error of a verb that does not find a user, who was read before and has been deleted since, the caller's code.
func gone(err error, c Code) error {
	if errors.Is(err, ErrNotFound) {
		return refuse(c)
	}
	return err
}

// refuseChange writes the event of a change that was not made and returns why.
func (s *Service) refuseChange(ctx context.Context, by Actor, id UserID, why error) error {
	if ours(why) {
		return why
	}
	e := s.event(by, EventPasswordRefused, s.now())
	e.User, e.Reason = id, CodeOf(why).String()
	if err := s.store.Write(ctx, func(w Writes) error { return w.AddEvents(e) }); err != nil {
		return err
	}
	return why
}

// NewPassword is a password that a client sets for a user.
type NewPassword struct {
	Value     seal.Secret
	Temporary bool   // the user has to replace it at the first login
	Unchecked bool   // the policy is not applied (contract/cis §1.2, enforce_complexity: false)
	Username  string // AddPassword: gives the user this username too; empty: none
}

// AddPassword gives a user without a password one.
//
// Errors: CodeUserNotFound, CodePasswordExists, CodeUserExists for a username that is taken or a user who has another, CodeIdentifierInvalid,
// CodeInputTooLong, CodeNoPasswordPolicy, the policy's, CodeOverloaded.
func (s *Service) AddPassword(ctx context.Context, by Actor, id UserID, in NewPassword) error {
	return s.addPassword(ctx, by, id, in, func(Tx) error { return nil })
}

// addPassword is AddPassword with what else the transaction has to see to, which may refuse.
func (s *Service) addPassword(ctx context.Context, by Actor, id UserID, in NewPassword, also func(Tx) error) error {
	a, err := s.accountFor(ctx, by, id, in)
	if err != nil {
		return err
	}
	if a.account.Password.Hash != "" {
		return s.refuseChange(ctx, by, id, refuse(CodePasswordExists))
	}
	p, err := s.firstPassword(ctx, a.account.User, in)
	if err != nil {
		return s.refuseChange(ctx, by, id, err)
	}
	e := s.event(by, EventPasswordAdded, p.SetAt)
	e.User = id
	name, err := usernameFor(a.account.User, in.Username)
	if err != nil {
		return s.refuseChange(ctx, by, id, err)
	}
	err = s.update(ctx, by, func(tx Tx) error {
		if err := also(tx); err != nil {
			return err
		}
		if name != nil {
			named, err := tx.NameUser(by.Tenant, id, in.Username, *name, p.SetAt)
			if errors.Is(err, ErrExists) || (err == nil && !named) {
				return refuse(CodeUserExists)
			}
			if err != nil {
				return gone(err, CodeUserNotFound)
			}
		}
		if err := tx.AddPassword(p); errors.Is(err, ErrExists) {
			return refuse(CodePasswordExists)
		} else if err != nil {
			return gone(err, CodeUserNotFound)
		}
		return tx.AddEvents(e)
	})
	if err != nil && !ours(err) {
		return s.refuseChange(ctx, by, id, err)
	}
	return err
}

// usernameFor returns the identifier of a username that a user is to get; nil when none is asked for or they have it.
func usernameFor(u User, username string) (*Identifier, error) {
	if username == "" || username == u.Username {
		return nil, nil
	}
	u.Username = username
	ids, err := identifiersOf(u)
	if err != nil {
		return nil, err
	}
	return &ids[len(ids)-1], nil
}

// ReplacePassword sets another password for a user who has one, and ends all of their sessions. A lock stays: it is not the client that
// was locked out.
//
// Errors: CodeUserNotFound, CodePasswordMissing, CodePasswordUsed, CodeInputTooLong, CodeNoPasswordPolicy, the policy's, CodeOverloaded.
func (s *Service) ReplacePassword(ctx context.Context, by Actor, id UserID, in NewPassword) error {
	a, err := s.accountFor(ctx, by, id, in)
	if err != nil {
		return err
	}
	if a.account.Password.Hash == "" {
		return s.refuseChange(ctx, by, id, refuse(CodePasswordMissing))
	}
	next, err := s.replacement(ctx, a, in.Value, s.rules(by).passwordPolicy(), in.Temporary)
	if err != nil {
		return s.refuseChange(ctx, by, id, err)
	}
	e := s.event(by, EventPasswordChanged, next.SetAt)
	e.User, e.Note = id, "replaced by the client"
	return s.update(ctx, by, func(tx Tx) error {
		fresh, err := tx.AccountByUser(by.Tenant, id)
		if err != nil {
			return gone(err, CodeUserNotFound)
		}
		next.Version = fresh.Password.Version + 1
		if swapped, err := tx.SwapPassword(next, fresh.Password.Version, true, true); err != nil || !swapped {
			return orRefuse(err, CodePasswordMissing)
		}
		if err := s.passwordChanged(tx, by, fresh.User, next.SetAt); err != nil {
			return err
		}
		return tx.AddEvents(e)
	})
}

// accountFor reads the user that a client manages and checks the new password against the policy.
func (s *Service) accountFor(ctx context.Context, by Actor, id UserID, in NewPassword) (*attempt, error) {
	if err := tooLong("password", in.Value); err != nil {
		return nil, err
	}
	account, err := s.account(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if err := s.takes(by, in, account.User); err != nil {
		return nil, s.refuseChange(ctx, by, id, err)
	}
	return &attempt{by: by, factor: AttemptPassword, account: account}, nil
}

// takes reports whether the caller's policy lets a client set a password.
//
// Errors: CodeNoPasswordPolicy where the application has no passwords; the policy's.
func (s *Service) takes(by Actor, in NewPassword, u User) error {
	rules := s.rules(by)
	if rules.passwords() != nil {
		return refuse(CodeNoPasswordPolicy)
	}
	if in.Unchecked {
		return nil
	}
	return rules.passwordPolicy().check(in.Value, u)
}

// firstPassword hashes the password of a user who has none.
func (s *Service) firstPassword(ctx context.Context, u User, in NewPassword) (Password, error) {
	p, err := newHash(ctx, s.hasher, in.Value)
	if err != nil {
		return Password{}, err
	}
	now := s.now()
	p.Tenant, p.User, p.Version, p.SetAt, p.Temporary = u.Tenant, u.ID, 1, now, in.Temporary
	p.ExpiresAt = s.settings(u.Tenant).Password.expiry(now, in.Temporary)
	return p, nil
}
