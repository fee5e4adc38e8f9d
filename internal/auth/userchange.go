package auth

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"
)

// UserFields are what a client changes of a user; nil leaves a field as it is.
type UserFields struct {
	Email, Phone, Username *string
	Status                 *UserStatus
	// Profile edits what we keep and never act on. It is called inside the transaction, perhaps more than once.
	Profile func(*Profile)
}

// ChangeUser changes a user of the actor's tenant (contract/cis §1.6). A new address or number is not verified, unless it was a verified
// secondary one, and the user is told of it at the former one too; a new number voids the authenticator that was bound with the
// former one. A suspension ends every session of the user at once.
//
// Errors: CodeUserNotFound, CodeIdentifierInvalid, CodeUserExists.
func (s *Service) ChangeUser(ctx context.Context, by Actor, id UserID, in UserFields) (Account, error) {
	return s.editUser(ctx, by, id, func(tx Tx, e *edit, a Account) (*Error, error) {
		if no := e.fillUser(in); no != nil {
			return no, nil
		}
		if in.Status == nil || *in.Status == a.User.Status && !suspendedByIdentity(a) {
			return nil, nil
		}
		e.changed = append(e.changed, "status")
		return s.setStatus(tx, by, a, *in.Status, e.now)
	})
}

// editUser makes one change of one user, whom it returns as they are then.
func (s *Service) editUser(
	ctx context.Context, by Actor, id UserID, change func(Tx, *edit, Account) (*Error, error),
) (Account, error) {
	now := s.now()
	changed, err := decide(ctx, s, by, func(tx Tx) (Account, *Error, error) {
		a, err := tx.AccountByUser(by.Tenant, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return a, refuse(CodeUserNotFound), nil
		case err != nil:
			return a, nil, err
		}
		e := &edit{by: by, now: now, before: a.User, person: Person{User: a.User}}
		if no, err := change(tx, e, a); err != nil || no != nil {
			return a, nil, orNo(err, no) // nothing of a refused change is kept
		}
		if no, err := s.numberFit(tx, e); err != nil || no != nil {
			return a, nil, orNo(err, no)
		}
		if err := s.putEdited(tx, e); err != nil || len(e.changed) == 0 {
			return a, nil, err
		}
		a, err = tx.AccountByUser(by.Tenant, id)
		return a, nil, err
	})
	s.nudge()
	return changed, err
}

// putEdited writes an edited user, with the event.
func (s *Service) putEdited(tx Tx, e *edit) error {
	if err := s.writeUser(tx, e); err != nil || len(e.changed) == 0 {
		return err
	}
	return tx.AddEvents(e.event(s, EventUserChanged))
}

func orNo(err error, no *Error) error {
	if err != nil {
		return err
	}
	return no
}

// fillUser sets what is given.
func (e *edit) fillUser(in UserFields) *Error {
	u := &e.person.User
	if in.Profile != nil {
		before := u.Profile
		in.Profile(&u.Profile)
		if no := profileFit(u.Profile); no != nil {
			return no
		}
		u.Profile.forgetVerified()
		if !reflect.DeepEqual(before, u.Profile) {
			e.changed = append(e.changed, "profile")
		}
	}
	if no := e.name(ByEmail, &u.Email, in.Email); no != nil {
		return no
	}
	if no := e.name(ByPhone, &u.Phone, in.Phone); no != nil {
		return no
	}
	put(&e.changed, "username", &u.Username, in.Username)
	_, err := identifiersOf(*u)
	var no *Error
	errors.As(err, &no)
	return no
}

// name gives the user another primary address or number. A username that was the former one follows, since it must be the user's own (B-07).
// Another spelling of the same address is as verified as that was.
func (e *edit) name(kind IdentifierKind, field, value *string) *Error {
	if value == nil || *value == *field {
		return nil
	}
	u := &e.person.User
	now, err := Canonical(kind, *value)
	if err != nil {
		return refuseField(CodeIdentifierInvalid, string(kind))
	}
	former, _ := Canonical(kind, *field)
	if follows(kind, u.Username, *field) {
		u.Username = *value
	}
	proved, list := &u.EmailVerifiedAt, &u.Profile.SecondaryEmails
	if kind == ByPhone {
		proved, list = &u.PhoneVerifiedAt, &u.Profile.SecondaryPhones
	}
	*field, e.changed = *value, append(e.changed, string(kind))
	if former == now {
		return nil
	}
	*proved = u.Profile.verifiedAt(kind, now)
	*list = slices.DeleteFunc(slices.Clone(*list), func(v string) bool { return sameAs(kind, v, now) })
	u.Profile.forgetVerified()
	return nil
}

