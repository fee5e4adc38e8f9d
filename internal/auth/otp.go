package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// sandboxCode begins with every code of a sandbox tenant in the sandbox (contract/multi §3.5).
const sandboxCode = "12345678"

const (
	otpDigits    = 6
	otpCodes     = 1_000_000
	minOTPDigits = 4
	maxOTPDigits = 8
)

// emailTries is how many wrong codes end a challenge by e-mail.
const emailTries = 3

// mailPause is how long the last of as many e-mails as may be sent is followed by none, whatever became of their challenges.
const mailPause = time.Hour

// newCode returns a code of so many digits, each as likely as any other.
func (s *Service) newCode(t TenantID, digits int) string {
	if tenant := s.dir.Load().tenants[t]; s.sandbox && tenant != nil && tenant.Mode == ModeSandbox {
		return sandboxCode[:digits]
	}
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	if err != nil {
		panic("auth: the system's randomness failed: " + err.Error())
	}
	return fmt.Sprintf("%0*d", digits, n)
}

// codeHash is all that is kept of a code: a keyed hash, bound to its challenge and so to session, user and purpose.
func (s *Service) codeHash(c Challenge, code string) [32]byte {
	return s.mac.Sum("otp", []byte(c.Tenant), []byte(c.ID), []byte(c.Purpose), []byte(code))
}

// isCode reports whether a text is as many ASCII digits as a code may have: nothing is trimmed or converted.
func isCode(text string) bool {
	return len(text) >= minOTPDigits && len(text) <= maxOTPDigits && isDigits(text)
}

// codePolicy is what the codes of a challenge are like.
type codePolicy struct {
	OTPPolicy
	digits int
}

// codePolicy is how the codes of a challenge live, for the caller who has them sent or gives them back.
func (s *Service) codePolicy(by Actor, c Challenge) codePolicy {
	r := s.rules(by)
	p := codePolicy{r.OTP, otpDigits}
	switch c.Purpose {
	case PurposeRecovery:
		if c.Channel == ChannelEmail {
			p.For, p.Tries = RecoveryFor, emailTries
		}
		if life, digits := r.resetFor(); life > 0 {
			p.For, p.digits = life, digits
		}
	case PurposeVerifyEmail:
		p.For, p.Tries = VerifyEmailFor, emailTries
	case PurposeInvite:
		p.For, p.Tries = InviteFor, emailTries
	case PurposeLoginCode:
		p.Tries = r.codeLock(c).Failures // the lock ends the guessing, and not one challenge
		if m := r.code(c.Channel); m != nil && !m.Off {
			p.For, p.digits = m.For, m.Digits
		}
	case PurposeOwnEmail, PurposeOwnPhone:
		p.Tries = r.Lockout.Failures // the same
	case PurposeOwnLink:
		p.For = VerifyEmailFor
	case PurposeLoginLink:
		p.For = LoginLinkFor
		if m := r.methods.Link; m != nil && !m.Off {
			p.For = m.For
		}
	}
	return p
}

// How long a code that was sent by e-mail is good for.
const (
	RecoveryFor    = 30 * time.Minute // security §0.1, RESET_TTL
	VerifyEmailFor = 24 * time.Hour
	InviteFor      = 30 * 24 * time.Hour // a month: contract/multi §2.6
	LoginLinkFor   = 15 * time.Minute
)

// factor is the counter that a challenge's failures go to.
func (c Challenge) factor() AttemptFactor {
	switch {
	case c.Channel.Pushed():
		return AttemptDevice
	case c.Purpose == PurposeLoginCode: // whatever way the code goes
		return AttemptOTP
	case c.Channel == ChannelEmail:
		return AttemptEmail
	}
	return AttemptOTP
}

