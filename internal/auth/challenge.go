package auth

import (
	"context"
	"encoding/hex"
	"time"
)

// ChallengeID names a challenge within its tenant: decimal digits, as the Multi contract wants them. It is no secret.
type ChallengeID string

// Purpose is what a challenge is for. A proof given for one purpose is good for no other (B-22).
type Purpose string

const (
	PurposeStepUp       Purpose = "step_up"       // raises one token of a live session
	PurposeBind         Purpose = "bind"          // binds an authenticator to the user
	PurposeLogin        Purpose = "login"         // makes a session
	PurposeConfirm      Purpose = "confirm"       // approves resources, each with what it is for; see DynamicLink
	PurposeRecovery     Purpose = "recovery"      // a new password without the old one
	PurposeVerifyEmail  Purpose = "verify_email"  // that an e-mail address is the user's
	PurposeSecondFactor Purpose = "second_factor" // adds a factor to a session of the login page
	PurposeInvite       Purpose = "invite"        // a first password for a user who was authorised by another
	PurposeLoginCode    Purpose = "login_code"    // makes or joins a session of /cis
	PurposeLoginLink    Purpose = "login_link"    // the same, by a link
	PurposeLoginKey     Purpose = "login_key"     // the same, by a key that signs it
	PurposeTransaction  Purpose = "transaction"   // the same, by a code that an app makes of it
	PurposeOwnEmail     Purpose = "own_email"     // that an address which a user of /cis named is theirs
	PurposeOwnPhone     Purpose = "own_phone"     // the same of a number
	PurposeOwnLink      Purpose = "own_link"      // the same of an address, by a link
)

// Channel is the way a challenge reaches its user.
type Channel string

const (
	ChannelSMS       Channel = "SMS"
	ChannelEmail     Channel = "EMAIL"
	ChannelBiometric Channel = "BIOMETRIC" // a bound device that asks for its owner's biometrics
	ChannelAuthy     Channel = "AUTHY"     // a bound device that asks for a tap
	ChannelTOTP      Channel = "TOTP"      // an app that shows codes; its user types a challenge into it
	ChannelPasskey   Channel = "PASSKEY"   // a passkey: it is told of in notices, and carries no challenge
	ChannelDirect    Channel = "DIRECT"    // the caller hands the code to the user
	ChannelKey       Channel = "KEY"       // the caller hands the challenge to a device that signs it
)

// Pushed reports whether a device answers challenges of the channel.
func (c Channel) Pushed() bool { return c == ChannelBiometric || c == ChannelAuthy }

// ChallengeStatus is where a challenge stands. The moves are in ChallengeStatus.next.
type ChallengeStatus string

const (
	ChallengePending   ChallengeStatus = "pending"
	ChallengeApproved  ChallengeStatus = "approved"  // the proof held
	ChallengeDenied    ChallengeStatus = "denied"    // the user said no
	ChallengeFailed    ChallengeStatus = "failed"    // too many proofs that did not hold, or what was shown has changed
	ChallengeExpired   ChallengeStatus = "expired"   // nobody answered in time
	ChallengeCancelled ChallengeStatus = "cancelled" // a lock, a newer challenge, or the end of what it was for
	ChallengeCollected ChallengeStatus = "collected" // PurposeLogin: approved, and its caller has fetched the token
)

// ChallengeEvent moves a challenge's status.
type ChallengeEvent string

const (
	ChallengeIsApproved  ChallengeEvent = "approved"
	ChallengeIsDenied    ChallengeEvent = "denied"
	ChallengeIsFailed    ChallengeEvent = "failed"
	ChallengeRunsOut     ChallengeEvent = "runs out"
	ChallengeIsCancelled ChallengeEvent = "cancelled"
	ChallengeIsCollected ChallengeEvent = "collected"
)

// next returns the status that follows; the second value is false where the move is not allowed.
func (s ChallengeStatus) next(e ChallengeEvent) (ChallengeStatus, bool) {
	if s == ChallengeApproved && e == ChallengeIsCollected {
		return ChallengeCollected, true
	}
	if s != ChallengePending {
		return s, false
	}
	switch e {
	case ChallengeIsApproved:
		return ChallengeApproved, true
	case ChallengeIsDenied:
		return ChallengeDenied, true
	case ChallengeIsFailed:
		return ChallengeFailed, true
	case ChallengeRunsOut:
		return ChallengeExpired, true
	case ChallengeIsCancelled:
		return ChallengeCancelled, true
	}
	return s, false
}

// Challenge is one request for one proof, with a purpose and an end.
//
// Of its code only a keyed hash is kept. A new code takes the place of the old one in the same challenge, and the failures stay (B-17).
type Challenge struct {
	Tenant   TenantID
	ID       ChallengeID
	Version  int64 // of the row, from 1
	Purpose  Purpose
	Channel  Channel
	Status   ChallengeStatus
	Subject  Subject     // whose: a user, or the keyed hash of an identifier that nobody has
	User     UserID      // empty: nobody's
	Session  SessionID   // whose proof it raises or serves; empty: none
	Token    TokenHash   // PurposeStepUp: the token that a device's answer raises; zero: none
	Key      string      // APIKey.ID of the caller that began it
	Identity IdentityRef // on whose behalf; zero: nobody's
	Target   string      // canonical address the code went to; another address voids the challenge
	CodeHash [32]byte    // zero: a device answers
	Nonce    string      // random, when a device's key answers: 32 bytes in base64url
	Number   string      // two digits that the user carries from the other screen to the device; empty: none
	Digest   [32]byte    // PurposeConfirm: of exactly what the user is shown
	Links    []LinkRef   // PurposeConfirm: what is approved
	Approval string      // a JSON object that the user approves at a client of /cis; empty: none
	Failures int         // wrong codes
	Sends    int         // codes sent

	CreatedAt time.Time
	SentAt    time.Time // of the latest code or push
	ExpiresAt time.Time
	EndedAt   time.Time // zero: pending
}

