package auth

import (
	"context"
	"errors"
	"strings"
	"time"
)

// NewIdentity is a consumer or corporate with its root user; contract/multi §2.7.
type NewIdentity struct {
	Type      IdentityType
	Name      string
	Profile   string // the embedder's profile id
	Details   string // a JSON object: what we keep for the embedder and never act on
	Root      PersonFields
	Countries []string // in the details: each has to be one
}

// Owned is an identity with its root user.
type Owned struct {
	Identity    Identity
	Root        Person
	PasswordSet bool // the root user has a password already, from another identity
}

// CreateIdentity makes an identity and its root user, who has the same id and no password yet. Where the tenant allows it, a corporate may
// go to the root user of other corporates instead, who must be active, verified, of the same profile and through with due diligence
// (contract/multi §2.7, §3.4); what is said of that user is then ignored.
//
// Errors: CodeReplayed, CodeOnceConflict; CodeCountryInvalid, CodeIdentifierInvalid, CodeEmailDomain, CodePhoneMalformed, CodeConsumerExists,
// CodeRootExists, CodeRootInactive, CodeRootUnverified, CodeRootProfile, CodeDiligenceMissing.
func (s *Service) CreateIdentity(ctx context.Context, by Actor, in NewIdentity) (Owned, error) {
	if err := s.replayed(ctx, by); err != nil {
		return Owned{}, err
	}
	if no := areCountries(in.Countries); no != nil {
		return Owned{}, no
	}
	if in.Root.Email == nil {
		return Owned{}, refuse(CodeIdentifierRequired)
	}
	canonical, err := Canonical(ByEmail, *in.Root.Email)
	if err != nil {
		return Owned{}, err
	}
	now := s.now()
	o, err := decide(ctx, s, by, func(tx Tx) (Owned, *Error, error) {
		holder, err := tx.AccountByIdentifier(by.Tenant, ByEmail, canonical, "")
		if err != nil {
			return Owned{}, nil, err
		}
		o := Owned{Identity: Identity{
			Tenant: by.Tenant, Ref: IdentityRef{in.Type, string(newUserID())}, Name: in.Name, Profile: in.Profile, Details: in.Details, CreatedAt: now,
		}}
		if holder.Found {
			if no := s.mayOwn(holder, in); no != nil {
				return o, no, nil
			}
		}
		if err := tx.AddIdentity(o.Identity); err != nil {
			return o, nil, err
		}
		no, err := s.addRoot(tx, &o, holder, &edit{by: by, now: now}, in)
		if err != nil || no != nil {
			return o, nil, orVerdict(err, no)
		}
		e := s.event(by, EventIdentityCreated, now)
		e.User, e.Identity = o.Root.User.ID, o.Identity.Ref
		return o, nil, tx.AddEvents(e)
	})
	if errors.Is(err, CodeUserExists) {
		err = refuse(CodeRootExists)
	}
	return o, err
}

// orVerdict makes a refusal, if there is one, an error that undoes what was written before it.
func orVerdict(err error, no *Error) error {
	if err != nil || no == nil {
		return err
	}
	return no
}

// addRoot makes the root user, or links the one who is there.
func (s *Service) addRoot(tx Tx, o *Owned, holder Account, e *edit, in NewIdentity) (*Error, error) {
	m := Membership{Tenant: e.by.Tenant, Identity: o.Identity, Credential: Root}
	if !holder.Found {
		e.person = Person{User{ID: UserID(o.Identity.Ref.ID)}, m}
		var no *Error
		var err error
		o.Root, no, err = s.addPerson(tx, e, in.Root)
		return no, err
	}
	m.User, m.Position = holder.User.ID, len(holder.Memberships)
	o.Root, o.PasswordSet = Person{holder.User, m}, holder.Password.Hash != ""
	return nil, tx.AddMembership(m)
}

