package auth

import (
	"context"
	"slices"
	"time"
)

// AuthenticatorKind is the kind of a thing bound to a user that can prove.
type AuthenticatorKind string

const (
	AuthenticatorSMS    AuthenticatorKind = "sms"
	AuthenticatorDevice AuthenticatorKind = "device"
)

// AuthenticatorStatus says whether an authenticator may be used.
type AuthenticatorStatus string

const (
	AuthenticatorPending  AuthenticatorStatus = "pending"  // binding has begun
	AuthenticatorActive   AuthenticatorStatus = "active"   // may be used
	AuthenticatorInactive AuthenticatorStatus = "inactive" // the user refused the binding
)

// Authenticator is a thing bound to a user that can prove possession of it. A password is kept apart, as Password. A user has at most
// one of a channel.
type Authenticator struct {
	Tenant    TenantID
	ID        string
	User      UserID
	Kind      AuthenticatorKind
	Channel   Channel // ChannelSMS for AuthenticatorSMS
	Status    AuthenticatorStatus
	Target    string // AuthenticatorSMS: the number it was bound with; good only while it is the user's
	Simulated bool   // answered from the sandbox's phone page
	CreatedAt time.Time
	BoundAt   time.Time // zero: not yet
}

// Standing is where a user stands with one channel, as GET /authentication_factors tells it.
type Standing struct {
	Channel Channel
	Status  AuthenticatorStatus
}

// Authenticators lists the user's authenticators. A phone number that is not bound yet is listed as pending, since clients look for it
// (contract/multi §2.4).
func (s *Service) Authenticators(ctx context.Context, by Actor, bearer string) ([]Standing, error) {
	b, err := s.Authenticate(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return nil, err
	}
	var bound []Authenticator
	err = s.store.View(ctx, func(r Reads) (err error) { bound, err = r.Authenticators(by.Tenant, b.User.ID); return err })
	if err != nil {
		return nil, err
	}
	all := []Standing{}
	phone := b.User.Phone != ""
	for _, a := range bound {
		if a.Kind == AuthenticatorSMS {
			if phone = false; b.User.Phone == "" {
				continue
			}
			if a.Target != b.User.Phone {
				a.Status = AuthenticatorPending
			}
		}
		all = append(all, Standing{a.Channel, a.Status})
	}
	if phone {
		all = append(all, Standing{ChannelSMS, AuthenticatorPending})
	}
	return all, nil
}

// bearerToBind authenticates a bearer who wants to change an authenticator of theirs.
func (s *Service) bearerToBind(ctx context.Context, by Actor, bearer string) (Bearer, error) {
	b, err := s.bearer(ctx, by, bearer, TokenAuth, TokenAccess)
	if err != nil {
		return b, err
	}
	if m, acts := b.membership(); acts && !m.Identity.SuspendedAt.IsZero() {
		return b, refuse(CodeCredentialsInactive)
	}
	return b, s.replayed(ctx, by)
}

// BindPhone sends a code to the user's phone number that binds it (contract/multi §2.4). A user who has another way to prove must have
// stepped up, or a password alone would add a factor (A-078, B-20).
//
// Errors: those of begin; CodeCredentialsInactive, CodeBindingUnsupported, CodeChannelUnsupported, CodeChannelBound, CodePhoneMissing,
// CodePhoneInvalid, CodePhoneCountry, CodeStepUpRequired, CodeLocked, CodeThrottled.
func (s *Service) BindPhone(ctx context.Context, by Actor, bearer string, channel Channel) error {
	b, err := s.bearerToBind(ctx, by, bearer)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, bound, no, err := s.bindable(tx, b, channel, ChannelSMS, now)
		if err == nil && no == nil {
			no = s.phoneFit(by.Tenant, account.User.Phone)
		}
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
		}
		if err := s.beginBinding(tx, bound, account.User, channel, false, now); err != nil {
			return Challenge{}, nil, err
		}
		c := b.challenge(PurposeBind, channel)
		c.Target = account.User.Phone
		c, no, err = s.sendCode(tx, by, account.User, c, Message{Template: TemplateBind, Kind: ParcelSMS, To: c.Target}, now)
		if no != nil && no.Code != CodeThrottled { // the contract has no other word for it here
			limit := Limit{Count: 1, Window: s.settings(by.Tenant).OTP.Wait}
			no = &Error{Code: CodeThrottled, RetryAfter: no.RetryAfter, Limits: []Limit{limit, limit}}
		}
		return c, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
	})
	return err
}

