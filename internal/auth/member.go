package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// AddMember makes a user who is authorised to act for the identity of the bearer, without a password yet (contract/multi §2.6). It needs
// a stepped-up token.
//
// Errors: those of begin; CodeNotPermitted, CodeStepUpRequired, CodeIdentifierInvalid, CodeEmailDomain, CodeUserExists,
// CodePhoneMalformed, CodeResidenceInvalid, CodeRoleNotFound.
func (s *Service) AddMember(ctx context.Context, by Actor, bearer string, in PersonFields) (Person, error) {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Person{}, err
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (Person, *Error, error) {
		a, no, err := s.actingAs(tx, b)
		switch {
		case err != nil || no != nil:
			return Person{}, no, err
		case !a.as.managesUsers():
			return Person{}, refuse(CodeNotPermitted), nil
		case !s.steppedUp(a.Bearer, now):
			return Person{}, refuse(CodeStepUpRequired), nil
		}
		m := Membership{Identity: a.as.Identity, Credential: Member}
		return s.addPerson(tx, &edit{by: by, caller: a, now: now, person: Person{Membership: m}}, in)
	})
}

// addPerson makes a user with their membership.
func (s *Service) addPerson(tx Tx, e *edit, in PersonFields) (Person, *Error, error) {
	u := User{
		Tenant: e.by.Tenant, ID: newUserID(), Status: UserPending, StatusChangedAt: e.now, Epoch: 1, CreatedAt: e.now, UpdatedAt: e.now,
	}
	if e.person.User.ID != "" {
		u.ID = e.person.User.ID
	}
	e.person.User = u
	e.person.Membership.Tenant, e.person.Membership.User = u.Tenant, u.ID
	if no := e.fill(in); no != nil {
		return Person{}, no, nil
	}
	if no := e.fillRoles(in); no != nil {
		return Person{}, no, nil
	}
	if no := s.fillPhone(e, in); no != nil {
		return Person{}, no, nil
	}
	if no, err := s.fillEmail(tx, e, in); err != nil || no != nil {
		return Person{}, no, err
	}
	ids, err := namesOf(tx, e.person.User)
	if err != nil {
		return Person{}, nil, err
	}
	if err := taken(tx.AddUser(e.person.User, ids)); err != nil {
		return Person{}, nil, err
	}
	if err := tx.AddMembership(e.person.Membership); err != nil {
		return Person{}, nil, err
	}
	ev := s.event(e.by, EventUserCreated, e.now)
	ev.User, ev.Identity, ev.Session = u.ID, e.person.Membership.Identity.Ref, e.caller.Session.ID
	return e.person, nil, tx.AddEvents(ev)
}

// dealing is one user's dealing with another who acts for the same identity.
type dealing struct {
	acting
	target Account
	with   Membership // of the target
}

func (d dealing) own() bool { return d.target.User.ID == d.User.ID }

// dealingWith reads both sides. Who manages nobody learns nothing of others, not even whether they exist; a user of another identity is
// one who does not exist.
func (s *Service) dealingWith(r Reads, b Bearer, id UserID) (dealing, *Error, error) {
	a, no, err := s.actingAs(r, b)
	d := dealing{acting: a}
	if err != nil || no != nil {
		return d, no, err
	}
	if id != b.User.ID && !a.as.managesUsers() {
		return d, refuse(CodeNotPermitted), nil
	}
	d.target, err = r.AccountByUser(b.Token.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return d, refuse(CodeUserNotFound), nil
	}
	if err != nil {
		return d, nil, err
	}
	for _, m := range d.target.Memberships {
		if m.Identity.Ref == a.as.Identity.Ref {
			d.with = m
			return d, nil, nil
		}
	}
	return d, refuse(CodeUserNotFound), nil
}

// Member returns one of those who act for the identity of the bearer, who needs no role to see themself.
//
// Errors: those of Authenticate; CodeNotPermitted, CodeUserNotFound.
func (s *Service) Member(ctx context.Context, by Actor, bearer string, id UserID) (Person, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Person{}, err
	}
	var d dealing
	var no *Error
	err = s.store.View(ctx, func(r Reads) (err error) { d, no, err = s.dealingWith(r, b, id); return err })
	if err == nil && no != nil {
		err = no
	}
	return Person{d.target.User, d.with}, err
}

