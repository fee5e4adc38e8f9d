package auth

import (
	"context"

	"countersign/internal/seal"
)

// Invite sends a user of the bearer's identity, who has no password yet, a code to make one with (contract/multi §2.6).
//
// Errors: those of begin; CodeNotPermitted, also for a root user and for one who is suspended; CodeUserNotFound, also for one without an e-mail address;
// CodeInviteConsumed, CodeThrottled.
func (s *Service) Invite(ctx context.Context, by Actor, bearer string, id UserID) error {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		d, no, err := s.dealingWith(tx, b, id)
		if err == nil && no == nil {
			no = d.invitable()
		}
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeInvite, ChannelEmail, no, err)
		}
		c := mailed(d.target, PurposeInvite, d.with.Identity.Ref)
		c, no, err = s.mail(tx, by, d.target, c, TemplateInvite, "", now)
		if err != nil {
			return c, nil, err
		}
		if no != nil { // the contract has one word for it here
			limit := Limit{Count: s.codePolicy(by, c).Sends, Window: mailPause}
			no = &Error{Code: CodeThrottled, RetryAfter: no.RetryAfter, Limits: []Limit{limit, limit}}
			return c, no, s.noteChallenge(tx, by, b, PurposeInvite, ChannelEmail, no, nil)
		}
		return c, nil, tx.AddEvents(s.challengeEvent(by, EventInvited, c, "", now))
	})
	return err
}

// invitable says why one user may not invite another, if they may not.
func (d dealing) invitable() *Error {
	switch {
	case !d.as.outranks(d.with):
		return refuse(CodeNotPermitted)
	case d.target.Password.Hash != "":
		return refuse(CodeInviteConsumed)
	case d.target.User.Email == "":
		return refuse(CodeUserNotFound)
	case !notSuspended(d.target) || !d.with.active():
		return refuse(CodeNotPermitted)
	}
	return nil
}

// InviteProof is the code of an invite, and what the user makes of it.
type InviteProof struct {
	User     UserID
	Code     string
	Password seal.Secret
	Phone    *PhoneNumber // nil: as it is
}

func (in InviteProof) mailed() mailProof {
	return mailProof{addressee{ByUserID, string(in.User), notSuspended}, PurposeInvite, in.Code, CodeInviteInvalid, ""}
}

// ValidateInvite says whether the code of an invite is right, and leaves it good. A wrong one counts (contract/multi §2.6).
//
// Errors: CodeInviteInvalid, CodeThrottled.
func (s *Service) ValidateInvite(ctx context.Context, by Actor, in InviteProof) error {
	_, err := s.checkMailed(ctx, by, in.mailed())
	return err
}

// ConsumeInvite gives an invited user their first password on proof of the code, and opens a session for them (contract/multi §2.6). What
// is not taken leaves the code good.
//
// Errors: those of replayed; CodeInputTooLong, CodeThrottled, CodeInviteInvalid; to the holder of the code only, CodePasswordExists,
// CodeActsForNobody, CodePhoneMalformed, the policy's, CodeOverloaded.
func (s *Service) ConsumeInvite(ctx context.Context, by Actor, in InviteProof) (Login, error) {
	if err := tooLong("password", in.Password); err != nil {
		return Login{}, err
	}
	if err := s.replayed(ctx, by); err != nil {
		return Login{}, err
	}
	proof := in.mailed()
	a, err := s.checkMailed(ctx, by, proof)
	if err != nil {
		return Login{}, err
	}
	p, phone, err := s.invitedPassword(ctx, a, in)
	if err != nil {
		return Login{}, s.refuseChange(ctx, by, a.User.ID, err)
	}
	return decide(ctx, s, by, func(tx Tx) (Login, *Error, error) {
		a, c, no, err := s.proveMailed(tx, by, proof, p.SetAt)
		if err != nil || no != nil {
			return Login{}, no, err
		}
		if err := s.acceptInvite(tx, by, &a, c, phone, p); err != nil {
			return Login{}, nil, err
		}
		login, err := s.firstLogin(tx, by, a, p, MethodEmail)
		return login, nil, err
	})
}

// invitedPassword makes the password of an invited user, once nothing else is in its way; and their phone number, if they gave one.
func (s *Service) invitedPassword(ctx context.Context, a Account, in InviteProof) (p Password, phone string, err error) {
	if err := creatable(a); err != nil {
		return p, "", err
	}
	if in.Phone != nil {
		var no *Error
		if phone, no = in.Phone.e164(); no != nil {
			return p, "", no
		}
	}
	p, err = s.createdPassword(ctx, a.User, in.Password)
	return p, phone, err
}

// acceptInvite writes what an invite leads to beside the password: the address is the user's, and so is the number they give.
func (s *Service) acceptInvite(tx Tx, by Actor, a *Account, c Challenge, phone string, p Password) error {
	if err := creatable(*a); err != nil {
		return err
	}
	if phone != "" && phone != a.User.Phone {
		e := &edit{by: by, now: p.SetAt, before: a.User, person: Person{User: a.User}}
		if no := e.name(ByPhone, &e.person.User.Phone, &phone); no != nil {
			return no
		}
		if err := s.putEdited(tx, e); err != nil {
			return err
		}
		a.User = e.person.User
	}
	if err := s.verifyEmail(tx, by, c, a.User, p.SetAt); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, EventInviteConsumed, c, "", p.SetAt))
}
