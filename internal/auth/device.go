package auth

import (
	"context"
	"errors"
	"time"
)

// push begins a challenge that a device answers. m is the message that wakes it; it holds nothing secret.
//
// Verdicts: CodeChallengeFlying, CodeChallengeLimit, CodeThrottled. None changes anything.
func (s *Service) push(tx Tx, by Actor, u User, c Challenge, m Message, now time.Time) (Challenge, *Error, error) {
	prior, err := s.prior(tx, c)
	if err != nil {
		return c, nil, err
	}
	if prior.pending(now) && prior.Channel.Pushed() && c.Purpose != PurposeLogin && prior.Digest == c.Digest {
		return c, refuse(CodeChallengeFlying), nil
	}
	if no, err := s.mayPush(tx, c, now); err != nil || no != nil {
		return c, no, err
	}
	if c.Purpose != PurposeLogin { // two callers may each log the user in
		if err := s.endChallenge(tx, prior, ChallengeIsCancelled, now); err != nil {
			return c, nil, err
		}
	}
	devices, err := s.key(tx, &c)
	if err != nil {
		return c, nil, err
	}
	c.ID, c.Version, c.Status, c.Key = newChallengeID(), 1, ChallengePending, by.Key
	c.Sends, c.CreatedAt, c.SentAt, c.ExpiresAt = 1, prior.followed(now), now, now.Add(s.settings(c.Tenant).Push.For)
	if err := tx.AddChallenge(c); err != nil {
		return c, nil, err
	}
	if err := s.wakeUp(tx, u, devices, c, m, now); err != nil {
		return c, nil, err
	}
	return c, nil, tx.AddEvents(s.challengeEvent(by, EventChallenged, c, "", now))
}

// maxDenials is after how many noes a user is left alone for the rest of the window.
const maxDenials = 2

// mayPush says why a device may not be asked now, if it may not: a person who is asked again and again says yes in the end.
func (s *Service) mayPush(r Reads, c Challenge, now time.Time) (*Error, error) {
	proofs, err := s.counter(Actor{Tenant: c.Tenant}, c.Subject, AttemptDevice).read(r, now)
	if err != nil {
		return nil, err
	}
	if proofs.locked(now) {
		return &Error{Code: CodeChallengeLimit, RetryAfter: proofs.LockedUntil.Sub(now)}, nil
	}
	limit := s.settings(c.Tenant).Push.Limit
	pushed, err := r.CountPushed(c.Tenant, c.Subject, limit.since(now))
	if err != nil {
		return nil, err
	}
	if pushed.Count >= limit.Count {
		return &Error{Code: CodeChallengeLimit, RetryAfter: limit.room(pushed, now)}, nil
	}
	denied, err := r.CountDenied(c.Tenant, c.Subject, limit.since(now))
	if err != nil {
		return nil, err
	}
	if denied.Count >= maxDenials {
		return &Error{Code: CodeChallengeLimit, RetryAfter: limit.room(denied, now)}, nil
	}
	return s.mayMessage(r, c.Tenant, c.User, now)
}

// DeviceLogin is what a back end sends to have a user log in on their device.
type DeviceLogin struct {
	Email    string      // that the device was bound with
	Identity IdentityRef // zero: whichever
}

// LoginDevice asks the bound device of the user with an e-mail address to log them in and step up in one (contract/multi §2.2.2). An
// address that nobody has and a user without a device are answered alike, at the same cost.
//
// Errors: CodeIdentifierInvalid, CodeThrottled, CodeLocked, CodeChannelUnsupported, CodeChannelUnbound, CodeChallengeLimit; CodeUnknownUser,
// only with Settings.RevealAccounts.
func (s *Service) LoginDevice(ctx context.Context, by Actor, in DeviceLogin) (Asked, error) {
	canonical, err := Canonical(ByEmail, in.Email)
	if err != nil {
		return Asked{}, err
	}
	if err := s.charge(by); err != nil {
		return Asked{}, err
	}
	now, phantom := s.now(), s.phantom(by.Tenant, ByEmail, canonical)
	asked, err := decide(ctx, s, by, func(tx Tx) (Asked, *Error, error) {
		account, err := tx.AccountByIdentifier(by.Tenant, ByEmail, canonical, phantom)
		if err != nil {
			return Asked{}, nil, err
		}
		u := account.User
		c := Challenge{
			Tenant: by.Tenant, Purpose: PurposeLogin, Channel: ChannelBiometric, Subject: account.Subject, User: u.ID, Identity: in.Identity,
			Target: canonical,
		}
		no, err := s.mayLogInByDevice(tx, account, c, now)
		if err == nil && no == nil {
			c, no, err = s.push(tx, by, u, c, Message{Template: TemplateLogin}, now)
		}
		if err != nil || no == nil {
			return c.asked(), nil, err
		}
		return Asked{}, no, tx.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, no.Code.String(), now))
	})
	if err == nil {
		s.refund(by)
	}
	return asked, err
}

