package auth

import (
	"context"
	"errors"
	"time"

	"countersign/internal/seal"
)

// StartRecovery sends a code to a user who has lost their password (contract/multi §2.5). It changes nothing on the account, works during a
// lock, and succeeds for an address that nobody has, for a suspended user, and when too many were sent.
//
// Errors: CodeIdentifierInvalid; with Settings.RevealAccounts CodeAccountNotFound and CodeAccountAmbiguous.
func (s *Service) StartRecovery(ctx context.Context, by Actor, email string) error {
	canonical, err := Canonical(ByEmail, email)
	if err != nil {
		return err
	}
	now, reveal := s.now(), s.settings(by.Tenant).RevealAccounts
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		a, read, err := s.byMail(tx, by.Tenant, addressee{ByEmail, canonical, notSuspended})
		if err != nil {
			return Challenge{}, nil, err
		}
		c := mailed(a, PurposeRecovery, IdentityRef{})
		var told *Error
		switch {
		case reveal && !read.Found:
			told = refuse(CodeAccountNotFound)
		case reveal && len(a.Memberships) > 1:
			told = refuse(CodeAccountAmbiguous)
		}
		send := func() (Challenge, *Error, error) { return s.mail(tx, by, a, c, TemplateRecovery, canonical, now) }
		return s.askRecovery(tx, by, c, told, send, now)
	})
	return err
}

// askRecovery sends the proof of a recovery unless told says why not. Why send did not is for the event alone.
func (s *Service) askRecovery(
	w Writes, by Actor, c Challenge, told *Error, send func() (Challenge, *Error, error), now time.Time,
) (Challenge, *Error, error) {
	no, reason := told, ""
	if no == nil {
		var err error
		if c, no, err = send(); err != nil {
			return c, nil, err
		}
	}
	if no != nil {
		reason = no.Code.String()
	}
	return c, told, w.AddEvents(s.challengeEvent(by, EventRecoveryAsked, c, reason, now))
}

// Recovery is a new password and the code that came by e-mail.
type Recovery struct {
	Email    string
	Code     string
	Password seal.Secret
}

// ResumeRecovery sets a new password on proof of the code. In one transaction it uses the code up, ends every session, token and refresh
// family of the user and what else is pending, lifts the lock of the password that was lost, and opens a session. The
// counters of other proofs stay. A password that is not taken leaves the code good.
//
// Errors: CodeIdentifierInvalid, CodeInputTooLong, CodeThrottled, CodeRecoveryInvalid; to the holder of the code only, CodePasswordMissing,
// CodePasswordUsed, the policy's, CodeOverloaded.
func (s *Service) ResumeRecovery(ctx context.Context, by Actor, in Recovery) (Login, error) {
	if err := tooLong("newPassword", in.Password); err != nil {
		return Login{}, err
	}
	canonical, err := Canonical(ByEmail, in.Email)
	if err != nil {
		return Login{}, err
	}
	p := mailProof{addressee{ByEmail, canonical, notSuspended}, PurposeRecovery, in.Code, CodeRecoveryInvalid, ""}
	a, err := s.checkMailed(ctx, by, p)
	if err != nil {
		return Login{}, err
	}
	next, err := s.recoveredPassword(ctx, by, a, in.Password)
	if err != nil {
		return Login{}, s.refuseChange(ctx, by, a.User.ID, err)
	}
	return decide(ctx, s, by, func(tx Tx) (Login, *Error, error) {
		a, c, no, err := s.proveMailed(tx, by, p, next.SetAt)
		if err != nil || no != nil {
			return Login{}, no, err
		}
		login, err := s.recover(tx, by, a, c, next)
		return login, nil, err
	})
}

// recoveredPassword makes the password that is to take the place of the lost one.
func (s *Service) recoveredPassword(ctx context.Context, by Actor, a Account, new seal.Secret) (Password, error) {
	if a.Password.Hash == "" {
		return Password{}, refuse(CodePasswordMissing)
	}
	policy := s.rules(by).passwordPolicy()
	if err := policy.check(new, a.User); err != nil {
		return Password{}, err
	}
	return s.replacement(ctx, &attempt{by: by, factor: AttemptPassword, account: a}, new, policy, false)
}

// recover writes a recovery.
func (s *Service) recover(tx Tx, by Actor, a Account, c Challenge, next Password) (Login, error) {
	now := next.SetAt
	if err := s.verifyEmail(tx, by, c, a.User, now); err != nil {
		return Login{}, err
	}
	events, err := s.replaceLost(tx, by, a, next)
	if err != nil {
		return Login{}, err
	}
	a.User.Epoch++ // raised by the swap
	return s.welcome(tx, by, a, MethodEmail, now, append(events, s.challengeEvent(by, EventRecovered, c, "", now))...)
}

// replaceLost puts a new password in the place of a lost one, ends all that the lost one opened, and forgives the failures at it.
func (s *Service) replaceLost(w Writes, by Actor, a Account, next Password) ([]Event, error) {
	next.Version = a.Password.Version + 1
	if swapped, err := w.SwapPassword(next, a.Password.Version, true, true); err != nil || !swapped {
		return nil, orRefuse(err, CodePasswordMissing)
	}
	if err := s.passwordChanged(w, by, a.User, next.SetAt); err != nil {
		return nil, err
	}
	return s.forgiveFailures(w, by, a, next.SetAt)
}

// forgiveFailures clears the failures of a password that is no more, and lifts the lock that they led to; one that a client
// set stays. Attempts that are under way stay counted.
func (s *Service) forgiveFailures(w Writes, by Actor, a Account, now time.Time) ([]Event, error) {
	was := a.Attempts
	if was.Failures == 0 && was.LockedUntil.IsZero() || was.held() {
		return nil, nil
	}
	cleared := was
	cleared.Version, cleared.Failures, cleared.LockedUntil = was.Version+1, 0, time.Time{}
	cleared = cleared.kept(s.rules(by).lock(AttemptPassword))
	if done, err := w.PutAttempts(by.Tenant, a.Subject, AttemptPassword, cleared, was.Version); err != nil || !done {
		return nil, errors.Join(err, raced(done))
	}
	if !was.locked(now) {
		return nil, nil
	}
	e := s.event(by, EventUnlocked, now)
	e.User, e.Note = a.User.ID, "by a recovery"
	return []Event{e}, nil
}

// passwordChanged ends whatever was under way for a user whose password has been replaced, recovery too, and tells them (A-012, A-014,
// A-080), unless the application does it.
func (s *Service) passwordChanged(w Writes, by Actor, u User, now time.Time) error {
	if _, err := w.CancelChallenges(u.Tenant, SubjectOf(u.ID), "", now); err != nil {
		return err
	}
	if _, err := s.endBrowsers(w, u.Tenant, u.ID, now, EventPasswordChanged); err != nil {
		return err
	}
	return s.announcePassword(w, by, u, now)
}

// announcePassword tells a user of a new password, unless the application does it.
func (s *Service) announcePassword(w Writes, by Actor, u User, now time.Time) error {
	if !s.rules(by).tells() {
		return nil
	}
	return s.notice(w, u, TemplatePasswordChanged, "", now)
}