// sendCode begins a challenge with a new code, or gives a pending one for the same thing a new code, which voids the old one. m
// is the message that brings it; its code and expiry are filled in.
//
// Verdicts: CodeTooSoon, CodeChallengeLimit, CodeThrottled. None changes anything.
func (s *Service) sendCode(tx Tx, by Actor, u User, c Challenge, m Message, now time.Time) (Challenge, *Error, error) {
	return s.sendProof(tx, by, u, c, m, func(c Challenge, m Message) (string, Message) {
		m.Code = s.newCode(c.Tenant, s.codePolicy(by, c).digits)
		m.Link = s.linkOf(c, m.To, m.Code)
		return m.Code, m
	}, now)
}

// minting makes what proves a challenge, and puts it into the message that brings it.
type minting func(Challenge, Message) (proof string, m Message)

// sendProof is sendCode with a proof of the caller's own making.
func (s *Service) sendProof(
	tx Tx, by Actor, u User, c Challenge, m Message, mint minting, now time.Time,
) (Challenge, *Error, error) {
	policy, ends := s.codePolicy(by, c), c.ExpiresAt
	if ends.IsZero() {
		ends = now.Add(policy.For)
	}
	prior, err := s.prior(tx, c)
	if err != nil {
		return c, nil, err
	}
	same := prior.pending(now) && prior.Channel == c.Channel && prior.Target == c.Target && prior.Digest == c.Digest &&
		prior.Approval == c.Approval
	follows := same || prior.precedes(c, now)
	before, err := s.priorBy(tx, c, prior)
	if err != nil {
		return c, nil, err
	}
	if no, err := s.maySend(tx, by, c, before, follows, policy, now); err != nil || no != nil {
		return c, no, err
	}
	m, withheld, no, err := s.admitSMS(tx, by, u, c, m, now)
	if err != nil || no != nil {
		return c, no, err
	}
	if withheld {
		mint = unknowable
	}
	from, sends := prior.Version, before.sent(follows, now)
	if same {
		prior.Token = c.Token
		c = prior
		c.Version++
	} else {
		if err := s.endChallenge(tx, prior, ChallengeIsCancelled, now); err != nil {
			return c, nil, err
		}
		c.ID, c.Version, c.Status, c.Key, c.CreatedAt = newChallengeID(), 1, ChallengePending, by.Key, later(c.CreatedAt, prior.followed(now))
	}
	proof, m := mint(c, m)
	c.CodeHash, c.SentAt, c.ExpiresAt, c.Sends = s.codeHash(c, proof), now, ends, sends+1
	if same {
		_, err = tx.PutChallenge(c, from)
	} else {
		err = tx.AddChallenge(c)
	}
	if err != nil {
		return c, nil, err
	}
	m.ExpiresAt, m.Challenge, m.Channel = c.ExpiresAt, c.ID, c.Channel
	if c.Channel != ChannelDirect {
		if err := s.tell(tx, u, now, m); err != nil {
			return c, nil, err
		}
	}
	return c, nil, tx.AddEvents(s.challengeEvent(by, EventChallenged, c, "", now))
}

// followed is when a challenge that follows this one is begun: after it, also when the clock was set back or another node's is behind, or
// else the one before would be taken for the latest.
func (c Challenge) followed(now time.Time) time.Time {
	return later(now, c.CreatedAt.Add(time.Microsecond))
}

// precedes reports whether the sends of a pending challenge count against another one that voids it, though that is for another client, request,
// approval or address: a login takes one code at a time, and whoever asks for it says what else is in it.
func (c Challenge) precedes(next Challenge, now time.Time) bool {
	return (next.Purpose == PurposeLoginCode || next.Purpose == PurposeLoginLink) && c.pending(now) && c.Channel == next.Channel
}

// prior is the latest challenge for the same thing: zero when there is none.
func (s *Service) prior(r Reads, c Challenge) (Challenge, error) {
	return latest(r, c, "")
}

// priorBy is the latest challenge for the same thing over the same channel, which tells how many of its messages there were: those of another
// channel that came between change nothing about that.
func (s *Service) priorBy(r Reads, c, prior Challenge) (Challenge, error) {
	if prior.ID == "" || prior.Channel == c.Channel {
		return prior, nil
	}
	return latest(r, c, c.Channel)
}