// mayLogInByDevice says why a device login is refused, if it is. It reads the same for everybody.
func (s *Service) mayLogInByDevice(tx Tx, account Account, c Challenge, now time.Time) (*Error, error) {
	u := account.User
	u.Tenant = c.Tenant
	_, bound, err := s.authenticator(tx, u, c.Channel)
	if err != nil {
		return nil, err
	}
	_, err = choose(account.Memberships, c.Identity)
	foreign := !c.Identity.IsZero() && err != nil
	switch {
	case account.Attempts.locked(now):
		return &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}, nil
	case !s.uses(c.Tenant, c.Channel):
		return refuse(CodeChannelUnsupported), nil
	case !account.Found && s.settings(c.Tenant).RevealAccounts:
		return refuse(CodeUnknownUser), nil
	case !bound || foreign || u.Status == UserSuspended:
		return refuse(CodeChannelUnbound), nil
	}
	return nil, nil
}

// DeviceLoginResult is where a login by device stands.
type DeviceLoginResult struct {
	Status ChallengeStatus // pending, approved, denied, failed, expired or cancelled
	Token  string          // approved: an AUTH token that is stepped up, given out once
}

// CollectLogin returns how a login by device stands and, once, its token. Only the API key that began it may ask; it does not
// count as activity of the user.
//
// Errors: CodeNotFound, CodeNoChallenge when the token was given out before.
func (s *Service) CollectLogin(ctx context.Context, by Actor, id ChallengeID) (DeviceLoginResult, error) {
	now := s.now()
	text, hash := s.newToken(sealBearer)
	return decide(ctx, s, by, func(tx Tx) (DeviceLoginResult, *Error, error) {
		c, err := tx.Challenge(by.Tenant, id)
		if err != nil || c.Purpose != PurposeLogin || c.Key != by.Key {
			if err == nil || errors.Is(err, ErrNotFound) {
				err = refuse(CodeNotFound)
			}
			return DeviceLoginResult{}, nil, err
		}
		switch {
		case c.Status == ChallengeCollected:
			return DeviceLoginResult{}, refuse(CodeNoChallenge), tx.AddEvents(s.challengeEvent(by, EventTokenRefused, c, "collected", now))
		case c.Status == ChallengePending && !now.Before(c.ExpiresAt):
			return DeviceLoginResult{Status: ChallengeExpired}, nil, nil
		case c.Status != ChallengeApproved:
			return DeviceLoginResult{Status: c.Status}, nil, nil
		}
		if ended, err := s.uncollectable(tx, c, now); err != nil || ended != "" {
			return DeviceLoginResult{Status: ended}, nil, err
		}
		next, _ := c.Status.next(ChallengeIsCollected)
		c.Status = next
		c.Version++
		if moved, err := tx.PutChallenge(c, c.Version-1); err != nil || !moved {
			return DeviceLoginResult{}, nil, errors.Join(err, raced(moved))
		}
		t := Token{Tenant: by.Tenant, Hash: hash, Session: c.Session, Kind: TokenAuth, IssuedAt: now, SteppedUpAt: c.EndedAt}
		if err := tx.AddToken(t); err != nil {
			return DeviceLoginResult{}, nil, err
		}
		return DeviceLoginResult{ChallengeApproved, text}, nil, tx.AddEvents(s.challengeEvent(by, EventTokenIssued, c, string(TokenAuth), now))
	})
}

// uncollectable says how an approved login has ended before its token was fetched: its session ran out, or the user was locked, suspended or
// thrown out meanwhile (A-041, B-05); empty: it has not.
func (s *Service) uncollectable(r Reads, c Challenge, now time.Time) (ChallengeStatus, error) {
	live, err := r.Session(c.Tenant, c.Session)
	if errors.Is(err, ErrNotFound) {
		return ChallengeExpired, nil
	}
	switch {
	case err != nil, live.alive(now) && !now.Before(live.LockedUntil):
		return "", err
	case now.Before(live.LockedUntil), live.User.Status == UserSuspended, live.Session.Epoch != live.User.Epoch:
		return ChallengeCancelled, nil
	}
	return ChallengeExpired, nil
}

// admitDevice opens the session of a login that a device approved. The tenant's webhook gets a token of it, to be exchanged (contract/multi
// §5.4).
func (s *Service) admitDevice(tx Tx, by Actor, c *Challenge, account Account, now time.Time) error {
	u := account.User
	session := s.newSession(by, u, SurfaceMulti, MethodDevice, now)
	c.Session = session.ID
	if err := tx.AddSession(session); err != nil {
		return err
	}
	in := s.challengeEvent(by, EventLogin, *c, string(MethodDevice), now)
	news := s.challengeNews(*c, membershipFor(account.Memberships, c.Identity), StatusVerified, now)
	if tenant := s.dir.Load().tenants[c.Tenant]; tenant != nil && tenant.Webhook.URL != "" {
		text, hash := s.newToken(sealBearer)
		t := Token{Tenant: c.Tenant, Hash: hash, Session: session.ID, Kind: TokenAuth, IssuedAt: now, SteppedUpAt: now}
		if err := tx.AddToken(t); err != nil {
			return err
		}
		for i := range news {
			news[i].Token = text
		}
	}
	if u.Status == UserPending {
		if _, err := tx.ActivateUser(u.Tenant, u.ID, now); err != nil {
			return err
		}
	}
	if err := s.announce(tx, c.Tenant, news...); err != nil {
		return err
	}
	return tx.AddEvents(in)
}