// sameAs reports whether a value is spelled so that it is the canonical one.
func sameAs(kind IdentifierKind, value, canonical string) bool {
	c, err := Canonical(kind, value)
	return err == nil && c == canonical
}

// verifiedAt is when a secondary address or number was verified; zero: it was not.
func (p Profile) verifiedAt(kind IdentifierKind, canonical string) time.Time {
	for _, v := range p.SecondaryVerified {
		if sameAs(kind, v.Value, canonical) {
			return v.At
		}
	}
	return time.Time{}
}

// forgetVerified keeps only what is known of addresses and numbers that are still there.
func (p *Profile) forgetVerified() {
	there := slices.Concat(p.SecondaryEmails, p.SecondaryPhones)
	kept := slices.DeleteFunc(slices.Clone(p.SecondaryVerified), func(v Verified) bool { return !slices.Contains(there, v.Value) })
	if len(kept) == 0 {
		kept = nil
	}
	p.SecondaryVerified = kept
}

// maxCustomBytes bounds each of the objects that a client keeps with a user, which it may grow by one change after another.
const maxCustomBytes = 65536

// profileFit says what of a profile is malformed or too long, if anything is.
func profileFit(p Profile) *Error {
	if len(p.CustomData) > maxCustomBytes {
		return refuseField(CodeInputTooLong, "custom_data")
	}
	if len(p.CustomAppData) > maxCustomBytes {
		return refuseField(CodeInputTooLong, "custom_app_data")
	}
	for _, v := range p.SecondaryEmails {
		if _, err := Canonical(ByEmail, v); err != nil {
			return refuseField(CodeIdentifierInvalid, "secondary_emails")
		}
	}
	for _, v := range p.SecondaryPhones {
		if _, err := Canonical(ByPhone, v); err != nil {
			return refuseField(CodeIdentifierInvalid, "secondary_phone_numbers")
		}
	}
	return nil
}

// numberFit refuses a new number that is another user's identifier, as CreateUser does.
func (s *Service) numberFit(r Reads, e *edit) (*Error, error) {
	u := e.person.User
	if u.Phone == e.before.Phone || u.Phone == "" {
		return nil, nil
	}
	holder, err := r.AccountByIdentifier(u.Tenant, ByPhone, u.Phone, "")
	if err == nil && holder.Found && holder.User.ID != u.ID {
		return refuse(CodeUserExists), nil
	}
	return nil, err
}

// setStatus suspends a user, resumes them, or lets a pending one be active. Nobody becomes pending again.
func (s *Service) setStatus(tx Tx, by Actor, a Account, to UserStatus, now time.Time) (*Error, error) {
	switch from := a.User.Status; {
	case to == UserSuspended:
		return nil, s.shiftUser(tx, by, a, UserIsSuspended, now)
	case to == UserActive && from == UserSuspended:
		return nil, s.shiftUser(tx, by, a, UserIsResumed, now)
	case to == UserActive:
		_, err := tx.ActivateUser(a.User.Tenant, a.User.ID, now)
		return nil, err
	}
	return refuseField(CodeIdentifierInvalid, "status"), nil
}

// VerifyContact notes that an address or number of a user was verified elsewhere, a secondary one too, which may become the primary one; that
// becomes a secondary one then (contract/cis §1.6).
//
// Errors: CodeUserNotFound, CodeIdentifierInvalid, CodeNotFound, CodeUserExists.
func (s *Service) VerifyContact(ctx context.Context, by Actor, id UserID, kind IdentifierKind, value string, primary bool) error {
	_, err := s.editUser(ctx, by, id, func(_ Tx, e *edit, _ Account) (*Error, error) {
		c, no := e.contact(kind, value)
		if no != nil {
			return no, nil
		}
		return e.verify(kind, c, primary), nil
	})
	return err
}

