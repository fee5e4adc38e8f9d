package auth

import (
	"slices"
	"time"
)

// Why an SMS was withheld, beside the scopes of budgets.
const withheldCooling = "cool-off"

// cooling is until when codes by SMS to the user's number prove nothing but that it is theirs: the number took the place of a verified one
// not long ago, and whoever had it replaced may not be the user (B-68, A-060). Zero: they prove what they do.
func (s *Service) cooling(u User, now time.Time) time.Time {
	until := u.PhoneChangedAt.Add(s.settings(u.Tenant).SMS.CoolOff)
	if u.PhoneChangedAt.IsZero() || !now.Before(until) {
		return time.Time{}
	}
	return until
}

// provesUser reports whether the code of a challenge proves its user, and not only where it went.
func (c Challenge) provesUser() bool {
	return c.Purpose == PurposeStepUp || c.Purpose == PurposeSecondFactor || c.Purpose == PurposeConfirm || c.anonymous()
}

// anonymous reports whether a challenge is begun for somebody who is not logged in, so that nothing may be told of them.
func (c Challenge) anonymous() bool {
	return c.Purpose == PurposeLoginCode || c.Purpose == PurposeRecovery
}

// admitSMS says what holds up the code of a challenge that goes by SMS, and counts it if nothing does. Who is not logged in, and must not
// learn whether there is an account, is told of what is the same for everybody alone: the tenant's budget and the server's. Where it is the
// number that gets no code, nothing is sent, no code is right, and the answer is as if one had been sent; withheld says so.
//
// Verdicts: CodeChallengeLimit during a cool-off; CodeThrottled.
func (s *Service) admitSMS(w Writes, by Actor, u User, c Challenge, m Message, now time.Time) (_ Message, withheld bool, _ *Error, _ error) {
	if c.Channel != ChannelSMS {
		return m, false, nil, nil
	}
	silent := c.anonymous() && !s.settings(c.Tenant).RevealAccounts
	e := s.challengeEvent(by, EventSMSWithheld, c, withheldCooling, now)
	if until := s.cooling(u, now); !until.IsZero() && c.provesUser() && m.To == u.Phone {
		if err := w.AddEvents(e); err != nil {
			return m, false, nil, err
		}
		if !silent {
			return m, false, &Error{Code: CodeChallengeLimit, RetryAfter: until.Sub(now)}, nil
		}
		m.Kind, withheld = ParcelDecoy, true
	}
	full, err := s.countSMS(w, smsOf(c, m), now)
	if err != nil || full == nil {
		return m, withheld, nil, err
	}
	if !withheld {
		if err := s.noteWithheld(w, e, full); err != nil {
			return m, false, nil, err
		}
	}
	if shared := full.Scope == SMSTenant || full.Scope == SMSServer; shared || !silent {
		return m, false, &Error{Code: CodeThrottled, RetryAfter: full.EndsAt.Sub(now), Limits: []Limit{full.limit, full.limit}}, nil
	}
	m.Kind = ParcelDecoy
	return m, true, nil, nil
}

// unknowable makes a proof that nobody is sent and nobody can guess.
func unknowable(_ Challenge, m Message) (string, Message) { return randomText(16), m }

// recovers reports whether what a reset has proved is enough for a new password: as much as the application asks for, and more than a code
// by SMS where the user has a stronger factor, unless the tenant says otherwise or the client vouches for them (B-68).
func (s *Service) recovers(r Reads, by Actor, u User, methods []Method) (bool, error) {
	rules := s.rules(by)
	other := func(m Method) bool { return m != MethodSMS }
	if !rules.enough(methods) || rules.SMS.Alone || slices.ContainsFunc(methods, other) {
		return rules.enough(methods), nil
	}
	strong, err := s.stronger(r, u)
	return !strong, err
}

// stronger reports whether a user has a factor that is worth more than a code by SMS: a passkey, an app that shows codes, a device, or a key
// of one.
func (s *Service) stronger(r Reads, u User) (bool, error) {
	bound, err := r.Authenticators(u.Tenant, u.ID)
	if err != nil {
		return false, err
	}
	passkeys, err := r.PasskeysOf(u.Tenant, u.ID)
	if err != nil {
		return false, err
	}
	app, err := totpOf(r, u)
	if err != nil {
		return false, err
	}
	keys, err := r.UserKeys(u.Tenant, u.ID)
	if err != nil {
		return false, err
	}
	return len(passkeys) > 0 || app.Version > 0 || slices.ContainsFunc(keys, func(k UserKey) bool { return k.Use == KeyBiometric }) ||
		slices.ContainsFunc(bound, func(a Authenticator) bool { return a.Kind == AuthenticatorDevice && a.usable(u) }), nil
}
