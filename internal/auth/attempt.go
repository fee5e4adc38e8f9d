package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/seal"
)

// maxPasswordBytes is where input is refused before it costs a hash.
const maxPasswordBytes = 1024

// errForgotten means that a database has gone down and come back without the reservation of an attempt.
var errForgotten = errors.New("the attempt is not counted any more")

// attempt is one try at an account's password, from its reservation to its settlement.
type attempt struct {
	by        Actor
	factor    AttemptFactor // a password, or the PIN of a device, for which it stands in the account
	challenge Challenge     // AttemptPIN: that the PIN is to approve
	policy    locking
	end       time.Time // of the password; zero: none
	account   Account   // Attempts is the row as this attempt last saw it
	line      int64     // of the row, when this attempt was reserved in it
	ended     *Event    // of a lock that the reservation found to have ended

	visit *passhash.Visit // until the outcome is written; nil: its caller proves nothing
	open  bool            // the secret is right, and its caller settles the attempt and ends the visit
}

// due says why the password is not enough although it is right.
func (a *attempt) due(now time.Time) (Code, bool) { return a.account.Password.dueFor(a.end, now) }

// leave ends the visit of an attempt that did not come so far that its caller does.
func (a *attempt) leave() {
	if !a.open {
		a.visit.Leave()
	}
}

// key names the account among the accounts of all tenants.
func (a *attempt) key() string { return string(a.by.Tenant) + "/" + string(a.account.Subject) }

// reserve counts the attempt before it is made. While as many attempts as may fail are in flight it waits, at most attemptWait: honest
// parallel logins all get through. It fails with CodeLocked or CodeBusy.
func (s *Service) reserve(ctx context.Context, a *attempt) error {
	// It bounds the waiting alone: a statement that it cut off would cost its connection.
	wait, cancel := context.WithTimeout(ctx, s.attemptWait)
	defer cancel()
	turn, err := s.takeTurn(ctx, wait, a)
	if err != nil {
		return err
	}
	defer s.turns.leave(a.key(), turn)
	for fresh := false; ; fresh = true { // what was read before the turn came is old
		now := s.now()
		next, code, ok := a.account.Attempts.reserve(now, a.policy)
		switch {
		case code == CodeLocked:
			return &Error{Code: CodeLocked, RetryAfter: next.LockedUntil.Sub(now)}
		case code == CodeBusy && fresh:
			if err := s.outside(ctx, a, func() error { return turn.wait(wait, 20*time.Millisecond) }); err != nil {
				return err
			}
		case ok:
			ended := !a.account.Attempts.LockedUntil.IsZero()
			done, err := s.putReservation(ctx, a, next)
			if err != nil {
				return err
			}
			if done {
				if ended {
					a.ended = s.lockEnded(a, now)
				}
				return nil
			}
		}
		if err := s.reread(ctx, a); err != nil {
			return err
		}
	}
}

// takeTurn waits for the turn of an attempt on its account. Most have it at once.
func (s *Service) takeTurn(ctx, wait context.Context, a *attempt) (turn *passage, err error) {
	if turn, ok := s.turns.try(a.key()); ok {
		return turn, nil
	}
	err = s.outside(ctx, a, func() (err error) { turn, err = s.turns.enter(wait, a.key()); return err })
	if err != nil && turn != nil { // it came, and the caller left
		s.turns.leave(a.key(), turn)
	}
	return turn, err
}

// outside waits for other attempts, and makes room for them meanwhile: a crowd on one account is not to keep everybody else out.
func (s *Service) outside(ctx context.Context, a *attempt, wait func() error) error {
	gaveUp := false
	err := a.visit.Outside(ctx, func() error {
		err := wait()
		gaveUp = err != nil
		return err
	})
	if gaveUp {
		return s.gaveUp(ctx, a)
	}
	return err
}

// gaveUp is the answer to a caller whose wait for a reservation ended; or ctx's error when it was the caller who left.
func (s *Service) gaveUp(ctx context.Context, a *attempt) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	limit := Limit{Count: a.policy.limit(0), Window: a.policy.lasts(a.policy.limit(0))}
	return &Error{Code: CodeBusy, RetryAfter: time.Second, Limits: []Limit{limit, limit}}
}

// putReservation writes the counter alone, and remembers what it wrote. An attempt that is alone at its account does not wait for the disk: the
// outcome does, which comes after it in the database's log, and before that nobody is told anything. One that a database has forgotten that went
// down in between is found out by its line, which the attempts beside it keep, and whose commits keep it.
func (s *Service) putReservation(ctx context.Context, a *attempt, next Attempts) (bool, error) {
	from, write := a.account.Attempts.Version, s.store.Write
	next.Version = from + 1
	if next.Pending == 1 {
		next.Version, write = firstOfLine(), s.store.WriteUnsynced
	}
	done := false
	err := write(ctx, func(w Writes) (err error) {
		done, err = w.PutAttempts(a.by.Tenant, a.account.Subject, a.factor, next, from)
		return err
	})
	if done && err == nil {
		a.account.Attempts, a.line = next, line(next.Version)
	}
	return done, err
}

func (s *Service) reread(ctx context.Context, a *attempt) error {
	return s.store.View(ctx, func(r Reads) (err error) {
		a.account.Attempts, err = r.Attempts(a.by.Tenant, a.account.Subject, a.factor)
		return err
	})
}

