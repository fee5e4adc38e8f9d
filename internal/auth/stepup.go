package auth

import (
	"context"
	"slices"
	"time"
)

// uses reports whether users of the tenant may be challenged over a channel.
func (s *Service) uses(t TenantID, c Channel) bool { return slices.Contains(s.settings(t).Channels, c) }

// StepUp sends a code by SMS that raises the bearer's token, and every later one of its session that is exchanged for it
// (contract/multi §2.3).
//
// Errors: those of begin; CodeLocked, CodeChannelUnsupported, CodeChannelUnbound, CodePhoneInvalid, CodePhoneCountry, CodeTooSoon,
// CodeChallengeLimit, CodeThrottled.
func (s *Service) StepUp(ctx context.Context, by Actor, bearer string, channel Channel) error {
	b, err := s.begin(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return err
	}
	if channel != ChannelSMS || !s.uses(by.Tenant, channel) {
		return s.refuseChallenge(ctx, by, b, PurposeStepUp, channel, refuse(CodeChannelUnsupported))
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, no, err := s.challenged(tx, b, channel, now)
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, err)
		}
		if no := s.phoneFit(by.Tenant, account.User.Phone); no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, nil)
		}
		c := b.challenge(PurposeStepUp, channel)
		c.Target = account.User.Phone
		c, no, err = s.sendCode(tx, by, account.User, c, Message{Template: TemplateStepUp, Kind: ParcelSMS, To: account.User.Phone}, now)
		return c, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, err)
	})
	return err
}

// challenge begins a challenge of a bearer's user.
func (b Bearer) challenge(p Purpose, channel Channel) Challenge {
	return Challenge{
		Tenant: b.Token.Tenant, Purpose: p, Channel: channel, Subject: SubjectOf(b.User.ID), User: b.User.ID, Session: b.Session.ID,
		Token: b.Token.Hash, Identity: b.Token.Identity,
	}
}

// challenged reads a user who is to be challenged over a channel, as they are inside the transaction, and says why they cannot be.
func (s *Service) challenged(tx Tx, b Bearer, channel Channel, now time.Time) (Account, *Error, error) {
	account, err := tx.AccountByUser(b.Token.Tenant, b.User.ID)
	if err != nil {
		return account, nil, err
	}
	if account.Attempts.locked(now) {
		return account, &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}, nil
	}
	_, bound, err := s.authenticator(tx, account.User, channel)
	if err == nil && !bound {
		return account, refuse(CodeChannelUnbound), nil
	}
	return account, nil, err
}

// authenticator finds the user's active authenticator of a channel. One that was bound with a number which is no longer the user's is
// none.
func (s *Service) authenticator(r Reads, u User, channel Channel) (Authenticator, bool, error) {
	all, err := r.Authenticators(u.Tenant, u.ID)
	for _, a := range all {
		if a.Channel == channel && a.usable(u) {
			return a, true, err
		}
	}
	return Authenticator{}, false, err
}

// usable reports whether an authenticator proves anything for its user now.
func (a Authenticator) usable(u User) bool {
	return a.Status == AuthenticatorActive && (a.Kind != AuthenticatorSMS || a.Target == u.Phone)
}

// noteChallenge writes the event of a challenge that was not begun; an error goes first.
func (s *Service) noteChallenge(w Writes, by Actor, b Bearer, p Purpose, channel Channel, no *Error, err error) error {
	if err != nil || no == nil {
		return err
	}
	return w.AddEvents(s.challengeEvent(by, EventChallengeRefused, b.challenge(p, channel), no.Code.String(), s.now()))
}

// refuseChallenge writes the same event where there is no transaction, and returns why.
func (s *Service) refuseChallenge(ctx context.Context, by Actor, b Bearer, p Purpose, channel Channel, why *Error) error {
	if err := s.store.Write(ctx, func(w Writes) error { return s.noteChallenge(w, by, b, p, channel, why, nil) }); err != nil {
		return err
	}
	return why
}