func latest(r Reads, c Challenge, by Channel) (Challenge, error) {
	found, err := r.LatestChallenge(c.Tenant, c.Subject, c.Purpose, c.Session, by)
	if errors.Is(err, ErrNotFound) {
		return Challenge{}, nil
	}
	return found, err
}

// maySend says why a code may not be sent now, if it may not.
func (s *Service) maySend(r Reads, by Actor, c, prior Challenge, follows bool, policy codePolicy, now time.Time) (*Error, error) {
	proofs, err := s.counterOf(by, c).read(r, now)
	if err != nil {
		return nil, err
	}
	switch ready := prior.SentAt.Add(policy.Wait); {
	case proofs.locked(now):
		return &Error{Code: CodeChallengeLimit, RetryAfter: proofs.LockedUntil.Sub(now)}, nil
	case follows && now.Before(ready):
		return &Error{Code: CodeTooSoon, RetryAfter: ready.Sub(now)}, nil
	case prior.sent(follows, now) >= policy.Sends:
		end := prior.ExpiresAt
		if c.Channel == ChannelEmail {
			end = prior.SentAt.Add(mailPause)
		}
		return &Error{Code: CodeChallengeLimit, RetryAfter: end.Sub(now)}, nil
	}
	return s.mayMessage(r, c.Tenant, c.recipient(), now)
}

// sent is how many codes of a challenge count against another one: by SMS of one that it follows, and by e-mail of any since the latest pause.
func (c Challenge) sent(follows bool, now time.Time) int {
	if c.Channel == ChannelEmail {
		follows = c.Status != ChallengeApproved && now.Before(c.SentAt.Add(mailPause))
	}
	if !follows {
		return 0
	}
	return c.Sends
}

// mayMessage bounds the messages to one user over all nodes and whatever they are for.
func (s *Service) mayMessage(r Reads, t TenantID, id UserID, now time.Time) (*Error, error) {
	settings := s.settings(t)
	if !settings.RateLimits || id == "" {
		return nil, nil
	}
	for _, l := range settings.MessageLimits {
		sent, err := r.CountMessages(t, id, l.since(now))
		if err != nil {
			return nil, err
		}
		if sent.Count >= l.Count {
			limits := append([]Limit{l}, settings.MessageLimits...)
			return &Error{Code: CodeThrottled, RetryAfter: l.room(sent, now), Limits: limits}, nil
		}
	}
	return nil, nil
}

// proveCode judges a code against a challenge and writes the outcome: the challenge approved, or one failure more for it and for its
// subject, over all challenges (A-053, B-16). The caller writes what an approved challenge leads to, in the same transaction.
//
// Verdicts: those of checkCode.
func (s *Service) proveCode(tx Tx, by Actor, c Challenge, target, code string, now time.Time) (Challenge, *Error, error) {
	c, proofs, no, err := s.checkCode(tx, by, c, target, code, now)
	if err != nil || no != nil {
		return c, no, err
	}
	if _, err := s.counterOf(by, c).settle(tx, proofs, succeeded, now); err != nil {
		return c, nil, err
	}
	if err := s.countProved(tx, c, now); err != nil {
		return c, nil, err
	}
	c, err = s.putApproved(tx, by, c, now)
	return c, nil, err
}

// putApproved writes a challenge whose proof held, with its event.
func (s *Service) putApproved(tx Tx, by Actor, c Challenge, now time.Time) (Challenge, error) {
	c.Status, _ = c.Status.next(ChallengeIsApproved)
	c.EndedAt = now
	c.Version++
	if moved, err := tx.PutChallenge(c, c.Version-1); err != nil || !moved {
		return c, errors.Join(err, raced(moved))
	}
	return c, tx.AddEvents(s.challengeEvent(by, EventChallengeApproved, c, "", now))
}

