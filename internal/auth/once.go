package auth

import (
	"context"
	"errors"
	"time"
)

// OnceFor is how long a call's answer is kept to be given again; contract/multi §1.2 asks for a day.
const OnceFor = 48 * time.Hour

// OnceKey names one call of one caller that takes effect at most once; contract/multi §1.2.
type OnceKey struct {
	Tenant    TenantID
	Key       string // APIKey.ID of the caller
	Operation string // method and path
	Ref       string // the caller's own name for the call
}

// Once asks that a call take effect at most once.
type Once struct {
	Operation string
	Ref       string
	Digest    [32]byte // of the payload and of the bearer
	// Encode makes the answer of what the call came to: its result, or its refusal when that is not nil. It is called inside the
	// transaction, perhaps more than once.
	Encode func(result any, refusal *Error) (status int, body []byte)
}

// Answer is what a call was answered, to be answered again.
type Answer struct {
	OnceKey
	Digest    [32]byte
	Status    int
	Sealed    []byte // the body
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Replay is an answer that was given before, opened.
type Replay struct {
	Status int
	Body   []byte
}

func (by Actor) onceKey() OnceKey { return OnceKey{by.Tenant, by.Key, by.Once.Operation, by.Once.Ref} }

func (k OnceKey) place() string {
	return "answers/" + string(k.Tenant) + "/" + k.Key + "/" + k.Operation + "/" + k.Ref
}

// begin authenticates a bearer and, when the actor's call was made before, returns its answer as CodeReplayed. A caller whose session
// ended gets no answer of that session again.
//
// Errors: those of Authenticate, CodeReplayed, CodeOnceConflict.
func (s *Service) begin(ctx context.Context, by Actor, bearer string, kinds ...TokenKind) (Bearer, error) {
	b, err := s.Authenticate(ctx, by, bearer, kinds...)
	if err != nil {
		return b, err
	}
	return b, s.replayed(ctx, by)
}

// replayed fails with CodeReplayed when the actor's call has an answer already. It saves the work before the transaction; what counts
// is the look inside it.
func (s *Service) replayed(ctx context.Context, by Actor) error {
	if by.Once == nil {
		return nil
	}
	return s.store.View(ctx, func(r Reads) error { return s.answered(r, by) })
}

func (s *Service) answered(r Reads, by Actor) error {
	if by.Once == nil {
		return nil
	}
	a, err := r.Answer(by.onceKey())
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !s.now().Before(a.ExpiresAt):
		return nil
	case a.Digest != s.onceDigest(by.Once):
		return refuse(CodeOnceConflict)
	}
	body, err := s.ring.Open(a.place(), a.Sealed)
	if err != nil {
		return err
	}
	return &Error{Code: CodeReplayed, Replay: &Replay{a.Status, body}}
}

// decide runs one serialisable change of an actor's and returns what it made. fn returns a verdict beside its error: a refusal that is
// committed together with what fn has written, such as a failure that counts. A failed commit outranks the verdict.
//
// An actor's Once is kept in the same transaction: the answer is there if and only if the change is, whatever crashes. Of two that run
// at the same time the second finds the answer of the first.
func decide[R any](ctx context.Context, s *Service, by Actor, fn func(Tx) (R, *Error, error)) (R, error) {
	var out, zero R
	var verdict *Error
	err := s.update(ctx, by, func(tx Tx) (err error) {
		if err := s.answered(tx, by); err != nil {
			return err
		}
		if out, verdict, err = fn(tx); err != nil {
			return err
		}
		return s.keepAnswer(tx, by, out, verdict)
	})
	switch {
	case err != nil:
		return zero, err
	case verdict != nil:
		return zero, verdict
	}
	return out, nil
}

// keepAnswer writes the answer of the actor's call. A refusal with which nothing was counted is not kept, so that the caller may try the
// same call again later.
func (s *Service) keepAnswer(w Writes, by Actor, result any, verdict *Error) error {
	if by.Once == nil || (verdict != nil && !verdict.counted) {
		return nil
	}
	status, body := by.Once.Encode(result, verdict)
	key, now := by.onceKey(), s.now()
	sealed, err := s.ring.Seal(key.place(), body)
	if err != nil {
		return err
	}
	return w.AddAnswer(Answer{
		OnceKey: key, Digest: s.onceDigest(by.Once), Status: status, Sealed: sealed, CreatedAt: now, ExpiresAt: now.Add(OnceFor),
	})
}

// onceDigest is what is stored of a call's payload: keyed, since a payload may hold a password, and who reads the store must not be able
// to try passwords on its digest.
func (s *Service) onceDigest(o *Once) [32]byte { return s.mac.Sum("once", o.Digest[:]) }