// verify notes that an address or number that the user has is theirs.
func (e *edit) verify(kind IdentifierKind, c contact, primary bool) *Error {
	u := &e.person.User
	e.changed = append(e.changed, string(kind)+"_verified")
	if c.first {
		*c.proved = e.now
		return nil
	}
	u.Profile.SecondaryVerified = append(u.Profile.withoutVerified(c.value), Verified{Value: c.value, At: e.now})
	if !primary {
		return nil
	}
	former, provedAt := *c.field, *c.proved
	if no := e.name(kind, c.field, &c.value); no != nil || former == "" {
		return no
	}
	*c.list = append(*c.list, former)
	if !provedAt.IsZero() {
		u.Profile.SecondaryVerified = append(u.Profile.SecondaryVerified, Verified{Value: former, At: provedAt})
	}
	return nil
}

func (p Profile) withoutVerified(value string) []Verified {
	return slices.DeleteFunc(slices.Clone(p.SecondaryVerified), func(v Verified) bool { return v.Value == value })
}

// DropContact takes a secondary address or number away from a user (contract/cis §1.6).
//
// Errors: CodeUserNotFound, CodeIdentifierInvalid, CodeNotFound, CodePrimaryIdentifier.
func (s *Service) DropContact(ctx context.Context, by Actor, id UserID, kind IdentifierKind, value string) error {
	_, err := s.editUser(ctx, by, id, func(_ Tx, e *edit, _ Account) (*Error, error) {
		c, no := e.contact(kind, value)
		switch {
		case no != nil:
			return no, nil
		case c.first:
			return refuseField(CodePrimaryIdentifier, string(kind)), nil
		}
		*c.list = slices.DeleteFunc(slices.Clone(*c.list), func(v string) bool { return v == c.value })
		e.person.User.Profile.forgetVerified()
		e.changed = append(e.changed, "secondary_"+string(kind))
		return nil, nil
	})
	return err
}

// contact is an address or number of a user, and where it stands.
type contact struct {
	value  string // as it is kept
	first  bool   // the primary one
	field  *string
	proved *time.Time
	list   *[]string
}

// contact finds an address or number of the edited user. Error: CodeIdentifierInvalid, CodeNotFound.
func (e *edit) contact(kind IdentifierKind, value string) (contact, *Error) {
	u := &e.person.User
	c := contact{field: &u.Email, proved: &u.EmailVerifiedAt, list: &u.Profile.SecondaryEmails}
	if kind == ByPhone {
		c = contact{field: &u.Phone, proved: &u.PhoneVerifiedAt, list: &u.Profile.SecondaryPhones}
	}
	canonical, err := Canonical(kind, value)
	if err != nil {
		return c, refuseField(CodeIdentifierInvalid, string(kind))
	}
	if sameAs(kind, *c.field, canonical) {
		c.first, c.value = true, *c.field
		return c, nil
	}
	for _, v := range *c.list {
		if sameAs(kind, v, canonical) {
			c.value = v
			return c, nil
		}
	}
	return c, refuse(CodeNotFound)
}

// DetachUser takes from a user what the applications of the tenant keep with them, and ends their sessions. The user stays one of the tenant,
// whose users its applications share (contract/cis §1.6). Error: CodeUserNotFound.
func (s *Service) DetachUser(ctx context.Context, by Actor, id UserID) error {
	_, err := s.editUser(ctx, by, id, func(tx Tx, e *edit, _ Account) (*Error, error) {
		p := &e.person.User.Profile
		p.CustomAppData, p.ExternalAccountID = "", ""
		e.changed = append(e.changed, "application")
		if _, err := s.endBrowsers(tx, e.before.Tenant, e.before.ID, s.now(), EventLogout); err != nil {
			return nil, err
		}
		return nil, tx.RaiseEpoch(e.before.Tenant, e.before.ID)
	})
	return err
}