// bindable reads a user who wants to bind an authenticator of a channel, and says why they cannot.
func (s *Service) bindable(tx Tx, b Bearer, channel, want Channel, now time.Time) (Account, []Authenticator, *Error, error) {
	account, err := tx.AccountByUser(b.Token.Tenant, b.User.ID)
	if err != nil {
		return account, nil, nil, err
	}
	bound, err := tx.Authenticators(b.Token.Tenant, b.User.ID)
	usable := func(a Authenticator) bool { return a.usable(account.User) }
	var no *Error
	switch {
	case account.Attempts.locked(now):
		no = &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}
	case channel != want || !s.uses(b.Token.Tenant, channel):
		no = refuse(CodeChannelUnsupported)
	case len(account.Memberships) == 0:
		no = refuse(CodeBindingUnsupported)
	case slices.ContainsFunc(bound, func(a Authenticator) bool { return a.Channel == channel && usable(a) }):
		no = refuse(CodeChannelBound)
	case slices.ContainsFunc(bound, usable) && !s.steppedUp(b, now):
		no = refuse(CodeStepUpRequired)
	}
	return account, bound, no, err
}

// beginBinding makes the row of an authenticator that is not bound yet, or takes the one of a former binding.
// keyed is whether a real device answers for the user.
func (s *Service) beginBinding(tx Tx, bound []Authenticator, u User, channel Channel, keyed bool, now time.Time) error {
	a := Authenticator{Tenant: u.Tenant, ID: string(newUserID()), User: u.ID, Kind: AuthenticatorDevice, Channel: channel, CreatedAt: now}
	i := slices.IndexFunc(bound, func(a Authenticator) bool { return a.Channel == channel })
	if i >= 0 {
		a = bound[i]
	}
	a.Status, a.BoundAt = AuthenticatorPending, time.Time{}
	if channel == ChannelSMS {
		a.Kind, a.Target = AuthenticatorSMS, u.Phone
	} else {
		a.Simulated = s.sandbox && !keyed
	}
	if i >= 0 {
		return tx.PutAuthenticator(a)
	}
	return tx.AddAuthenticator(a)
}

// VerifyBindPhone binds the phone number on proof of the code. The first authenticator of a user also steps their token up, so that no
// second code is needed (contract/multi §2.4).
//
// Errors: those of begin and of proveCode; CodeCredentialsInactive, CodeBindingUnsupported, CodeChannelUnsupported, CodeChannelBound,
// CodeStepUpRequired, CodeLocked.
func (s *Service) VerifyBindPhone(ctx context.Context, by Actor, bearer string, channel Channel, code string) error {
	b, err := s.bearerToBind(ctx, by, bearer)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, _, no, err := s.bindable(tx, b, channel, ChannelSMS, now)
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
		}
		c, err := s.prior(tx, b.challenge(PurposeBind, channel))
		if err == nil && (c.Status == ChallengeApproved || c.ID == "") {
			no = refuse(CodeNoChallenge)
			return c, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, nil)
		}
		if err != nil {
			return c, nil, err
		}
		c, no, err = s.proveCode(tx, by, c, account.User.Phone, code, now)
		if err != nil || no != nil {
			return c, no, err
		}
		c.Token = b.Token.Hash
		return c, nil, s.bind(tx, by, c, account, now)
	})
	return err
}

