package auth

import (
	"context"
	"errors"

	"countersign/internal/seal"
)

// CreatePassword gives a user of /multi their first password and opens a session for them (contract/multi §2.5). An invite that was sent
// to them is void.
//
// Errors: CodeInputTooLong, CodeUserNotFound, CodeNotPermitted for a suspended user, CodeActsForNobody, CodePasswordExists, the policy's,
// CodeOverloaded.
func (s *Service) CreatePassword(ctx context.Context, by Actor, id UserID, new seal.Secret) (PasswordUpdate, error) {
	if err := tooLong("password", new); err != nil {
		return PasswordUpdate{}, err
	}
	a, err := s.account(ctx, by, id)
	if err != nil {
		return PasswordUpdate{}, err
	}
	if err := creatable(a); err != nil {
		return PasswordUpdate{}, s.refuseChange(ctx, by, id, err)
	}
	p, err := s.createdPassword(ctx, a.User, new)
	if err != nil {
		return PasswordUpdate{}, s.refuseChange(ctx, by, id, err)
	}
	login, err := decide(ctx, s, by, func(tx Tx) (Login, *Error, error) {
		a, err := tx.AccountByUser(by.Tenant, id)
		if err != nil {
			return Login{}, nil, err
		}
		if err := creatable(a); err != nil {
			return Login{}, nil, err
		}
		if _, err := tx.CancelChallenges(by.Tenant, a.Subject, PurposeInvite, p.SetAt); err != nil {
			return Login{}, nil, err
		}
		login, err := s.firstLogin(tx, by, a, p, MethodPassword)
		return login, nil, err
	})
	if err != nil && !ours(err) {
		return PasswordUpdate{}, s.refuseChange(ctx, by, id, err)
	}
	return PasswordUpdate{Login: login, ExpiresAt: p.ExpiresAt}, err
}

// AddOwnPassword gives the user of a session their first password, which they chose and so need not replace (contract/cis §1.2). Who has a
// second factor must have used one in the session. The session goes on.
//
// Errors: CodeLocked, CodeStepUpRequired, CodePasswordExists, CodeUserExists for a username that is taken or a user who has another,
// CodeIdentifierInvalid, CodeInputTooLong, the policy's, CodeOverloaded.
func (s *Service) AddOwnPassword(ctx context.Context, by Actor, live LiveSession, password seal.Secret, username string) error {
	may := func(r Reads) (Account, error) {
		a, err := r.AccountByUser(by.Tenant, live.User.ID)
		if err != nil {
			return a, err
		}
		if no, err := s.mayRefactor(r, live, a, false); err != nil || no != nil {
			return a, orNo(err, no)
		}
		return a, nil
	}
	err := s.store.View(ctx, func(r Reads) error { _, err := may(r); return err })
	if err != nil { // before the work of a hash
		return s.refuseChange(ctx, by, live.User.ID, err)
	}
	return s.addPassword(ctx, by, live.User.ID, NewPassword{Value: password, Username: username}, func(tx Tx) error {
		a, err := may(tx)
		if err != nil {
			return err
		}
		return s.announcePassword(tx, by, a.User, s.now())
	})
}

// creatable says why a user does not get a first password, if they do not.
func creatable(a Account) error {
	switch {
	case a.User.Status == UserSuspended:
		return refuse(CodeNotPermitted)
	case len(a.Memberships) == 0:
		return refuse(CodeActsForNobody)
	case a.Password.Hash != "":
		return refuse(CodePasswordExists)
	}
	return nil
}

// createdPassword makes a user's first password.
func (s *Service) createdPassword(ctx context.Context, u User, new seal.Secret) (Password, error) {
	if err := s.settings(u.Tenant).Password.check(new, u); err != nil {
		return Password{}, err
	}
	return s.firstPassword(ctx, u, NewPassword{Value: new})
}

// firstLogin writes a first password and opens the session that begins with it.
func (s *Service) firstLogin(tx Tx, by Actor, a Account, p Password, m Method) (Login, error) {
	if err := tx.AddPassword(p); errors.Is(err, ErrExists) {
		return Login{}, refuse(CodePasswordExists)
	} else if err != nil {
		return Login{}, err
	}
	added := s.event(by, EventPasswordAdded, p.SetAt)
	added.User = a.User.ID
	return s.welcome(tx, by, a, m, p.SetAt, added)
}

// ValidatePassword says whether the tenant's policy would take a password, and leaves nothing behind (contract/multi §2.5).
//
// Errors: CodeInputTooLong, the policy's.
func (s *Service) ValidatePassword(ctx context.Context, by Actor, password seal.Secret) error {
	return s.ValidatePasswordOf(ctx, by, password, User{})
}

// ValidatePasswordOf is ValidatePassword for a user of these identifiers, who need not be there; of u nothing else matters (contract/cis
// §1.2).
//
// Errors: CodeInputTooLong, CodeChannelUnsupported where the application has no passwords, the policy's.
func (s *Service) ValidatePasswordOf(ctx context.Context, by Actor, password seal.Secret, u User) error {
	if err := tooLong("password", password); err != nil {
		return err
	}
	if err := s.Resync(ctx); err != nil {
		return err
	}
	rules := s.rules(by)
	if err := rules.passwords(); err != nil {
		return err
	}
	return rules.passwordPolicy().check(password, u)
}
