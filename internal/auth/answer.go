package auth

import (
	"context"
	"errors"
	"time"
)

// Decision is how a device answers a challenge.
type Decision string

const (
	Approve   Decision = "approve"
	Deny      Decision = "deny"
	FailProof Decision = "fail"   // its owner's biometrics did not match: a failure
	RunOut    Decision = "expire" // nobody answered: what a simulator plays without waiting
)

// PhoneRequest is a pending challenge that the sandbox's phone may answer.
type PhoneRequest struct {
	Challenge
	Email string
	Name  string
	Lines []string // of what is approved
}

// PendingOnDevice lists what simulated devices may answer now, oldest first. Only the sandbox has any.
func (s *Service) PendingOnDevice(ctx context.Context) ([]PhoneRequest, error) {
	if !s.sandbox {
		return nil, refuse(CodeNotFound)
	}
	now := s.now()
	all := []PhoneRequest{}
	err := s.store.View(ctx, func(r Reads) error {
		all = all[:0]
		for _, t := range s.Tenants() {
			pending, err := r.PendingChallenges(t.ID, "", inboxScan)
			if err != nil {
				return err
			}
			for _, c := range pending {
				if !c.pending(now) || c.Nonce != "" {
					continue
				}
				account, err := r.AccountByUser(t.ID, c.User)
				if err != nil {
					return err
				}
				lines, err := s.linkLines(r, c)
				if err != nil {
					return err
				}
				if lines == nil && c.Purpose == PurposeConfirm {
					continue
				}
				u := account.User
				all = append(all, PhoneRequest{c, u.Email, u.FullName(), lines})
			}
		}
		return nil
	})
	return all, err
}

// AnswerOnDevice answers a challenge as the user's simulated phone does, or a code's as the simulator of the contract may (contract/multi
// §2.10). It reports false when the challenge was no longer pending. Only the sandbox has such phones.
//
// Errors: CodeNotFound.
func (s *Service) AnswerOnDevice(ctx context.Context, t TenantID, user UserID, id ChallengeID, d Decision) (bool, error) {
	if !s.sandbox {
		return false, refuse(CodeNotFound)
	}
	now, by := s.now(), Actor{Tenant: t}
	return decide(ctx, s, by, func(tx Tx) (bool, *Error, error) {
		c, err := tx.Challenge(t, id)
		if errors.Is(err, ErrNotFound) || (err == nil && (c.User == "" || c.User != user || c.Nonce != "")) { // or a key answers it
			return false, nil, refuse(CodeNotFound)
		}
		if err != nil {
			return false, nil, err
		}
		account, err := tx.AccountByUser(t, c.User)
		if err != nil {
			return false, nil, err
		}
		answered, err := s.answer(tx, by, c, account, d, now)
		return answered, nil, err
	})
}

// answer moves a challenge by what its device says, with everything that follows. It reports false when the challenge takes no answer.
func (s *Service) answer(tx Tx, by Actor, c Challenge, account Account, d Decision, now time.Time) (bool, error) {
	able, err := s.answerable(tx, c, account, now)
	switch {
	case err != nil:
		return false, err
	case c.Status == ChallengePending && !now.Before(c.ExpiresAt):
		return false, s.runOut(tx, by, c, now)
	case !able:
		return false, s.void(tx, by, c, now)
	}
	s.bells.mark(c.Tenant, c.User) // the user's other devices have nothing to show any more
	switch d {
	case Approve:
		return true, s.approve(tx, by, c, account, now)
	case RunOut:
		return true, s.runOut(tx, by, c, now)
	case FailProof:
		if err := s.failProof(tx, by, c, now); err != nil {
			return false, err
		}
		if err := s.endChallenge(tx, c, ChallengeIsFailed, now); err != nil {
			return false, err
		}
		return true, s.ended(tx, by, c, account, StatusDeclined, now)
	}
	if err := s.endChallenge(tx, c, ChallengeIsDenied, now); err != nil {
		return false, err
	}
	if err := tx.AddEvents(s.challengeEvent(by, EventChallengeDenied, c, "", now)); err != nil {
		return false, err
	}
	return true, s.ended(tx, by, c, account, StatusDeclined, now)
}

// answerable reports whether a challenge may still be answered: by its clock, and because its user and authenticator are still there, the
// user still acts for whom it was begun, and no lock has fallen (A-041, A-085, B-05).
func (s *Service) answerable(tx Tx, c Challenge, account Account, now time.Time) (bool, error) {
	if !c.pending(now) || account.User.Status == UserSuspended || account.Attempts.locked(now) {
		return false, nil
	}
	if _, err := choose(account.Memberships, c.Identity); !c.Identity.IsZero() && err != nil {
		return false, nil
	}
	proofs, err := s.counterOf(Actor{Tenant: c.Tenant}, c).read(tx, now)
	if err != nil || proofs.locked(now) {
		return false, err
	}
	if c.Session != "" { // what it was begun in has to be there still
		live, err := tx.Session(c.Tenant, c.Session)
		if errors.Is(err, ErrNotFound) || (err == nil && !live.alive(now)) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if c.Purpose == PurposeConfirm {
		if same, err := s.linksUnchanged(tx, c); err != nil || !same {
			return false, err
		}
	}
	if c.Purpose == PurposeBind || !c.Channel.Pushed() {
		return true, nil
	}
	_, bound, err := s.authenticator(tx, account.User, c.Channel)
	return bound, err
}

// failProof counts an assertion that did not hold.
func (s *Service) failProof(tx Tx, by Actor, c Challenge, now time.Time) error {
	return s.missed(tx, by, c, now, s.challengeEvent(by, EventChallengeFailed, c, string(c.Channel), now))
}

// missed counts a failure of the subject of a challenge, with its events. A lock that holds already is not touched.
func (s *Service) missed(tx Tx, by Actor, c Challenge, now time.Time, events ...Event) error {
	proofs, err := s.counterOf(by, c).read(tx, now)
	if err != nil || proofs.locked(now) {
		return errors.Join(err, tx.AddEvents(events...))
	}
	if proofs, err = s.counterOf(by, c).settle(tx, proofs, failed, now); err != nil {
		return err
	}
	if proofs.locked(now) {
		events = append(events, s.challengeEvent(by, EventLocked, c, string(c.factor()), now))
	}
	return tx.AddEvents(events...)
}

// approve ends a challenge whose proof held, and does what it was for.
func (s *Service) approve(tx Tx, by Actor, c Challenge, account Account, now time.Time) error {
	proofs, err := s.counterOf(by, c).read(tx, now)
	if err != nil {
		return err
	}
	if _, err := s.counterOf(by, c).settle(tx, proofs, succeeded, now); err != nil {
		return err
	}
	if err := s.fulfil(tx, by, &c, account, now); err != nil {
		return err
	}
	_, err = s.putApproved(tx, by, c, now)
	return err
}

// fulfil does what an approved challenge was for.
func (s *Service) fulfil(tx Tx, by Actor, c *Challenge, account Account, now time.Time) error {
	method := MethodDevice
	if c.Channel == ChannelSMS {
		method = MethodSMS
	}
	switch c.Purpose {
	case PurposeStepUp:
		return s.raise(tx, by, *c, c.Token, account, method, now)
	case PurposeLogin:
		return s.admitDevice(tx, by, c, account, now)
	case PurposeBind:
		return s.bind(tx, by, *c, account, now)
	case PurposeConfirm:
		return s.confirmLinks(tx, *c, account, now)
	}
	return nil
}
