package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
)

// A reset may ask for two factors (contract/cis §1.3). The proof of the first is a reset token that is not good for a password yet. The
// second is begun with it, and its proof is another token, which stands for both.

// methodTrusted is what a client vouches for in the place of a second factor. It never leaves the reset.
const methodTrusted Method = "trusted"

// ResetToken is what the proof of a factor is worth.
type ResetToken struct {
	Text string
	More bool // another factor is asked for before it is good for a password
}

// enough reports whether what a reset has proved is as much as the application asks for. A code and a link by e-mail prove the same mailbox.
func (r rules) enough(methods []Method) bool {
	m := r.methods.Password
	if m == nil || m.Off || !m.TwoFactors || slices.Contains(methods, methodTrusted) {
		return true
	}
	proved := make(map[Method]bool)
	for _, method := range methods {
		if method == MethodLink {
			method = MethodEmail
		}
		proved[method] = true
	}
	return len(proved) > 1
}

// vouched marks a challenge of a reset for which the client vouches.
func (s *Service) vouched(c Challenge) [32]byte {
	return s.mac.Sum("reset without a second factor", []byte(c.Tenant), []byte(c.Subject))
}

// linkFirst begins the reference to a first factor that was a link, whose challenge follows; any other is the session of its token.
const linkFirst = "link "

// firstFactor is what the second factor of a reset is begun with.
type firstFactor struct {
	ref     SessionID
	user    UserID
	methods []Method
	link    Challenge // of one that was a link
}

// first reads what a reset token of the actor's client has proved. Verdict: CodeRecoveryInvalid.
func (s *Service) first(r Reads, by Actor, token string, now time.Time) (firstFactor, *Error, error) {
	if l, ok := s.openResetLink(token); ok {
		if l.tenant != by.Tenant || l.client != by.Client {
			return firstFactor{}, refuse(CodeRecoveryInvalid), nil
		}
		return s.firstOf(r, by.Tenant, SessionID(linkFirst+string(l.challenge)), now, l.secret)
	}
	secret, ok := s.openToken(sealBearer, token)
	if !ok {
		return firstFactor{}, refuse(CodeRecoveryInvalid), nil
	}
	b, err := r.Bearer(sha256.Sum256(secret[:]))
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (!b.resets(now) || b.Token.Tenant != by.Tenant || b.Session.Client != by.Client):
		return firstFactor{}, refuse(CodeRecoveryInvalid), nil
	case err != nil:
		return firstFactor{}, nil, err
	}
	return firstFactor{ref: b.Session.ID, user: b.User.ID, methods: b.Session.Methods}, nil, nil
}

// firstOf reads the first factor that a challenge refers to, if it is still good; of a link with its secret, unless that has been looked at.
// Verdict: CodeRecoveryInvalid.
func (s *Service) firstOf(r Reads, t TenantID, ref SessionID, now time.Time, secret ...string) (firstFactor, *Error, error) {
	id, isLink := strings.CutPrefix(string(ref), linkFirst)
	if !isLink {
		live, err := r.Session(t, ref)
		if errors.Is(err, ErrNotFound) || err == nil && (!live.alive(now) || live.Session.Surface != SurfaceReset) {
			return firstFactor{}, refuse(CodeRecoveryInvalid), nil
		}
		return firstFactor{ref: ref, user: live.User.ID, methods: live.Session.Methods}, nil, err
	}
	c, err := r.Challenge(t, ChallengeID(id))
	good := err == nil && c.Purpose == PurposeRecovery && c.User != "" && c.pending(now)
	if good && len(secret) > 0 {
		_, _, good, err = s.linked(r, resetLinkToken{tenant: t, challenge: c.ID, secret: secret[0]}, now)
	}
	if !good && (err == nil || errors.Is(err, ErrNotFound)) {
		return firstFactor{}, refuse(CodeRecoveryInvalid), nil
	}
	return firstFactor{ref: ref, user: c.User, methods: []Method{MethodLink}, link: c}, nil, err
}

// proved is what the proof of a challenge amounts to, with what it was begun with. Verdict: CodeRecoveryInvalid.
func (s *Service) proved(r Reads, c Challenge, m Method, now time.Time) ([]Method, firstFactor, *Error, error) {
	methods := []Method{m}
	if c.Digest == s.vouched(c) {
		methods = append(methods, methodTrusted)
	}
	if c.Session == "" {
		return methods, firstFactor{}, nil, nil
	}
	f, no, err := s.firstOf(r, c.Tenant, c.Session, now)
	if err == nil && no == nil && f.user != c.User {
		no = refuse(CodeRecoveryInvalid)
	}
	return append(slices.Clone(f.methods), methods...), f, no, err
}

