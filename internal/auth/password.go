package auth

import (
	"context"
	"encoding/hex"
	"time"

	"golang.org/x/text/unicode/norm"

	"countersign/internal/passhash"
	"countersign/internal/seal"
)

// Password is the secret a user knows, as it is stored.
type Password struct {
	Tenant    TenantID
	User      UserID
	Version   int64 // of the row, from 1
	Hash      string
	Shape     string // what the hash costs; passhash.Shape
	SetAt     time.Time
	ExpiresAt time.Time // zero: never
	Expired   bool      // by an administrator or an import
	Temporary bool      // must be replaced at the first use
}

// dueFor says why a right password that is good until end is not enough: it expired, or it was temporary and the user has to choose one.
func (p Password) dueFor(end, now time.Time) (Code, bool) {
	switch {
	case p.Expired || (!end.IsZero() && !now.Before(end)):
		return CodePasswordExpired, true
	case p.Temporary:
		return CodePasswordTemp, true
	}
	return 0, false
}

// lapsed reports whether the time of a temporary password that was good until end is over: now it is good for nothing, not even for
// choosing another one.
func (p Password) lapsed(end, now time.Time) bool {
	return p.Temporary && !end.IsZero() && !now.Before(end)
}

// normalised is the form that is hashed: NFC, so that a composed and a decomposed accent are one password, and nothing else is
// changed.
func normalised(p seal.Secret) []byte { return norm.NFC.Bytes([]byte(p.Reveal())) }

func tooLong(field string, p seal.Secret) error {
	if len(p.Reveal()) > maxPasswordBytes {
		return refuseField(CodeInputTooLong, field)
	}
	return nil
}

// PasswordLogin is what a person gave to authenticate.
type PasswordLogin struct {
	Kind       IdentifierKind
	Identifier string
	Password   seal.Secret
}

// phantom is the subject under which tries at an identifier that nobody has are counted. It is a keyed hash: the table of attempts does
// not list what people typed.
func (s *Service) phantom(t TenantID, kind IdentifierKind, canonical string) Subject {
	sum := s.mac.Sum("phantom", []byte(t), []byte(kind), []byte(canonical))
	return Subject("none:" + hex.EncodeToString(sum[:16]))
}

// provePassword runs one password authentication up to the point where the password is known to be right, and reserves, verifies and,
// when it is wrong, settles the attempt. On success the attempt is still open: the caller settles it with what follows, and ends its visit.
//
// Errors: CodeIdentifierInvalid, CodeInputTooLong, CodeThrottled, CodeChannelUnsupported where the application has no passwords,
// CodeLocked, CodeBusy, CodeOverloaded, and the three that no dialect may tell apart: CodeUnknownUser, CodeNoPassword, CodeWrongPassword; CodeSuspended too, which counts as a failure, since anything
// else would tell that the account exists.
func (s *Service) provePassword(ctx context.Context, by Actor, in PasswordLogin) (*attempt, error) {
	if err := tooLong("password", in.Password); err != nil {
		return nil, err
	}
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return nil, err
	}
	visit, err := s.chargedVisit(ctx, by)
	if err != nil {
		return nil, err
	}
	a := &attempt{by: by, factor: AttemptPassword, visit: visit}
	defer a.leave()
	err = s.store.View(ctx, func(r Reads) (err error) {
		a.account, err = r.AccountByIdentifier(by.Tenant, in.Kind, canonical, s.phantom(by.Tenant, in.Kind, canonical))
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, s.prove(ctx, a, in.Password)
}

// enter waits until a caller may have the work of a password done, before anything else is done or counted for it (C-19). The visit has to
// end with Leave. Error: CodeOverloaded.
func (s *Service) enter(ctx context.Context) (*passhash.Visit, error) {
	visit, err := s.hasher.Enter(ctx)
	return visit, overloaded(err)
}

// chargedVisit is enter for a caller who is charged for what may fail. A caller who is not let in is not charged.
func (s *Service) chargedVisit(ctx context.Context, by Actor) (*passhash.Visit, error) {
	if err := s.charge(by); err != nil {
		return nil, err
	}
	visit, err := s.enter(ctx)
	if err != nil {
		s.refund(by)
	}
	return visit, err
}

// prove is provePassword for an account that has been read.
func (s *Service) prove(ctx context.Context, a *attempt, password seal.Secret) error {
	if err := s.current(ctx, a.by, a.account.Revision); err != nil {
		return err
	}
	rules := s.rules(a.by)
	if a.factor == AttemptPassword {
		if err := rules.passwords(); err != nil {
			return err
		}
	}
	a.policy, a.end = rules.lock(a.factor), rules.endOf(a.account.Password)
	if err := s.reserve(ctx, a); err != nil {
		s.noteRefusal(ctx, a, err)
		return err
	}
	right, err := s.verify(ctx, a, password)
	if err != nil {
		_ = s.settle(ctx, a, withdrawn, nil) // a reservation that cannot be given back stays counted, which is the safe side
		return err
	}
	code := CodeWrongPassword
	switch {
	case !a.account.Found:
		code = CodeUnknownUser
	case a.account.Password.Hash == "":
		code = CodeNoPassword
	case right && a.account.User.Status == UserSuspended:
		code = CodeSuspended
	case right:
		if a.factor == AttemptPassword {
			s.refund(a.by)
		}
		a.open = true
		return nil
	}
	if err := s.settle(ctx, a, failed, nil, s.refusal(a, code, s.now())); err != nil {
		return err
	}
	return refuse(code)
}

// noteRefusal writes the event of an attempt that was not made because of a lock or a crowd. The refusal stands whether or not it can
// be written: nothing changed.
func (s *Service) noteRefusal(ctx context.Context, a *attempt, why error) {
	code := CodeOf(why)
	if code != CodeLocked && code != CodeBusy {
		return
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	_ = s.store.Write(ctx, func(w Writes) error { return w.AddEvents(s.refusal(a, code, s.now())) })
}

// rehashed returns the present-day hash of a password just proved, when the stored one is of another kind or cost; nil otherwise. The
// hash may fail, and then the old one stays for now.
func (s *Service) rehashed(ctx context.Context, a *attempt, password seal.Secret) *Password {
	if s.hasher.Current(a.account.Password.Hash) {
		return nil
	}
	next, err := newHash(ctx, a.visit, password)
	if err != nil {
		return nil
	}
	p := a.account.Password
	p.Version, p.Hash, p.Shape = p.Version+1, next.Hash, next.Shape
	return &p
}

// hashing is a visit that is under way, or a hasher, which each call visits anew.
type hashing interface {
	Hash(context.Context, []byte) (string, error)
}

// newHash hashes a password with present-day parameters; only Hash and Shape are set.
func newHash(ctx context.Context, by hashing, password seal.Secret) (Password, error) {
	hash, err := by.Hash(ctx, normalised(password))
	if err != nil {
		return Password{}, overloaded(err)
	}
	shape, err := passhash.Shape(hash)
	return Password{Hash: hash, Shape: shape}, err
}