// mayOwn says why the user who has an address cannot become the root user of one more identity, if they cannot.
func (s *Service) mayOwn(holder Account, in NewIdentity) *Error {
	roots, consumer := 0, false
	var no *Error
	for _, m := range holder.Memberships {
		if m.Credential != Root {
			continue
		}
		roots++
		consumer = consumer || m.Identity.Ref.Type == Consumer
		switch {
		case !m.Identity.SuspendedAt.IsZero():
			no = refuse(CodeRootInactive)
		case no == nil && m.Identity.Diligence != DiligenceApproved:
			no = refuse(CodeDiligenceMissing)
		case no == nil && m.Identity.Profile != in.Profile:
			no = refuse(CodeRootProfile)
		}
	}
	switch {
	case in.Type == Consumer && consumer:
		return refuse(CodeConsumerExists)
	case in.Type == Consumer, roots == 0, !s.settings(holder.User.Tenant).MultiIdentity:
		return refuse(CodeRootExists)
	case holder.User.Status == UserSuspended:
		return refuse(CodeRootInactive)
	case holder.User.EmailVerifiedAt.IsZero():
		return refuse(CodeRootUnverified)
	}
	return no
}

func areCountries(codes []string) *Error {
	for _, c := range codes {
		if !isCountry(c) {
			return refuse(CodeCountryInvalid)
		}
	}
	return nil
}

// owned reads the identity that a user acts for, with the root user who is the caller, or else its first. One that /cis made may have none:
// then the caller stands for them.
func (s *Service) owned(r Reads, a acting) (Owned, error) {
	i, err := r.Identity(a.Token.Tenant, a.as.Identity.Ref)
	o := Owned{Identity: i, Root: Person{a.User, a.as}}
	if err != nil || a.as.Credential == Root {
		return o, err
	}
	roots, _, err := r.People(i.Tenant, i.Ref, PersonFilter{Credential: Root, Limit: 1})
	if err != nil || len(roots) == 0 {
		return o, err
	}
	o.Root = roots[0]
	return o, nil
}

// actsFor says why a user may not see or change the identity of their token as one of a type, if they may not.
func (a acting) actsFor(t IdentityType) *Error {
	if a.as.Identity.Ref.Type != t || !a.as.managesUsers() {
		return refuse(CodeNotPermitted)
	}
	return nil
}

// OwnIdentity returns the identity of the bearer, which must be of the type, with its root user (contract/multi §2.7).
//
// Errors: those of Authenticate; CodeNotPermitted.
func (s *Service) OwnIdentity(ctx context.Context, by Actor, bearer string, t IdentityType) (Owned, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Owned{}, err
	}
	var o Owned
	err = s.store.View(ctx, func(r Reads) error {
		a, no, err := s.actingAs(r, b)
		if err == nil && no == nil {
			no = a.actsFor(t)
		}
		if err != nil || no != nil {
			return orVerdict(err, no)
		}
		o, err = s.owned(r, a)
		return err
	})
	return o, err
}

// RootChange is what a root user changes of themself and of the identity of their token; contract/multi §2.7.
type RootChange struct {
	PersonFields
	Countries        []string                   // in the details: each has to be one
	Identity         func(former string) string // edits Identity.Details, as PersonFields.Details does the user's; nil: leaves them
	ForgetPhoneCount bool                       // of changes of the phone number
}

// ChangeRoot changes a root user and the identity of their token, which must be of the type. Who they are is frozen once due diligence on an
// identity of theirs is approved; Details of the person count as that.
//
// Errors: those of begin; CodeNotPermitted, CodeCountryInvalid, CodeRootVerified, CodeConsumerVerified, and those of ChangeMember that
// concern a person.
func (s *Service) ChangeRoot(ctx context.Context, by Actor, bearer string, t IdentityType, in RootChange) (Owned, error) {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Owned{}, err
	}
	if no := areCountries(in.Countries); no != nil {
		return Owned{}, no
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (Owned, *Error, error) {
		a, no, err := s.actingAs(tx, b)
		if err == nil && no == nil && (a.as.Identity.Ref.Type != t || a.as.Credential != Root) {
			no = refuse(CodeNotPermitted)
		}
		if err != nil || no != nil {
			return Owned{}, no, err
		}
		e := &edit{by: by, caller: a, now: now, person: Person{a.User, a.as}}
		if in.ForgetPhoneCount && e.person.User.PhoneChanges > 0 {
			e.person.User.PhoneChanges, e.changed = 0, append(e.changed, "phone_changes")
		}
		if no, err := s.edited(tx, e, in.PersonFields); err != nil || no != nil {
			return Owned{}, no, err
		}
		if e.identifying() && a.approved() {
			if t == Consumer {
				return Owned{}, refuse(CodeConsumerVerified), nil
			}
			return Owned{}, refuse(CodeRootVerified), nil
		}
		if err := s.write(tx, e, EventUserChanged); err != nil {
			return Owned{}, nil, err
		}
		o, err := s.changeIdentity(tx, e, in)
		return o, nil, err
	})
}

