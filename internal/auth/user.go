package auth

import (
	"context"
	"errors"
	"time"
)

// UserID names a person within their tenant: decimal digits, never used again.
type UserID string

// UserStatus is where a user stands. The moves between statuses are in UserStatus.next.
type UserStatus string

const (
	UserPending   UserStatus = "pending"   // made by an API call, has not authenticated yet
	UserActive    UserStatus = "active"    // may authenticate
	UserSuspended UserStatus = "suspended" // stopped by an administrator
)

// User is the person.
type User struct {
	Tenant          TenantID
	ID              UserID
	Status          UserStatus
	StatusChangedAt time.Time
	Epoch           int64 // raised by whatever ends all of the user's sessions at once; a session lives only in the epoch it was made in
	Email           string
	EmailVerifiedAt time.Time // zero: not verified
	Phone           string    // E.164
	PhoneVerifiedAt time.Time
	Username        string
	Profile         Profile
	CreatedAt       time.Time
	UpdatedAt       time.Time

	EmailChangedAt time.Time // zero: never
	PhoneChanges   int       // since it was last reset
	// WeakenedAt is when a way to prove was last taken away or replaced: a step-up made before it no longer counts.
	WeakenedAt time.Time
	// PhoneChangedAt is when a number that was verified was last replaced by another; zero: never. For a while after it codes by SMS prove
	// less (B-68).
	PhoneChangedAt time.Time
}

// Profile is what we keep of a user and never act on.
type Profile struct {
	Title, FirstName, MiddleName, LastName string
	Birthday, Picture, Language            string
	Address                                Address
	ExternalUserID, ExternalAccountID      string
	SecondaryEmails, SecondaryPhones       []string
	SecondaryVerified                      []Verified // those of the two that are the user's
	Roles                                  []RoleID   // of applications; the one thing here that is acted upon
	CustomData, CustomAppData              string     // JSON objects as they came, or empty
	Residence                              string     // country, ISO 3166-1 alpha-2
	Locale, Brand                          string     // of the messages to the user
	Details                                string     // a JSON object: what an embedder keeps with us, as it came, or empty
}

// Verified is a secondary address or number that was found to be the user's.
type Verified struct {
	Value string
	At    time.Time
}

// Address is a postal address.
type Address struct {
	Country, State, City, Street, PostalCode, Type string
}

// IdentifierKind is the kind of what a person types to say who they are.
type IdentifierKind string

const (
	ByEmail    IdentifierKind = "email"
	ByPhone    IdentifierKind = "phone"
	ByUsername IdentifierKind = "username"
	// ByExternalID is Profile.ExternalUserID: unique in the tenant, and nothing that a person types.
	ByExternalID IdentifierKind = "external_user_id"
	ByUserID     IdentifierKind = "user_id" // the user's own id, so that every look-up goes one way
)

// Identifier is one way to name a user. Canonical is unique within tenant and kind.
type Identifier struct {
	Tenant    TenantID
	Kind      IdentifierKind
	Canonical string // computed once, by Canonical, so that no two databases can disagree about who is who
	User      UserID
}

// Account is what a login needs of a user.
type Account struct {
	Found       bool
	Revision    int64 // of the Directory at the moment of reading
	User        User
	Password    Password // zero Hash: none
	Memberships []Membership
	Subject     Subject // under which attempts are counted
	Attempts    Attempts
}

// next returns the status that follows an administrator's or a login's event; the second value is false where the move is not allowed.
func (s UserStatus) next(e UserEvent) (UserStatus, bool) {
	switch {
	case e == UserAuthenticates && s == UserPending:
		return UserActive, true
	case e == UserAuthenticates && s == UserActive:
		return UserActive, true
	case e == UserIsSuspended && s != UserSuspended:
		return UserSuspended, true
	case e == UserIsResumed && s == UserSuspended:
		return UserActive, true
	}
	return s, false
}

// UserEvent moves a user's status.
type UserEvent string

const (
	UserAuthenticates UserEvent = "authenticates"
	UserIsSuspended   UserEvent = "suspended"
	UserIsResumed     UserEvent = "resumed"
)

// NewUser is a user that a client makes.
type NewUser struct {
	Email    string
	Phone    string
	Username string
	Profile  Profile
	Password *NewPassword // nil: none yet
}

// CreateUser makes a user of the actor's tenant, with a password if one is given. At least one identifier is needed.
//
// Errors: CodeIdentifierInvalid, CodeIdentifierRequired, CodeUserExists, CodeInputTooLong, the policy's, CodeOverloaded.
func (s *Service) CreateUser(ctx context.Context, by Actor, in NewUser) (Account, error) {
	now := s.now()
	u := in.user(by.Tenant, now)
	if no := profileFit(u.Profile); no != nil {
		return Account{}, no
	}
	ids, err := identifiersOf(u)
	if err != nil {
		return Account{}, err
	}
	var password *Password
	if in.Password != nil {
		if password, err = s.checkedPassword(ctx, by, u, *in.Password); err != nil {
			return Account{}, err
		}
	}
	if err := s.update(ctx, by, func(tx Tx) error { return s.addUser(tx, by, u, ids, password, now) }); err != nil {
		return Account{}, err
	}
	return s.account(ctx, by, u.ID)
}

// user is a new user as they begin.
func (in NewUser) user(t TenantID, now time.Time) User {
	return User{
		Tenant: t, ID: newUserID(), Status: UserPending, StatusChangedAt: now, Epoch: 1, Email: in.Email, Phone: in.Phone,
		Username: in.Username, Profile: in.Profile, CreatedAt: now, UpdatedAt: now,
	}
}