// verify hashes the password outside any transaction. An account without a password, or without a user, costs the same work, and so
// does one whose hash is older than today's parameters (A-029, B-10, B-11).
func (s *Service) verify(ctx context.Context, a *attempt, password seal.Secret) (bool, error) {
	shapes := s.shapes(a.by.Tenant)
	ok, err := a.visit.Verify(ctx, a.account.Password.Hash, normalised(password), shapes...)
	if ok && a.account.User.Status == UserSuspended { // refused all the same, and so at the cost of a refusal
		others := slices.DeleteFunc(shapes, func(shape string) bool { return shape == a.account.Password.Shape })
		if len(others) > 0 {
			_, err = a.visit.Verify(ctx, "", normalised(password), others...)
		}
	}
	return ok && err == nil, err
}

// settle ends the attempt and writes, in the same transaction, what its outcome leads to: rows and events. Two things may turn a success
// into a refusal, which settle returns after it has counted the attempt: a lock that fell meanwhile, and rows that find the world has
// moved on and return an *Error. Nobody may be told anything of an attempt that is not settled, nor of one that the database has forgotten,
// since others have been let try in its place: CodeOverloaded.
func (s *Service) settle(ctx context.Context, a *attempt, o outcome, rows func(Writes) error, events ...Event) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	defer s.turns.settled(a.key())
	var verdict *Error
	for {
		now := s.now()
		before := a.account.Attempts
		if line(before.Version) != a.line {
			return &Error{Code: CodeOverloaded, RetryAfter: time.Second, Cause: errForgotten}
		}
		next := before.settle(o, now, a.policy)
		next.Version = before.Version + 1
		if verdict == nil && o == succeeded && next.locked(now) {
			verdict = &Error{Code: CodeLocked, RetryAfter: next.LockedUntil.Sub(now)}
			rows, events = nil, []Event{s.refusal(a, verdict.Code, now)}
		}
		err := s.store.Write(ctx, func(w Writes) error {
			done, err := w.PutAttempts(a.by.Tenant, a.account.Subject, a.factor, next, before.Version)
			if err != nil || !done {
				return errors.Join(err, raced(done))
			}
			if rows != nil {
				if err := rows(w); err != nil {
					return err
				}
			}
			if next.locked(now) && !before.locked(now) && a.factor == AttemptPassword {
				if err := s.cancelFlows(w, a.by.Tenant, a.account.Subject, now); err != nil {
					return err
				}
			}
			return w.AddEvents(slices.Concat(s.turnsOf(a, before, next, now), events)...)
		})
		s.nudge()
		switch {
		case err == nil && verdict != nil:
			return verdict
		case errors.Is(err, ErrRaced):
			if err := s.reread(ctx, a); err != nil {
				return outOfTime(ctx, err)
			}
		case verdict == nil && errors.As(err, &verdict):
			rows, events = nil, []Event{s.refusal(a, verdict.Code, now)}
		default:
			return outOfTime(ctx, err)
		}
	}
}

// outOfTime gives an outcome that could not be written in settleTime its code: the database has more to do than it can. The attempt stays
// counted.
func outOfTime(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return noTime(err)
	}
	return err
}

// cancelFlows ends what a lock must not let through: whoever was in the middle of it begins again with the password (B-05, B-18).
// Recovery stays open, and an account that nobody has is treated alike.
func (s *Service) cancelFlows(w Writes, t TenantID, subject Subject, now time.Time) error {
	for _, p := range []Purpose{
		PurposeStepUp, PurposeBind, PurposeLogin, PurposeConfirm, PurposeSecondFactor, PurposeLoginCode, PurposeLoginLink,
		PurposeLoginKey, PurposeTransaction, PurposeOwnEmail, PurposeOwnPhone, PurposeOwnLink,
	} {
		if _, err := w.CancelChallenges(t, subject, p, now); err != nil {
			return err
		}
	}
	return nil
}

// refusal is the event of an attempt that did not let the user in.
func (s *Service) refusal(a *attempt, c Code, now time.Time) Event {
	if a.factor == AttemptPIN {
		if c == CodeWrongPassword {
			c = CodePINWrong
		}
		return s.challengeEvent(a.by, EventAnswerRefused, a.challenge, c.String(), now)
	}
	e := s.event(a.by, EventLoginRefused, now)
	e.User, e.Reason = a.account.User.ID, c.String()
	return e
}

// lockReason says of what the lock is; that of the password is the user's.
func (a *attempt) lockReason() string {
	if a.factor == AttemptPassword {
		return ""
	}
	return string(a.factor)
}

// lockEnded begins the event of a lock that had ended before this attempt.
func (s *Service) lockEnded(a *attempt, now time.Time) *Event {
	e := s.event(a.by, EventUnlocked, now)
	e.User, e.Reason, e.Note = a.account.User.ID, a.lockReason(), "the lock ended"
	return &e
}

// turnsOf lists the events of a counter whose lock ended before this attempt, or that it locked.
func (s *Service) turnsOf(a *attempt, before, after Attempts, now time.Time) []Event {
	var events []Event
	if a.ended != nil {
		events = append(events, *a.ended)
	}
	if after.locked(now) && !before.locked(now) {
		e := s.event(a.by, EventLocked, now)
		e.User, e.Reason, e.Note = a.account.User.ID, a.lockReason(), "until "+after.LockedUntil.Format(time.RFC3339)
		events = append(events, e)
	}
	return events
}
