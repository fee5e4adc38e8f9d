package auth

import (
	"context"
	"slices"
	"time"
)

// ContactProof is the code that came to an address or number which a user says is theirs.
type ContactProof struct {
	Kind    IdentifierKind // ByEmail or ByPhone
	Value   string
	Code    string
	Primary bool // it takes the place of the primary one, if that is verified; one that is not gives way in any case
}

// ownContact is an address or number that the user of a session wants to prove, and where it stands.
type ownContact struct {
	kind      IdentifierKind
	value     string // as it was given
	canonical string
	account   Account
	edit      *edit
	contact   contact // of the user's; zero: it is new
	known     bool    // contact is there
	foreign   bool    // it is another user's, which nobody is told
}

// contactChannel is the way to an address or a number.
func contactChannel(kind IdentifierKind) (Channel, Purpose) {
	if kind == ByPhone {
		return ChannelSMS, PurposeOwnPhone
	}
	return ChannelEmail, PurposeOwnEmail
}

// own finds where an address or number of the user of a session stands, and says why they may not prove it. A new one changes what codes
// go to, so that who has a second factor must have used one in the session (A-078, B-20).
//
// Verdicts: CodeInvalidToken, CodeIdentifierInvalid, CodePhoneInvalid, CodePhoneCountry, CodeEmailDomain, CodeAlreadyVerified, CodeLocked,
// CodeStepUpRequired; with Settings.RevealAccounts CodeUserExists.
func (s *Service) own(tx Tx, by Actor, live LiveSession, kind IdentifierKind, value string, now time.Time) (ownContact, *Error, error) {
	o := ownContact{kind: kind, value: value}
	canonical, err := Canonical(kind, value)
	if err != nil {
		return o, refuseField(CodeIdentifierInvalid, string(kind)), nil
	}
	o.canonical = canonical
	if no, err := s.outlived(tx, live, now); err != nil || no != nil {
		return o, no, err
	}
	if o.account, err = tx.AccountByUser(by.Tenant, live.User.ID); err != nil {
		return o, nil, err
	}
	if kind == ByPhone {
		if no := s.phoneFit(by.Tenant, canonical); no != nil {
			no.Field = string(kind)
			return o, no, nil
		}
	}
	o.edit = &edit{by: by, now: now, before: o.account.User, person: Person{User: o.account.User}, proved: live.multifactor()}
	c, no := o.edit.contact(kind, value)
	if o.contact, o.known = c, no == nil; o.known {
		return o, o.unproved(now), nil
	}
	if no, err := s.mayRefactor(tx, live, o.account, false); err != nil || no != nil {
		return o, no, err
	}
	no, err = s.vacant(tx, &o)
	return o, no, err
}

// unproved says why an address or number that the user has need not be proved, or may not.
func (o ownContact) unproved(now time.Time) *Error {
	u, locks := o.account.User, o.account.Attempts
	switch {
	case o.contact.first && !o.contact.proved.IsZero(), !o.contact.first && !u.Profile.verifiedAt(o.kind, o.canonical).IsZero():
		return refuseField(CodeAlreadyVerified, string(o.kind))
	case locks.locked(now):
		return &Error{Code: CodeLocked, RetryAfter: locks.LockedUntil.Sub(now)}
	}
	return nil
}

// vacant looks whether a new address or number is another user's.
func (s *Service) vacant(r Reads, o *ownContact) (*Error, error) {
	u := o.account.User
	var no *Error
	var err error
	if o.kind == ByEmail {
		u.Email = o.value
		no, err = s.emailFit(r, u)
	} else {
		u.Phone = o.canonical
		no, err = s.numberFit(r, &edit{before: o.account.User, person: Person{User: u}})
	}
	if err != nil || no == nil || no.Code != CodeUserExists {
		return no, err
	}
	if s.settings(u.Tenant).RevealAccounts {
		return no, nil
	}
	o.foreign = true
	return nil, nil
}