// identifying reports whether an edit changed who a person is, and not only how they are served.
func (e *edit) identifying() bool {
	for _, field := range e.changed {
		switch field {
		case "name", "surname", "email", "phone", "birthday", "details":
			return true
		}
	}
	return false
}

// approved reports whether due diligence on an identity that the user owns is through.
func (a acting) approved() bool {
	for _, m := range a.Memberships {
		if m.Credential == Root && m.Identity.Diligence == DiligenceApproved {
			return true
		}
	}
	return false
}

// changeIdentity edits what is kept of the identity. A consumer is called as its root user is.
func (s *Service) changeIdentity(tx Tx, e *edit, in RootChange) (Owned, error) {
	i, err := tx.Identity(e.by.Tenant, e.person.Membership.Identity.Ref)
	o := Owned{Identity: i, Root: e.person}
	if err != nil {
		return o, err
	}
	if in.Identity != nil {
		o.Identity.Details = in.Identity(i.Details)
	}
	if p := e.person.User.Profile; i.Ref.Type == Consumer && (p.FirstName != e.before.Profile.FirstName || p.LastName != e.before.Profile.LastName) {
		o.Identity.Name = strings.TrimSpace(p.FirstName + " " + p.LastName)
	}
	if o.Identity.Name == i.Name && o.Identity.Details == i.Details {
		return o, nil
	}
	if err := tx.PutIdentity(o.Identity); err != nil {
		return o, err
	}
	ev := s.event(e.by, EventIdentityChanged, e.now)
	ev.User, ev.Identity, ev.Session = e.person.User.ID, i.Ref, e.caller.Session.ID
	return o, tx.AddEvents(ev)
}

// AskDiligence notes that due diligence on the identity of the bearer was asked for, and returns a reference for it. We do none: what it
// comes to is told to us (see VerifyIdentity). Of a member there is none to be done apart from that of their identity.
//
// Errors: those of begin; CodeEmailUnverified, CodePhoneUnverified, CodeDiligenceApproved, CodeDiligencePending, CodeDiligenceRejected,
// CodeIdentityUnapproved.
func (s *Service) AskDiligence(ctx context.Context, by Actor, bearer string) (string, error) {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return "", err
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (string, *Error, error) {
		a, no, err := s.actingAs(tx, b)
		if err == nil && no == nil {
			no = a.mayAskDiligence()
		}
		if err != nil || no != nil {
			return "", no, err
		}
		return s.moveDiligence(tx, by, a, now)
	})
}

func (a acting) mayAskDiligence() *Error {
	switch stands := a.as.Identity.Diligence; {
	case a.User.EmailVerifiedAt.IsZero():
		return refuse(CodeEmailUnverified)
	case a.User.PhoneVerifiedAt.IsZero():
		return refuse(CodePhoneUnverified)
	case stands == DiligenceApproved:
		return refuse(CodeDiligenceApproved)
	case a.as.Credential != Root:
		return refuse(CodeIdentityUnapproved)
	case stands == DiligencePending:
		return refuse(CodeDiligencePending)
	case stands == DiligenceRejected:
		return refuse(CodeDiligenceRejected)
	}
	return nil
}

func (s *Service) moveDiligence(tx Tx, by Actor, a acting, now time.Time) (string, *Error, error) {
	i, err := tx.Identity(by.Tenant, a.as.Identity.Ref)
	if err != nil {
		return "", nil, err
	}
	i.Diligence = DiligencePending
	if err := tx.PutIdentity(i); err != nil {
		return "", nil, err
	}
	reference := string(newChallengeID())
	e := s.tokenEvent(by, EventDiligence, a.Bearer, now)
	e.Note = string(DiligencePending) + " " + reference
	return reference, nil, tx.AddEvents(e)
}