// Members lists those who act for the identity of the bearer, root users among them, by the time they were made, and counts all that the
// filter lets through.
//
// Errors: those of Authenticate; CodeNotPermitted, CodeIdentifierInvalid.
func (s *Service) Members(ctx context.Context, by Actor, bearer string, f PersonFilter) ([]Person, int, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAccess)
	if err != nil {
		return nil, 0, err
	}
	if f.Email != "" {
		if f.Email, err = Canonical(ByEmail, f.Email); err != nil {
			return nil, 0, err
		}
	}
	var people []Person
	var count int
	err = s.store.View(ctx, func(r Reads) error {
		a, no, err := s.actingAs(r, b)
		switch {
		case err != nil:
			return err
		case no != nil:
			return no
		case !a.as.managesUsers():
			return refuse(CodeNotPermitted)
		}
		people, count, err = r.People(by.Tenant, a.as.Identity.Ref, f)
		return err
	})
	return people, count, err
}

// MemberRoles lists the roles that the bearer may give to users of their identity.
//
// Errors: those of Authenticate; CodeNotPermitted.
func (s *Service) MemberRoles(ctx context.Context, by Actor, bearer string) ([]Role, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAccess)
	if err != nil {
		return nil, err
	}
	if m, _ := b.membership(); !m.managesUsers() {
		return nil, refuse(CodeNotPermitted)
	}
	return Roles(), nil
}

// ChangeMember changes a user who acts for the identity of the bearer. Anybody may change themself but for their roles. What belongs to the
// person, and not to the membership, nobody else changes of a user who acts for another identity too: it would reach into that one. Root
// users are changed by ChangeRoot.
//
// Errors: those of begin; CodeNotPermitted, CodeUserNotFound, CodeStepUpRequired, CodeIdentifierInvalid, CodeEmailDomain, CodeUserExists,
// CodeEmailChangeTooSoon, CodePhoneMalformed, CodePhoneFixed, CodePhoneChangeLimit, CodeResidenceInvalid, CodeRoleNotFound, CodeOwnRoles,
// CodeAdminRemoval.
func (s *Service) ChangeMember(ctx context.Context, by Actor, bearer string, id UserID, in PersonFields) (Person, error) {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Person{}, err
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (Person, *Error, error) {
		d, no, err := s.dealingWith(tx, b, id)
		if err != nil || no != nil {
			return Person{}, no, err
		}
		if d.with.Credential == Root || !d.own() && !d.as.outranks(d.with) {
			return Person{}, refuse(CodeNotPermitted), nil
		}
		e := &edit{by: by, caller: d.acting, now: now, person: Person{d.target.User, d.with}}
		if no, err := s.edited(tx, e, in); err != nil || no != nil {
			return Person{}, no, err
		}
		if len(d.target.Memberships) > 1 && !d.own() && e.personal() {
			return Person{}, refuse(CodeNotPermitted), nil
		}
		return e.person, nil, s.write(tx, e, EventUserChanged)
	})
}

// DeactivateMember keeps a user from acting for the identity of the bearer. One who is left with nobody to act for is suspended, which ends
// every session and token of theirs at once. Root users cannot be deactivated so, and nobody deactivates themself. The tenant's
// webhook is told (contract/multi §4.2).
//
// Errors: those of Authenticate; CodeNotPermitted, CodeUserNotFound.
func (s *Service) DeactivateMember(ctx context.Context, by Actor, bearer string, id UserID) error {
	return s.moveMember(ctx, by, bearer, id, s.deactivate)
}

// ActivateMember lets a user act for the identity of the bearer again, and lifts a lock of their password unless they act for another
// identity too: whoever manages them here could guess it without end, and be let in there. A suspension by an operator, and a lock that a
// client set, are not the identity's to lift.
//
// Errors: those of DeactivateMember.
func (s *Service) ActivateMember(ctx context.Context, by Actor, bearer string, id UserID) error {
	return s.moveMember(ctx, by, bearer, id, s.activate)
}