// checkCode judges a code against a challenge. A wrong one it counts; a right one it leaves good. A code for nobody is never right.
//
// Verdicts: CodeNoChallenge, CodeOTPExpired, CodeWrongOTP, CodeOneTryLeft, CodeChallengeLimit.
func (s *Service) checkCode(tx Tx, by Actor, c Challenge, target, code string, now time.Time) (Challenge, Attempts, *Error, error) {
	counter := s.counterOf(by, c)
	proofs, err := counter.read(tx, now)
	if err != nil {
		return c, proofs, nil, err
	}
	if no := s.unanswerable(c, proofs, target, now); no != nil {
		return c, proofs, no, tx.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, no.Code.String(), now))
	}
	hash := s.codeHash(c, code)
	if isCode(code) && subtle.ConstantTimeCompare(hash[:], c.CodeHash[:]) == 1 && c.User != "" {
		return c, proofs, nil, nil
	}
	if proofs, err = counter.settle(tx, proofs, failed, now); err != nil {
		return c, proofs, nil, err
	}
	c.Failures++
	no := wrongCode(s.codePolicy(by, c).Tries-c.Failures, counter.policy.limit(proofs.Failures)-proofs.Failures, proofs, now)
	no.counted = true
	events := []Event{s.challengeEvent(by, EventChallengeRefused, c, no.Code.String(), now)}
	if no.Code == CodeChallengeLimit {
		c.Status, _ = c.Status.next(ChallengeIsFailed)
		c.EndedAt = now
		events = append(events, s.challengeEvent(by, EventChallengeFailed, c, no.Code.String(), now))
	}
	if proofs.locked(now) {
		events = append(events, s.challengeEvent(by, EventLocked, c, string(c.factor()), now))
	}
	c.Version++
	if _, err := tx.PutChallenge(c, c.Version-1); err != nil {
		return c, proofs, nil, err
	}
	return c, proofs, no, tx.AddEvents(events...)
}

// unanswerable says why a challenge takes no code now, if it does not.
func (s *Service) unanswerable(c Challenge, proofs Attempts, target string, now time.Time) *Error {
	switch {
	case proofs.locked(now):
		return &Error{Code: CodeChallengeLimit, RetryAfter: proofs.LockedUntil.Sub(now)}
	case c.Status == ChallengeFailed:
		return refuse(CodeChallengeLimit)
	case c.Status == ChallengeExpired, c.Status == ChallengePending && !now.Before(c.ExpiresAt):
		return refuse(CodeOTPExpired)
	case c.Status != ChallengePending, c.Target != target, c.Channel.Pushed():
		return refuse(CodeNoChallenge)
	}
	return nil
}

// wrongCode says what tries a wrong code leaves, of its challenge and of its subject.
func wrongCode(ofChallenge, ofSubject int, proofs Attempts, now time.Time) *Error {
	left := min(ofChallenge, ofSubject)
	switch {
	case proofs.locked(now):
		return &Error{Code: CodeChallengeLimit, RetryAfter: proofs.LockedUntil.Sub(now)}
	case left <= 0:
		return refuse(CodeChallengeLimit)
	case left == 1:
		return refuse(CodeOneTryLeft)
	}
	return refuse(CodeWrongOTP)
}

// phoneFit says why a phone number gets no codes, if it does not.
func (s *Service) phoneFit(t TenantID, phone string) *Error {
	if phone == "" {
		return refuse(CodePhoneMissing)
	}
	n, err := phonenumbers.Parse(phone, "")
	if err != nil || !phonenumbers.IsValidNumber(n) || costly(n) {
		return refuse(CodePhoneInvalid)
	}
	allowed := s.settings(t).PhoneCountries
	region := phonenumbers.GetRegionCodeForNumber(n)
	for _, country := range allowed {
		if country == region {
			return nil
		}
	}
	if len(allowed) > 0 {
		return refuse(CodePhoneCountry)
	}
	return nil
}

// costly reports whether a number is of a kind that earns its holder money, or that nobody reads messages at.
func costly(n *phonenumbers.PhoneNumber) bool {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.TOLL_FREE, phonenumbers.UAN, phonenumbers.VOICEMAIL:
		return true
	}
	return false
}