// SendContactCode sends a code to an address or number which the user of a session says is theirs: their own, or a new one (contract/cis
// §1.9). To one that is another user's it sends nothing, and succeeds all the same.
//
// Errors: those of own; CodeChannelUnsupported, CodeTooSoon, CodeChallengeLimit, CodeThrottled.
func (s *Service) SendContactCode(ctx context.Context, by Actor, live LiveSession, kind IdentifierKind, value string) error {
	channel, purpose := contactChannel(kind)
	if channel == ChannelSMS && !s.uses(by.Tenant, ChannelSMS) {
		return refuse(CodeChannelUnsupported)
	}
	return s.sendContact(ctx, by, live, kind, value, purpose, func(_ Challenge, m Message) (string, Message) {
		m.Code = s.newCode(by.Tenant, otpDigits)
		return m.Code, m
	})
}

// ownChallenge begins a challenge of the user of a session about an address or number.
func ownChallenge(by Actor, live LiveSession, purpose Purpose, channel Channel) Challenge {
	return Challenge{
		Tenant: by.Tenant, Purpose: purpose, Channel: channel, Subject: SubjectOf(live.User.ID), User: live.User.ID, Session: live.Session.ID,
	}
}

// sendContact sends what mint makes to an address or number which the user of a session says is theirs.
func (s *Service) sendContact(
	ctx context.Context, by Actor, live LiveSession, kind IdentifierKind, value string, purpose Purpose, mint minting,
) error {
	channel, _ := contactChannel(kind)
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		c, mint := ownChallenge(by, live, purpose, channel), mint
		o, no, err := s.own(tx, by, live, kind, value, now)
		if err != nil || no != nil {
			return c, no, s.noteUnsent(tx, by, c, no, err, now)
		}
		c.Target = o.canonical
		m := Message{Template: TemplateVerifyEmail, Kind: ParcelEmail, To: value}
		if channel == ChannelSMS {
			m.Template, m.Kind, m.To = TemplateBind, ParcelSMS, o.canonical
		}
		if o.foreign {
			m.Kind, m.To = ParcelDecoy, ""
			mint = func(_ Challenge, m Message) (string, Message) { return randomText(16), m } // nothing is right
		}
		no, err = s.sendTo(tx, by, loginAccount{Account: o.account}, c, m, mint, now)
		return c, no, s.noteUnsent(tx, by, c, no, err, now)
	})
	return err
}

// ProveContact notes that an address or number is the user's, on proof of the code that was sent there in the same session. A new one
// becomes the primary one when that is not verified or when it is to, else a secondary one. Failures count as those of other codes of the
// channel do (A-053, B-16).
//
// Errors: those of own; CodeThrottled, CodeOTPExpired; CodeWrongOTP, whatever else the reason.
func (s *Service) ProveContact(ctx context.Context, by Actor, live LiveSession, in ContactProof) error {
	if err := s.charge(by); err != nil {
		return err
	}
	channel, purpose := contactChannel(in.Kind)
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		c := ownChallenge(by, live, purpose, channel)
		o, no, err := s.own(tx, by, live, in.Kind, in.Value, now)
		if err != nil || no != nil {
			return c, no, s.noteUnsent(tx, by, c, no, err, now)
		}
		prior, err := s.prior(tx, c)
		if err != nil {
			return c, nil, err
		}
		if prior.ID != "" {
			c = prior
		}
		c, no, err = s.proveCode(tx, by, c, o.canonical, in.Code, now)
		if err != nil || no != nil {
			return c, told(no), err
		}
		if o.foreign { // by now
			return c, refuse(CodeWrongOTP), nil
		}
		return c, nil, s.takeContact(tx, o, in.Primary)
	})
	if err == nil {
		s.refund(by)
	}
	return err
}

// takeContact writes an address or number that was proved.
func (s *Service) takeContact(tx Tx, o ownContact, primary bool) error {
	c, u := o.contact, &o.edit.person.User
	var no *Error
	switch {
	case o.known:
		no = o.edit.verify(o.kind, c, primary)
	case *c.field == "" || c.proved.IsZero() || primary:
		value := o.value
		if no = o.edit.name(o.kind, c.field, &value); no == nil {
			*c.proved = o.edit.now
		}
	default:
		*c.list = append(slices.Clone(*c.list), o.value)
		u.Profile.SecondaryVerified = append(slices.Clone(u.Profile.SecondaryVerified), Verified{Value: o.value, At: o.edit.now})
		o.edit.changed = append(o.edit.changed, "secondary_"+string(o.kind))
	}
	if no != nil {
		return no
	}
	return s.putEdited(tx, o.edit)
}