// spendFirst ends a first factor that a second has taken the place of. Error: CodeRecoveryInvalid, when another one has.
func (s *Service) spendFirst(w Writes, t TenantID, f firstFactor, now time.Time) error {
	if f.ref == "" {
		return nil
	}
	var done bool
	var err error
	if c := f.link; c.ID != "" {
		c.Status, _ = c.Status.next(ChallengeIsApproved)
		c.EndedAt = now
		c.Version++
		done, err = w.PutChallenge(c, c.Version-1)
	} else {
		done, err = w.EndSession(t, f.ref, now, "reset")
	}
	if err == nil && !done {
		err = refuse(CodeRecoveryInvalid)
	}
	return err
}

// voidFirst ends a link which another factor was begun with, for whoever begins anew: the newest request voids those before. What has
// no such link is voided where the new one is sent.
func (s *Service) voidFirst(tx Tx, c Challenge, now time.Time) error {
	prior, err := s.prior(tx, c)
	if err != nil || !strings.HasPrefix(string(prior.Session), linkFirst) {
		return err
	}
	_, err = tx.CancelChallenges(c.Tenant, c.Subject, c.Purpose, now)
	return err
}

// begunWith ties a challenge to the factor that was proved before it, and to what the client vouches for. Verdict: CodeRecoveryInvalid.
func (s *Service) begunWith(tx Tx, by Actor, c Challenge, in ResetRequest, now time.Time) (Challenge, *Error, error) {
	if in.Trusted {
		c.Digest = s.vouched(c)
	}
	if in.Previous == "" {
		return c, nil, s.voidFirst(tx, c, now)
	}
	f, no, err := s.first(tx, by, in.Previous, now)
	if err == nil && no == nil && f.user != c.User {
		no = refuse(CodeRecoveryInvalid)
	}
	if err != nil || no != nil {
		return c, no, err
	}
	latest, err := s.prior(tx, c) // of any first factor: the new challenge has to be the latest of all
	c.Session, c.CreatedAt = f.ref, latest.followed(now)
	return c, nil, err
}

// ProveOldPassword turns a user's present password into a reset token, also one that has expired or is temporary. It is an attempt like a
// login's. The call has no credentials of a client: it names one.
//
// previous is the reset token of the factor that was proved before; empty: none.
//
// Errors: CodeIdentifierInvalid, CodeInputTooLong, CodeThrottled, CodeChannelUnsupported, CodeLocked, CodeBusy, CodeOverloaded,
// CodeMaintenance; CodePasswordIncorrect for an unknown client, an unknown or suspended user and a wrong password alike; CodeRecoveryInvalid
// for a previous that is not the user's or not good.
func (s *Service) ProveOldPassword(ctx context.Context, via Via, id ClientID, in PasswordLogin, previous string) (ResetToken, error) {
	by := Actor{Client: id, Via: via}
	err := s.lookup(ctx, func(d *directory) error {
		c := d.clients[id]
		if c == nil || !c.DisabledAt.IsZero() {
			return refuse(CodePasswordIncorrect)
		}
		by.Tenant = c.Tenant
		return d.open(c.Tenant)
	})
	if CodeOf(err) == CodePasswordIncorrect {
		if err := s.charge(Actor{Via: via}); err != nil {
			return ResetToken{}, err
		}
	}
	if err != nil {
		return ResetToken{}, err
	}
	a, err := s.provePassword(ctx, by, in)
	switch CodeOf(err) {
	case CodeUnknownUser, CodeNoPassword, CodeWrongPassword, CodeSuspended:
		return ResetToken{}, refuse(CodePasswordIncorrect)
	}
	if err != nil {
		return ResetToken{}, err
	}
	defer a.visit.Leave()
	now := s.now()
	if a.account.Password.lapsed(a.end, now) {
		return ResetToken{}, s.refuseProved(ctx, a, refuse(CodePasswordIncorrect))
	}
	f, err := s.firstBefore(ctx, a, previous, now)
	if err != nil {
		return ResetToken{}, s.refuseProved(ctx, a, err)
	}
	t := s.resetToken(by, a.account.User, append(slices.Clone(f.methods), MethodPassword), now)
	return s.worth(by, t), s.settle(ctx, a, succeeded, func(w Writes) error {
		if err := s.spendFirst(w, by.Tenant, f, now); err != nil {
			return err
		}
		return t.rows(w)
	}, t.issued)
}

// firstBefore reads the factor that was proved before an old password. Error: CodeRecoveryInvalid.
func (s *Service) firstBefore(ctx context.Context, a *attempt, previous string, now time.Time) (firstFactor, error) {
	if previous == "" {
		return firstFactor{}, nil
	}
	var f firstFactor
	var no *Error
	err := s.store.View(ctx, func(r Reads) (err error) { f, no, err = s.first(r, a.by, previous, now); return err })
	if err == nil && no == nil && f.user != a.account.User.ID {
		no = refuse(CodeRecoveryInvalid)
	}
	if err == nil && no != nil {
		err = no
	}
	return f, err
}