func (s *Service) moveMember(
	ctx context.Context, by Actor, bearer string, id UserID, move func(Tx, Actor, dealing, time.Time) (*Error, error),
) error {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (dealing, *Error, error) {
		d, no, err := s.dealingWith(tx, b, id)
		if err == nil && no == nil {
			if d.own() || !d.as.outranks(d.with) {
				return d, refuse(CodeNotPermitted), nil
			}
			no, err = move(tx, by, d, now)
		}
		return d, no, err
	})
	return err
}

func (d dealing) event(s *Service, by Actor, kind EventKind, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Identity, e.Session = d.target.User.ID, d.with.Identity.Ref, d.Session.ID
	return e
}

func (s *Service) deactivate(tx Tx, by Actor, d dealing, now time.Time) (*Error, error) {
	if !d.with.SuspendedAt.IsZero() {
		return nil, nil
	}
	u := d.target.User
	d.with.SuspendedAt = now
	if err := tx.PutMembership(d.with); err != nil {
		return nil, err
	}
	if err := s.endMembership(tx, by, u.ID, d.with.Identity.Ref, s.dir.Load().keepers(u.Tenant, onSuspension), now); err != nil {
		return nil, err
	}
	events := []Event{d.event(s, by, EventMemberSuspended, now)}
	if to, ok := u.Status.next(UserIsSuspended); ok && !d.actsElsewhere() {
		if moved, err := tx.MoveUserStatus(u.Tenant, u.ID, u.Status, to, now); err != nil || !moved {
			return nil, errors.Join(err, raced(moved))
		}
		if _, err := tx.CancelChallenges(u.Tenant, d.target.Subject, "", now); err != nil {
			return nil, err
		}
		if _, err := s.endBrowsers(tx, u.Tenant, u.ID, now, EventSuspended); err != nil {
			return nil, err
		}
		events = append(events, d.event(s, by, EventSuspended, now))
	}
	n := News{
		Kind: NewsUserDeactivated, At: now, User: u.ID, Credential: d.with.Credential, Identity: d.with.Identity.Ref, Email: u.Email,
		DoneBy: "ADMIN", Reason: "TEMPORARY",
	}
	if err := s.announce(tx, u.Tenant, n); err != nil {
		return nil, err
	}
	return nil, tx.AddEvents(events...)
}

// actsElsewhere reports whether the target may still act for another identity.
func (d dealing) actsElsewhere() bool {
	for _, m := range d.target.Memberships {
		if m.Identity.Ref != d.with.Identity.Ref && m.SuspendedAt.IsZero() {
			return true
		}
	}
	return false
}

func (s *Service) activate(tx Tx, by Actor, d dealing, now time.Time) (*Error, error) {
	u, since := d.target.User, d.with.SuspendedAt
	var events []Event
	if u.Status == UserSuspended {
		if !suspendedByIdentity(d.target) {
			return refuse(CodeNotPermitted), nil
		}
		to, _ := u.Status.next(UserIsResumed)
		if moved, err := tx.MoveUserStatus(u.Tenant, u.ID, u.Status, to, now); err != nil || !moved {
			return nil, errors.Join(err, raced(moved))
		}
		events = append(events, d.event(s, by, EventResumed, now))
	}
	if !since.IsZero() {
		d.with.SuspendedAt = time.Time{}
		if err := tx.PutMembership(d.with); err != nil {
			return nil, err
		}
		events = append(events, d.event(s, by, EventMemberResumed, now))
	}
	if a := d.target.Attempts; a.locked(now) && !a.held() && len(d.target.Memberships) == 1 {
		cleared := Attempts{Version: a.Version + 1, SucceededAt: a.SucceededAt}
		if done, err := tx.PutAttempts(u.Tenant, d.target.Subject, AttemptPassword, cleared, a.Version); err != nil || !done {
			return nil, errors.Join(err, raced(done))
		}
		events = append(events, d.event(s, by, EventUnlocked, now))
	}
	return nil, tx.AddEvents(events...)
}

// suspendedByIdentity reports whether a user is suspended because a deactivation left them with nobody to act for: both were one
// transaction.
func suspendedByIdentity(a Account) bool {
	return a.User.Status == UserSuspended && slices.ContainsFunc(a.Memberships, func(m Membership) bool {
		return !m.SuspendedAt.IsZero() && m.SuspendedAt.Equal(a.User.StatusChangedAt)
	})
}