// VerifyStepUp raises the bearer's token on proof of the code; the same token string is worth more afterwards.
//
// Errors: those of begin and of proveCode; CodeLocked, CodeChannelUnsupported, CodeChannelUnbound, CodeAlreadyVerified.
func (s *Service) VerifyStepUp(ctx context.Context, by Actor, bearer string, channel Channel, code string) error {
	b, err := s.begin(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return err
	}
	if channel != ChannelSMS || !s.uses(by.Tenant, channel) {
		return s.refuseChallenge(ctx, by, b, PurposeStepUp, channel, refuse(CodeChannelUnsupported))
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, no, err := s.challenged(tx, b, channel, now)
		if err == nil && no == nil && s.steppedUp(b, now) {
			no = refuse(CodeAlreadyVerified)
		}
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, err)
		}
		c, err := s.prior(tx, b.challenge(PurposeStepUp, channel))
		if err != nil {
			return c, nil, err
		}
		if c.Status == ChallengeApproved || c.ID == "" { // a proof that was used, or none that was asked for
			no = refuse(CodeNoChallenge)
			return c, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, nil)
		}
		c, no, err = s.proveCode(tx, by, c, account.User.Phone, code, now)
		if err != nil {
			return c, nil, err
		}
		if no != nil {
			return c, no, s.announceFailure(tx, c, account, no, now)
		}
		return c, nil, s.raise(tx, by, c, b.Token.Hash, account, MethodSMS, now)
	})
	return err
}

// announceFailure tells the tenant of a challenge that a wrong code ended.
func (s *Service) announceFailure(tx Tx, c Challenge, account Account, no *Error, now time.Time) error {
	if c.Status != ChallengeFailed || !c.EndedAt.Equal(now) {
		return nil
	}
	return s.announce(tx, c.Tenant, s.challengeNews(c, membershipFor(account.Memberships, c.Identity), StatusDeclined, now)...)
}

// raise steps a token up, with its event and news. It fails with CodeInvalidToken when the session has ended meanwhile.
func (s *Service) raise(tx Tx, by Actor, c Challenge, token TokenHash, account Account, m Method, now time.Time) error {
	raised, err := tx.StepUpToken(token, now)
	if err != nil || !raised {
		return orRefuse(err, CodeInvalidToken)
	}
	if _, err := tx.JoinSession(c.Tenant, c.Session, []Method{m}, now); err != nil {
		return err
	}
	if err := tx.AddEvents(s.challengeEvent(by, EventSteppedUp, c, string(c.Channel), now)); err != nil {
		return err
	}
	up := c
	up.Purpose = PurposeStepUp
	return s.announce(tx, c.Tenant, s.challengeNews(up, membershipFor(account.Memberships, c.Identity), StatusVerified, now)...)
}

// StepUpDevice asks the user's device to raise the bearer's token. The answer comes by webhook, and is seen by the next call that needs
// the token raised.
//
// Errors: those of begin; CodeLocked, CodeChannelUnsupported, CodeChannelUnbound, CodeChallengeFlying when one is in flight or the
// token is raised already, CodeChallengeLimit, CodeThrottled.
func (s *Service) StepUpDevice(ctx context.Context, by Actor, bearer string, channel Channel) (Asked, error) {
	b, err := s.begin(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return Asked{}, err
	}
	if !channel.Pushed() || !s.uses(by.Tenant, channel) {
		return Asked{}, s.refuseChallenge(ctx, by, b, PurposeStepUp, channel, refuse(CodeChannelUnsupported))
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (Asked, *Error, error) {
		account, no, err := s.challenged(tx, b, channel, now)
		if err == nil && no == nil && s.steppedUp(b, now) {
			no = refuse(CodeChallengeFlying)
		}
		if err != nil || no != nil {
			return Asked{}, no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, err)
		}
		c, no, err := s.push(tx, by, account.User, b.challenge(PurposeStepUp, channel), Message{Template: TemplateStepUp}, now)
		return c.asked(), no, s.noteChallenge(tx, by, b, PurposeStepUp, channel, no, err)
	})
}