// pending reports whether the challenge may still be answered at the time now. Expiry is decided here, on use.
func (c Challenge) pending(now time.Time) bool {
	return c.Status == ChallengePending && now.Before(c.ExpiresAt)
}

// challengeEvent begins an event about a challenge.
func (s *Service) challengeEvent(by Actor, kind EventKind, c Challenge, reason string, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Session, e.Identity, e.Challenge, e.Reason = c.User, c.Session, c.Identity, c.ID, reason
	e.Note = string(c.Purpose) + " " + string(c.Channel)
	return e
}

// endChallenge moves a challenge that is still pending; one that is not, or is none, stays as it is.
func (s *Service) endChallenge(tx Writes, c Challenge, e ChallengeEvent, now time.Time) error {
	next, ok := c.Status.next(e)
	if !ok {
		return nil
	}
	c.Status, c.EndedAt = next, now
	c.Version++
	_, err := tx.PutChallenge(c, c.Version-1)
	return err
}

// void cancels a pending challenge that can be answered no more, since what it was for has changed or is gone.
func (s *Service) void(tx Tx, by Actor, c Challenge, now time.Time) error {
	if c.Status != ChallengePending {
		return nil
	}
	if err := s.endChallenge(tx, c, ChallengeIsCancelled, now); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, CodeNoChallenge.String(), now))
}

// challengeNews tells the tenant how a challenge ended: what it was for decides what is told (contract/multi §4.2).
func (s *Service) challengeNews(c Challenge, m Membership, status string, now time.Time) []News {
	n := News{
		At: now, User: c.User, Credential: m.Credential, Identity: m.Identity.Ref, Challenge: c.ID, Method: string(c.Channel), Status: status,
	}
	switch c.Purpose {
	case PurposeStepUp:
		n.Kind = NewsStepUp
	case PurposeLogin:
		also := n
		n.Kind, also.Kind = NewsLogin, NewsStepUp
		return []News{n, also}
	case PurposeConfirm:
		n.Kind, n.Links, n.Digest = NewsConfirmed, c.Links, digestText(c.Digest)
	case PurposeBind:
		if status != StatusVerified && !c.Channel.Pushed() {
			return nil // a code that was not typed refuses nothing
		}
		n.Kind, n.Status = NewsAuthenticator, StatusInactive
		if status == StatusVerified {
			n.Status = StatusActive
		}
	default:
		return nil
	}
	return []News{n}
}

// What news say of a challenge or an authenticator; contract/multi §4.2.
const (
	StatusVerified = "VERIFIED"
	StatusDeclined = "DECLINED"
	StatusExpired  = "EXPIRED"
	StatusActive   = "ACTIVE"
	StatusInactive = "INACTIVE"
)

func digestText(d [32]byte) string {
	if d == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// membershipFor is a user's link to an identity; when there is none, the one the user last worked under.
func membershipFor(ms []Membership, ref IdentityRef) Membership {
	for _, m := range ms {
		if m.Identity.Ref == ref {
			return m
		}
	}
	m, _ := current(ms)
	return m
}

// overdueBatch bounds one round of ExpireChallenges.
const overdueBatch = 100

// ExpireChallenges ends the challenges that nobody answered, with their events and news. It only tells: expiry itself is decided on use.
func (s *Service) ExpireChallenges(ctx context.Context) error {
	for {
		var overdue []Challenge
		err := s.store.View(ctx, func(r Reads) (err error) { overdue, err = r.OverdueChallenges(s.now(), overdueBatch); return err })
		if err != nil {
			return err
		}
		for _, c := range overdue {
			if err := s.expire(ctx, c.Tenant, c.ID); err != nil {
				return err
			}
		}
		if len(overdue) < overdueBatch {
			return nil
		}
	}
}

func (s *Service) expire(ctx context.Context, t TenantID, id ChallengeID) error {
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Challenge(t, id)
		if err != nil || c.Status != ChallengePending || now.Before(c.ExpiresAt) {
			return err
		}
		return s.runOut(tx, Actor{Tenant: t}, c, now)
	})
	s.nudge()
	return err
}

// runOut ends a pending challenge whose time is over.
func (s *Service) runOut(tx Tx, by Actor, c Challenge, now time.Time) error {
	if err := s.endChallenge(tx, c, ChallengeRunsOut, now); err != nil {
		return err
	}
	if err := tx.AddEvents(s.challengeEvent(by, EventChallengeExpired, c, "", now)); err != nil || c.User == "" {
		return err
	}
	account, err := tx.AccountByUser(c.Tenant, c.User)
	if err != nil {
		return err
	}
	return s.ended(tx, by, c, account, StatusExpired, now)
}

// ended writes what a challenge that did not succeed leads to: news, and the end of a binding.
func (s *Service) ended(tx Tx, by Actor, c Challenge, account Account, status string, now time.Time) error {
	switch c.Purpose {
	case PurposeBind:
		if err := s.refuseBinding(tx, by, c, status, now); err != nil {
			return err
		}
	case PurposeConfirm:
		if status == StatusExpired {
			break // nobody said no: the user may be asked again
		}
		if err := s.moveLinks(tx, c, LinkIsFailed, now); err != nil {
			return err
		}
	}
	return s.announce(tx, c.Tenant, s.challengeNews(c, membershipFor(account.Memberships, c.Identity), status, now)...)
}
