package auth

import (
	"errors"
	"time"
)

// proofs returns the subject's counter for a factor as it stands now, and whether it is locked.
func (s *Service) proofs(r Reads, t TenantID, subject Subject, f AttemptFactor, now time.Time) (Attempts, error) {
	a, err := r.Attempts(t, subject, f)
	return a.aged(now, s.settings(t).Lockout), err
}

// settleProofs writes one more proof of a subject to its counter: it held, or it did not.
func (s *Service) settleProofs(
	w Writes, t TenantID, subject Subject, f AttemptFactor, proofs Attempts, o outcome, now time.Time,
) (Attempts, error) {
	from := proofs.Version
	proofs = proofs.settle(o, now, s.settings(t).Lockout)
	proofs.Version = from + 1
	_, err := w.PutAttempts(t, subject, f, proofs, from)
	return proofs, err
}

// proof is a try at one authenticator that has a counter of its own: a key, a passkey, an app. The subject is that of one that nobody has,
// too.
type proof struct {
	subject Subject
	factor  AttemptFactor
	refused Event // of a try that is not taken; its reason is filled in
	as      Code  // what whoever tried is told, whatever did not hold
}

// errCopied means that an authenticator is in two places: it is locked at once.
var errCopied = errors.New("somebody else has the key, too")

// judged judges a proof, unless its counter is locked, and counts it. judge says why it does not hold; it is not asked under a lock.
//
// Verdicts: CodeLocked, p.as.
func (s *Service) judged(tx Tx, by Actor, p proof, now time.Time, judge func() (why, err error)) (*Error, error) {
	count, err := s.proofs(tx, by.Tenant, p.subject, p.factor, now)
	if err != nil {
		return nil, err
	}
	if count.locked(now) {
		p.refused.Reason = CodeLocked.String()
		return &Error{Code: CodeLocked, RetryAfter: count.LockedUntil.Sub(now)}, tx.AddEvents(p.refused)
	}
	why, err := judge()
	if err != nil {
		return nil, err
	}
	outcome := succeeded
	if why != nil {
		outcome = failed
	}
	if errors.Is(why, errCopied) {
		count.Failures, count.FailedAt = s.settings(by.Tenant).Lockout.Failures, now
	}
	if count, err = s.settleProofs(tx, by.Tenant, p.subject, p.factor, count, outcome, now); err != nil || why == nil {
		return nil, err
	}
	p.refused.Reason = p.as.String()
	var own *Error
	if errors.As(why, &own) {
		p.refused.Reason = own.Code.String()
	}
	events := []Event{p.refused}
	if count.locked(now) {
		locked := s.event(by, EventLocked, now)
		locked.User, locked.Reason, locked.Note = p.refused.User, string(p.factor), "until "+count.LockedUntil.Format(time.RFC3339)
		events = append(events, locked)
	}
	return &Error{Code: p.as, Cause: why, counted: true}, tx.AddEvents(events...)
}

// orNone is a reason, or that there is none.
func orNone(no *Error) error {
	if no == nil {
		return nil
	}
	return no
}