// addUser writes a new user with their password, if they have one. Error: CodeUserExists.
func (s *Service) addUser(tx Tx, by Actor, u User, ids []Identifier, password *Password, now time.Time) error {
	if err := taken(tx.AddUser(u, ids)); err != nil {
		return err
	}
	created, added := s.event(by, EventUserCreated, now), s.event(by, EventPasswordAdded, now)
	created.User, added.User = u.ID, u.ID
	if password == nil {
		return tx.AddEvents(created)
	}
	if err := tx.AddPassword(*password); err != nil {
		return err
	}
	return tx.AddEvents(created, added)
}

func (s *Service) checkedPassword(ctx context.Context, by Actor, u User, in NewPassword) (*Password, error) {
	if err := tooLong("credentials.password", in.Value); err != nil {
		return nil, err
	}
	if err := s.Resync(ctx); err != nil { // nothing that the call has read so far tells how old the policy is
		return nil, err
	}
	if err := s.takes(by, in, u); err != nil {
		return nil, err
	}
	p, err := s.firstPassword(ctx, u, in)
	return &p, err
}

// User returns a user of the actor's tenant with what a client may see of their password. Error: CodeUserNotFound.
func (s *Service) User(ctx context.Context, by Actor, id UserID) (Account, error) {
	return s.account(ctx, by, id)
}

// PasswordFor is a password as the caller's application sees it: with the end that its policy gives it, and expired when that has come.
func (s *Service) PasswordFor(by Actor, p Password) Password {
	p.ExpiresAt = s.rules(by).endOf(p)
	p.Expired = p.Expired || !p.ExpiresAt.IsZero() && !s.now().Before(p.ExpiresAt)
	return p
}

// UserBy finds a user by an identifier. Errors: CodeUserNotFound, CodeIdentifierInvalid.
func (s *Service) UserBy(ctx context.Context, by Actor, kind IdentifierKind, value string) (Account, error) {
	canonical, err := Canonical(kind, value)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.store.View(ctx, func(r Reads) (err error) {
		a, err = r.AccountByIdentifier(by.Tenant, kind, canonical, s.phantom(by.Tenant, kind, canonical))
		return err
	})
	if err != nil {
		return Account{}, err
	}
	if err := s.current(ctx, by, a.Revision); err != nil {
		return Account{}, err
	}
	if !a.Found {
		return Account{}, refuse(CodeUserNotFound)
	}
	return a, nil
}

func (s *Service) account(ctx context.Context, by Actor, id UserID) (Account, error) {
	var a Account
	err := s.store.View(ctx, func(r Reads) (err error) { a, err = r.AccountByUser(by.Tenant, id); return err })
	if errors.Is(err, ErrNotFound) {
		return Account{}, refuse(CodeUserNotFound)
	}
	if err != nil {
		return Account{}, err
	}
	return a, s.current(ctx, by, a.Revision)
}

// Suspend and Resume are an operator's. They take effect on every node before they return: a suspension raises the epoch in which the
// user's sessions live, and cancels what is in flight. It also takes over a suspension by an identity, which then is no longer the
// identity's to lift. Error: CodeUserNotFound.
func (s *Service) Suspend(ctx context.Context, t TenantID, id UserID) error {
	return s.moveUser(ctx, t, id, UserIsSuspended)
}

// Resume lets a suspended user in again.
func (s *Service) Resume(ctx context.Context, t TenantID, id UserID) error {
	return s.moveUser(ctx, t, id, UserIsResumed)
}

func (s *Service) moveUser(ctx context.Context, t TenantID, id UserID, e UserEvent) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		a, err := tx.AccountByUser(t, id)
		if err != nil {
			return err
		}
		return s.shiftUser(tx, Actor{Tenant: t}, a, e, s.now())
	})
	s.nudge()
	if errors.Is(err, ErrNotFound) {
		return refuse(CodeUserNotFound)
	}
	return err
}

// shiftUser suspends or resumes a user, if that is a move. Whoever is suspended has nothing under way any more.
func (s *Service) shiftUser(tx Tx, by Actor, a Account, e UserEvent, now time.Time) error {
	u := a.User
	to, ok := u.Status.next(e)
	if again := e == UserIsSuspended && suspendedByIdentity(a); !ok && !again {
		return nil
	}
	moved, err := tx.MoveUserStatus(u.Tenant, u.ID, u.Status, to, now)
	if err != nil || !moved {
		return errors.Join(err, raced(moved))
	}
	note := s.event(by, EventResumed, now)
	if e == UserIsSuspended {
		note.Kind = EventSuspended
		if _, err := tx.CancelChallenges(u.Tenant, a.Subject, "", now); err != nil {
			return err
		}
		if err := s.announceEnd(tx, u, now); err != nil {
			return err
		}
		if _, err := s.endBrowsers(tx, u.Tenant, u.ID, now, EventSuspended); err != nil {
			return err
		}
	}
	note.User = u.ID
	return tx.AddEvents(note)
}

// Unlock lifts a lock and clears the failures of a user's password; an operator's. Error: CodeUserNotFound.
func (s *Service) Unlock(ctx context.Context, t TenantID, id UserID) error {
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		a, err := tx.AccountByUser(t, id)
		if err != nil {
			return err
		}
		cleared := Attempts{Version: a.Attempts.Version + 1, SucceededAt: a.Attempts.SucceededAt}
		if done, err := tx.PutAttempts(t, SubjectOf(id), AttemptPassword, cleared, a.Attempts.Version); err != nil || !done {
			return errors.Join(err, raced(done))
		}
		e := s.event(Actor{Tenant: t}, EventUnlocked, now)
		e.User, e.Note = id, "by an operator"
		return tx.AddEvents(e)
	})
	if errors.Is(err, ErrNotFound) {
		return refuse(CodeUserNotFound)
	}
	return err
}
