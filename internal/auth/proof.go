package auth

import (
	"errors"
	"time"
)

// counter names a counter of failures, with the policy that its caller's proofs are counted under.
type counter struct {
	tenant  TenantID
	subject Subject
	factor  AttemptFactor
	policy  locking
}

func (s *Service) counter(by Actor, subject Subject, f AttemptFactor) counter {
	return counter{by.Tenant, subject, f, s.rules(by).lock(f)}
}

// counterOf is where the failures of a challenge go.
func (s *Service) counterOf(by Actor, c Challenge) counter {
	return counter{c.Tenant, c.Subject, c.factor(), s.rules(by).codeLock(c)}
}

// read returns the counter as it stands now.
func (k counter) read(r Reads, now time.Time) (Attempts, error) {
	a, err := r.Attempts(k.tenant, k.subject, k.factor)
	return a.aged(now, k.policy), err
}

// settle writes one more proof to the counter: it held, or it did not.
func (k counter) settle(w Writes, proofs Attempts, o outcome, now time.Time) (Attempts, error) {
	from := proofs.Version
	proofs = proofs.settle(o, now, k.policy)
	proofs.Version = from + 1
	_, err := w.PutAttempts(k.tenant, k.subject, k.factor, proofs, from)
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
	counter := s.counter(by, p.subject, p.factor)
	count, err := counter.read(tx, now)
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
		count.Failures, count.FailedAt = counter.policy.limit(count.Failures)-1, now // the next one locks
	}
	if count, err = counter.settle(tx, count, outcome, now); err != nil || why == nil {
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
