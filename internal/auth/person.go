package auth

import (
	"slices"
	"strings"
	"time"
)

// PersonFields are what is given of a person who acts for an identity; nil leaves a field as it is.
type PersonFields struct {
	FirstName, LastName *string
	Email               *string
	Phone               *PhoneNumber
	Birthday            *string // YYYY-MM-DD
	Residence           *string // country, ISO 3166-1 alpha-2
	Locale, Brand       *string
	Tag                 *string // of the membership
	Roles               *[]string
	// Details edits Profile.Details. It is called inside the transaction, perhaps more than once.
	Details func(former string) string
}

// put sets a field that was given and notes its name if that changed it.
func put(changed *[]string, name string, field, value *string) {
	if value != nil && *value != *field {
		*field, *changed = *value, append(*changed, name)
	}
}

// edit is one change of a person, as it goes on.
type edit struct {
	by      Actor
	caller  acting // zero: an API key alone, for somebody new
	proved  bool   // it is the user's own, in a session that has proved a second factor
	now     time.Time
	before  User
	person  Person
	changed []string
}

// fill sets what needs no rule but a shape.
func (e *edit) fill(in PersonFields) *Error {
	u, m := &e.person.User, &e.person.Membership
	if in.Residence != nil && !isCountry(*in.Residence) {
		return refuse(CodeResidenceInvalid)
	}
	put(&e.changed, "name", &u.Profile.FirstName, in.FirstName)
	put(&e.changed, "surname", &u.Profile.LastName, in.LastName)
	put(&e.changed, "birthday", &u.Profile.Birthday, in.Birthday)
	put(&e.changed, "residence", &u.Profile.Residence, in.Residence)
	put(&e.changed, "locale", &u.Profile.Locale, in.Locale)
	put(&e.changed, "brand", &u.Profile.Brand, in.Brand)
	put(&e.changed, "tag", &m.Tag, in.Tag)
	if in.Details != nil {
		details := in.Details(u.Profile.Details)
		put(&e.changed, "details", &u.Profile.Details, &details)
	}
	return nil
}