// bind makes a pending authenticator active. The first one that a user has steps their token up, but for a number that cools off.
func (s *Service) bind(tx Tx, by Actor, c Challenge, account Account, now time.Time) error {
	u := account.User
	bound, err := tx.Authenticators(c.Tenant, c.User)
	if err != nil {
		return err
	}
	first := !slices.ContainsFunc(bound, func(a Authenticator) bool { return a.usable(u) })
	i := slices.IndexFunc(bound, func(a Authenticator) bool { return a.Channel == c.Channel })
	if i < 0 {
		return refuse(CodeNoChallenge)
	}
	a := bound[i]
	a.Status, a.BoundAt = AuthenticatorActive, now
	if c.Channel == ChannelSMS {
		a.Target, u.PhoneVerifiedAt, u.UpdatedAt = c.Target, now, now
		if err := s.putUser(tx, u); err != nil {
			return err
		}
	}
	if err := tx.PutAuthenticator(a); err != nil {
		return err
	}
	if err := s.notice(tx, u, TemplateBound, c.Channel, now); err != nil {
		return err
	}
	if err := tx.AddEvents(s.challengeEvent(by, EventBound, c, string(c.Channel), now)); err != nil {
		return err
	}
	m := membershipFor(account.Memberships, c.Identity)
	err = s.announce(tx, c.Tenant, s.challengeNews(c, m, StatusVerified, now)...)
	if err != nil || !first || c.Channel == ChannelSMS && !s.cooling(u, now).IsZero() {
		return err
	}
	method := MethodDevice
	if c.Channel == ChannelSMS {
		method = MethodSMS
	}
	return s.raise(tx, by, c, c.Token, account, method, now)
}

// putUser writes a changed user with the identifiers that follow from it.
func (s *Service) putUser(tx Tx, u User) error {
	ids, err := namesOf(tx, u)
	if err != nil {
		return err
	}
	return tx.PutUser(u, ids)
}

// bindingPolicy bounds the bindings of a device that a user begins and does not finish.
func bindingPolicy() locking {
	return locking{LockPolicy: LockPolicy{Failures: 5, For: 24 * time.Hour, ForgetAfter: 24 * time.Hour}}
}

// BindDevice asks the user on their device whether it may be bound (contract/multi §2.4). The outcome comes by webhook.
//
// Errors: those of begin; CodeCredentialsInactive, CodeAccessTokenRequired, CodeStepUpRequired, CodeBindingUnsupported,
// CodeChannelUnsupported, CodeChannelNotReady, CodeChannelBound, CodePhoneMissing, CodePhoneCountry, CodePasscodeMissing, CodeBindingLimit,
// CodeChallengeLimit, CodeLocked, CodeThrottled.
func (s *Service) BindDevice(ctx context.Context, by Actor, bearer string, channel Channel) error {
	b, err := s.bearerToBind(ctx, by, bearer)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, bound, no, err := s.bindable(tx, b, channel, ChannelAuthy, now)
		if err == nil && no == nil {
			no, err = s.deviceFit(tx, b, account, now)
		}
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
		}
		begun, no, err := s.countBinding(tx, b, now)
		if err != nil || no != nil {
			return Challenge{}, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
		}
		c, no, err := s.push(tx, by, account.User, b.challenge(PurposeBind, channel), Message{Template: TemplateBind}, now)
		if err != nil || no != nil {
			if no != nil && no.Code == CodeChallengeFlying {
				no = refuse(CodeChallengeLimit)
			}
			return c, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, err)
		}
		if _, err := tx.PutAttempts(by.Tenant, c.Subject, AttemptBinding, begun, begun.Version-1); err != nil {
			return c, nil, err
		}
		return c, nil, s.beginBinding(tx, bound, account.User, channel, c.Nonce != "", now)
	})
	return err
}

// deviceFit says why a user cannot bind a device, if they cannot.
func (s *Service) deviceFit(r Reads, b Bearer, account Account, now time.Time) (*Error, error) {
	devices, err := r.Devices(b.Token.Tenant, b.User.ID)
	switch no := s.phoneFit(b.Token.Tenant, account.User.Phone); {
	case err != nil:
		return nil, err
	case b.Token.Kind != TokenAccess:
		return refuse(CodeAccessTokenRequired), nil
	case !s.sandbox && len(devices) == 0:
		return refuse(CodeChannelNotReady), nil // there is no device that could answer
	case !s.steppedUp(b, now):
		return refuse(CodeStepUpRequired), nil
	case no != nil && no.Code == CodePhoneInvalid:
		return refuse(CodePhoneMissing), nil
	case no != nil:
		return no, nil
	case account.Password.Hash == "":
		return refuse(CodePasscodeMissing), nil
	}
	return nil, nil
}

// countBinding returns the counter of bindings begun with one more, or why there may be no more.
func (s *Service) countBinding(tx Tx, b Bearer, now time.Time) (Attempts, *Error, error) {
	a, err := tx.Attempts(b.Token.Tenant, SubjectOf(b.User.ID), AttemptBinding)
	if err != nil {
		return a, nil, err
	}
	version := a.Version
	a = a.aged(now, bindingPolicy())
	if a.locked(now) {
		return a, &Error{Code: CodeBindingLimit, RetryAfter: a.LockedUntil.Sub(now)}, nil
	}
	a = a.settle(failed, now, bindingPolicy())
	a.Version = version + 1
	return a, nil, nil
}

// refuseBinding ends a device's binding that its user refused or did not answer.
func (s *Service) refuseBinding(tx Tx, by Actor, c Challenge, status string, now time.Time) error {
	if !c.Channel.Pushed() {
		return nil
	}
	bound, err := tx.Authenticators(c.Tenant, c.User)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(bound, func(a Authenticator) bool { return a.Channel == c.Channel && a.Status == AuthenticatorPending })
	if i < 0 {
		return nil
	}
	bound[i].Status = AuthenticatorInactive
	if err := tx.PutAuthenticator(bound[i]); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, EventBindingRefused, c, status, now))
}

// UnbindDevice invalidates a device (contract/multi §2.4). What other tokens of the user were raised by counts no longer, and what is in
// flight on the device is cancelled.
//
// Errors: those of begin; CodeCredentialsInactive, CodeAccessTokenRequired, CodeStepUpRequired, CodeChannelUnbound.
func (s *Service) UnbindDevice(ctx context.Context, by Actor, bearer string, channel Channel) error {
	b, err := s.bearerToBind(ctx, by, bearer)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		c := b.challenge(PurposeBind, channel)
		account, err := tx.AccountByUser(by.Tenant, b.User.ID)
		if err != nil {
			return c, nil, err
		}
		a, bound, err := s.authenticator(tx, account.User, channel)
		var no *Error
		switch {
		case err != nil:
			return c, nil, err
		case b.Token.Kind != TokenAccess:
			no = refuse(CodeAccessTokenRequired)
		case !s.steppedUp(b, now):
			no = refuse(CodeStepUpRequired)
		case !bound || !channel.Pushed():
			no = refuse(CodeChannelUnbound)
		}
		if no != nil {
			return c, no, s.noteChallenge(tx, by, b, PurposeBind, channel, no, nil)
		}
		return c, nil, s.unbind(tx, by, b, c, a, account, now)
	})
	return err
}

func (s *Service) unbind(tx Tx, by Actor, b Bearer, c Challenge, a Authenticator, account Account, now time.Time) error {
	if _, err := tx.DropAuthenticator(a.Tenant, a.ID); err != nil {
		return err
	}
	if err := s.revokeDevices(tx, a, now); err != nil {
		return err
	}
	if err := s.weaken(tx, account.User, now); err != nil {
		return err
	}
	if raised, err := tx.StepUpToken(b.Token.Hash, now); err != nil || !raised { // the caller has just proved themselves
		return orRefuse(err, CodeInvalidToken)
	}
	if err := s.notice(tx, account.User, TemplateUnbound, a.Channel, now); err != nil {
		return err
	}
	if err := s.announce(tx, a.Tenant, s.challengeNews(c, b.standing(), StatusDeclined, now)...); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, EventInvalidated, c, string(a.Channel), now))
}

// weaken notes that a way to prove was taken from a user or replaced: step-ups before now count no longer, and what is in flight is
// cancelled.
func (s *Service) weaken(tx Tx, u User, now time.Time) error {
	u.WeakenedAt, u.UpdatedAt = now, now
	if err := s.putUser(tx, u); err != nil {
		return err
	}
	return s.cancelFlows(tx, u.Tenant, SubjectOf(u.ID), now)
}