// fillRoles replaces the roles, which the caller must be entitled to.
func (e *edit) fillRoles(in PersonFields) *Error {
	if in.Roles == nil {
		return nil
	}
	var roles []Role
	for _, name := range *in.Roles {
		r, ok := RoleNamed(name)
		if !ok {
			return refuse(CodeRoleNotFound)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	m := &e.person.Membership
	switch {
	case sameSet(roles, m.Roles):
		return nil
	case e.person.User.ID == e.caller.User.ID:
		return refuse(CodeOwnRoles)
	}
	if no := e.caller.as.mayGive(m.Roles, roles); no != nil {
		return no
	}
	m.Roles, e.changed = roles, append(e.changed, "roles")
	return nil
}

// fillEmail sets the e-mail address. The new one is nobody's until it is verified, and codes that are on their way to the former
// one are good for nothing any more. A username that was the former address follows, since it must be the user's own (B-07).
func (s *Service) fillEmail(tx Tx, e *edit, in PersonFields) (*Error, error) {
	u := &e.person.User
	if in.Email == nil || *in.Email == u.Email {
		return nil, nil
	}
	every := s.settings(u.Tenant).EmailEvery
	if !u.EmailChangedAt.IsZero() && e.now.Before(u.EmailChangedAt.Add(every)) {
		return &Error{Code: CodeEmailChangeTooSoon, RetryAfter: u.EmailChangedAt.Add(every).Sub(e.now)}, nil
	}
	if follows(ByEmail, u.Username, u.Email) {
		u.Username = *in.Email
	}
	u.Email, u.EmailVerifiedAt, e.changed = *in.Email, time.Time{}, append(e.changed, "email")
	if e.before.Email != "" {
		u.EmailChangedAt = e.now
	}
	return s.emailFit(tx, *u)
}

// fillPhone sets the phone number, as fillEmail does the address. How often is the tenant's to say; a first number is no change.
func (s *Service) fillPhone(e *edit, in PersonFields) *Error {
	u := &e.person.User
	if in.Phone == nil {
		return nil
	}
	phone, no := in.Phone.e164()
	if no != nil || phone == u.Phone {
		return no
	}
	if u.Phone != "" {
		switch limit := s.settings(u.Tenant).PhoneChanges; {
		case limit == 0:
			return refuse(CodePhoneFixed)
		case u.PhoneChanges >= limit:
			return refuse(CodePhoneChangeLimit)
		}
		u.PhoneChanges++
	}
	if follows(ByPhone, u.Username, u.Phone) {
		u.Username = phone
	}
	u.Phone, u.PhoneVerifiedAt, e.changed = phone, time.Time{}, append(e.changed, "phone")
	return nil
}

// follows reports whether a username is the identifier of another kind that is about to change.
func follows(kind IdentifierKind, username, former string) bool {
	if username == "" || former == "" {
		return false
	}
	name, err := Canonical(ByUsername, username)
	own, err2 := Canonical(kind, former)
	return err == nil && err2 == nil && name == own
}

// personal reports whether an edit changed more than the membership.
func (e *edit) personal() bool {
	return slices.ContainsFunc(e.changed, func(field string) bool { return field != "tag" && field != "roles" })
}

// edited carries out an edit of a user who is there already.
func (s *Service) edited(tx Tx, e *edit, in PersonFields) (*Error, error) {
	e.before = e.person.User
	if no := e.fill(in); no != nil {
		return no, nil
	}
	if no := e.fillRoles(in); no != nil {
		return no, nil
	}
	if no, err := s.mayReplace(tx, e, in); err != nil || no != nil {
		return no, err
	}
	if no := s.fillPhone(e, in); no != nil {
		return no, nil
	}
	return s.fillEmail(tx, e, in)
}

// mayReplace says why an address or a number may not be replaced, if it may not: they are what codes go to, so a user who has a way to
// prove more than a password needs a stepped-up token for it, and so does whoever manages them (A-078, B-20).
func (s *Service) mayReplace(tx Tx, e *edit, in PersonFields) (*Error, error) {
	replaces := in.Email != nil && *in.Email != e.before.Email
	if in.Phone != nil {
		phone, no := in.Phone.e164()
		replaces = replaces || no == nil && phone != e.before.Phone
	}
	if !replaces || s.steppedUp(e.caller.Bearer, e.now) {
		return nil, nil
	}
	bound, err := tx.Authenticators(e.before.Tenant, e.before.ID)
	if err == nil && slices.ContainsFunc(bound, func(a Authenticator) bool { return a.usable(e.before) }) {
		return refuse(CodeStepUpRequired), nil
	}
	return nil, err
}

// write puts an edited person into the store, with the notices that are due and an event. A new number voids the authenticator
// that was bound with the former one, and with it every step-up.
func (s *Service) write(tx Tx, e *edit, kind EventKind) error {
	if len(e.changed) == 0 {
		return nil
	}
	if err := s.writeUser(tx, e); err != nil {
		return err
	}
	m := e.person.Membership
	if err := tx.PutMembership(m); err != nil {
		return err
	}
	if slices.Contains(e.changed, "roles") { // they are in the tokens of /cis
		if _, err := tx.RevokeRefreshOf(m.Tenant, m.User, m.Identity.Ref, s.dir.Load().keepers(m.Tenant, onRoles), e.now); err != nil {
			return err
		}
	}
	return tx.AddEvents(e.event(s, kind))
}

// event says what was changed.
func (e *edit) event(s *Service, kind EventKind) Event {
	p := e.person
	ev := s.event(e.by, kind, e.now)
	ev.User, ev.Identity, ev.Note = p.User.ID, p.Membership.Identity.Ref, strings.Join(e.changed, " ")
	ev.Session = e.caller.Session.ID
	return ev
}

// writeUser is write for the user alone, without the event.
func (s *Service) writeUser(tx Tx, e *edit) error {
	if len(e.changed) == 0 {
		return nil
	}
	p := &e.person
	p.User.UpdatedAt = e.now
	if p.User.Phone != e.before.Phone && e.before.Phone != "" {
		if err := s.coolOff(tx, e); err != nil {
			return err
		}
		if err := s.weaken(tx, p.User, e.now); err != nil {
			return taken(err)
		}
		p.User.WeakenedAt = e.now
	} else if err := s.putUser(tx, p.User); err != nil {
		return taken(err)
	}
	return s.noticeContacts(tx, e)
}

// coolOff notes that a verified number was replaced (B-68). A change that the user made themself, stepped up, is the contract's own way to a
// new number, which cools off only where the tenant says so.
func (s *Service) coolOff(r Reads, e *edit) error {
	own := e.proved || e.caller.User.ID == e.before.ID && s.steppedUp(e.caller.Bearer, e.now)
	_, bound, err := s.authenticator(r, e.before, ChannelSMS)
	if (bound || !e.before.PhoneVerifiedAt.IsZero()) && (!own || s.settings(e.before.Tenant).SMS.CoolOwn) {
		e.person.User.PhoneChangedAt = e.now
	}
	return err
}

// noticeContacts tells the user of new addresses, at the former ones too.
func (s *Service) noticeContacts(tx Tx, e *edit) error {
	u := e.person.User
	var former []string
	if e.before.Email != "" && e.before.Email != u.Email {
		former = append(former, e.before.Email)
		if err := s.notice(tx, u, TemplateEmailChanged, "", e.now, former...); err != nil {
			return err
		}
	}
	if e.before.Phone == "" || e.before.Phone == u.Phone {
		return nil
	}
	if err := s.notice(tx, u, TemplatePhoneChanged, "", e.now, former...); err != nil {
		return err
	}
	full, err := s.countSMS(tx, spent{tenant: u.Tenant, to: e.before.Phone}, e.now)
	if err != nil {
		return err
	}
	if full != nil {
		return s.noteWithheld(tx, e.event(s, EventSMSWithheld), full)
	}
	return s.tell(tx, u, e.now, Message{Template: TemplatePhoneChanged, Kind: ParcelSMS, To: e.before.Phone})
}
