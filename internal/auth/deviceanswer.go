package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"countersign/internal/jose"
)

// Asked is a challenge that a device, or a code, is to answer.
type Asked struct {
	ID ChallengeID
	// Number is for the caller to show: the user carries it to the device, so that nobody approves what somebody else began. Empty
	// when none is asked for.
	Number string
}

func (c Challenge) asked() Asked { return Asked{c.ID, c.Number} }

// NumberMatching says which challenges want a number that is carried to the device.
type NumberMatching string

const (
	NumberForLogin NumberMatching = "login" // only logins by device, which begin without a password
	NumberAlways   NumberMatching = "always"
	NumberNever    NumberMatching = "never"
)

// key makes the challenge one that the user's devices answer with their keys, if the user has any, and returns those to be woken. A user
// without one answers on a simulated phone, or not at all.
func (s *Service) key(r Reads, c *Challenge) ([]Device, error) {
	devices, err := r.Devices(c.Tenant, c.User)
	if err != nil {
		return nil, err
	}
	devices = slices.DeleteFunc(devices, func(d Device) bool { return d.Status != DeviceActive })
	if len(devices) == 0 {
		return nil, nil
	}
	c.Nonce = randomText(32)
	switch s.settings(c.Tenant).Push.Number {
	case NumberNever:
	case NumberAlways:
		c.Number = newNumber()
	default:
		if c.Purpose == PurposeLogin {
			c.Number = newNumber()
		}
	}
	return devices, nil
}

// newNumber is two digits, and not one of those that a hurried eye mistakes for a single one.
func newNumber() string {
	n, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		panic(err) // crypto/rand ends the program before it fails
	}
	return fmt.Sprint(10 + n.Int64())
}

// wakeUp tells the devices that there is something to answer. What it is they fetch.
func (s *Service) wakeUp(tx Tx, u User, devices []Device, c Challenge, m Message, now time.Time) error {
	m.Challenge, m.Channel, m.ExpiresAt = c.ID, c.Channel, c.ExpiresAt
	s.bells.mark(u.Tenant, u.ID)
	if len(devices) == 0 {
		m.Kind, m.To = ParcelPush, string(u.ID)
		return s.tell(tx, u, now, m)
	}
	var all []Message
	m.Kind = ParcelWake
	for _, d := range devices {
		if to := s.pushAddress(d); !to.IsZero() {
			m.To, m.Push = string(d.ID), to
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.tell(tx, u, now, all...)
}

// DeviceRequest is a challenge as a device is given it.
type DeviceRequest struct {
	Challenge
	Shown   []string // what is approved, a line each, in words; the answer signs exactly these
	Service string   // the tenant's name
}

// deviceRequests bounds how many challenges a device is given at once.
const deviceRequests = 20

// DeviceRequests lists what the user of a device may answer on it now, oldest first.
func (s *Service) DeviceRequests(ctx context.Context, d Device) ([]DeviceRequest, error) {
	now := s.now()
	service := ""
	if tenant := s.dir.Load().tenants[d.Tenant]; tenant != nil {
		service = tenant.Name
	}
	all := []DeviceRequest{}
	err := s.store.View(ctx, func(r Reads) error {
		all = all[:0]
		pending, err := r.PendingChallenges(d.Tenant, d.User, deviceRequests)
		if err != nil {
			return err
		}
		for _, c := range pending {
			if !c.pending(now) || c.Nonce == "" {
				continue
			}
			shown, err := s.linkLines(r, c)
			if err != nil {
				return err
			}
			if shown == nil && c.Purpose == PurposeConfirm {
				continue // what it was for has changed
			}
			all = append(all, DeviceRequest{c, shown, service})
		}
		return nil
	})
	return all, err
}

// Approval is a device's answer to a challenge, kept as evidence.
type Approval struct {
	Tenant      TenantID
	Challenge   ChallengeID
	User        UserID
	Device      DeviceID
	Decision    Decision
	Answer      string          // what the device signed: a JWT of typ countersign-answer+jwt
	Assertion   DeviceAssertion // of its passkey over the same; zero: none
	Certificate string          // of the device
	Event       EventID
	AnsweredAt  time.Time
}

// Report is a denial by a user who says that it was not them who began it.
const Report Decision = "report"

// How a device made sure of who holds it, as its answer says in uv.
const (
	verifiedBiometric = "biometric"
	verifiedPIN       = "pin"      // only where the tenant allows it: one of its own, or one that we check
	verifiedPasskey   = "webauthn" // by its passkey, which asks for either and does not say for which
)

// AnswerByKey judges a device's signed answer to a challenge and does what follows. The answer is a JWT by the device's key whose claims
// repeat all of the challenge as the device was given it, so that it is good for nothing else; docs/device.md lists them. A device
// with a passkey approves with that as well.
//
// An answer that does not hold is counted against the device, and the fifth in a row blocks it. A wrong number ends the challenge, and
// counts against the user as any wrong proof does.
//
// A PIN that we are to check is counted by itself: a wrong one leaves the challenge as it is, and five in a row lock the PIN.
//
// Errors: CodeNotFound, CodeDeviceBlocked, CodeNoChallenge when it has ended, CodeAssertionInvalid, CodeNumberWrong; those of provePIN.
func (s *Service) AnswerByKey(ctx context.Context, by Actor, device DeviceID, id ChallengeID, in SignedAnswer) (ChallengeStatus, error) {
	now := s.now()
	proved, err := s.provePIN(ctx, by, device, id, in, now)
	if err != nil {
		return "", err
	}
	return decide(ctx, s, by, func(tx Tx) (ChallengeStatus, *Error, error) {
		d, c, no, err := s.waitsFor(tx, by, device, id)
		if err != nil || no != nil {
			return "", no, err
		}
		return s.answerByKey(tx, by, d, c, in, proved, now)
	})
}

// waitsFor reads a challenge that a device may answer now. Verdicts: CodeNotFound, CodeInvalidToken, CodeDeviceBlocked, CodeNoChallenge.
func (s *Service) waitsFor(r Reads, by Actor, device DeviceID, id ChallengeID) (Device, Challenge, *Error, error) {
	d, err := r.Device(device)
	if errors.Is(err, ErrNotFound) {
		return d, Challenge{}, refuse(CodeInvalidToken), nil
	}
	if err != nil {
		return d, Challenge{}, nil, err
	}
	c, err := r.Challenge(by.Tenant, id)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (c.User != d.User || c.Nonce == "" || !c.Channel.Pushed()):
		return d, c, refuse(CodeNotFound), nil
	case err != nil:
		return d, c, nil, err
	case d.Status == DeviceBlocked:
		return d, c, refuse(CodeDeviceBlocked), nil
	case d.Status != DeviceActive || d.Tenant != by.Tenant:
		return d, c, refuse(CodeInvalidToken), nil
	case c.Status != ChallengePending:
		return d, c, refuse(CodeNoChallenge), nil
	}
	return d, c, nil, nil
}

// answerByKey judges an answer; proved says that the PIN it came with is the device's.
func (s *Service) answerByKey(
	tx Tx, by Actor, d Device, c Challenge, in SignedAnswer, proved bool, now time.Time,
) (ChallengeStatus, *Error, error) {
	account, err := tx.AccountByUser(c.Tenant, c.User)
	if err != nil {
		return "", nil, err
	}
	shown, err := s.linkLines(tx, c)
	if err != nil {
		return "", nil, err
	}
	said, why := s.readAnswer(d, c, shown, in, now)
	if why == "" && said.pin && !proved {
		why = "pin"
	}
	if why != "" && now.Before(c.ExpiresAt) {
		return "", refuse(CodeAssertionInvalid), s.failDevice(tx, by, d, c, why, now)
	}
	decision := said.decision
	if decision == Report {
		decision = Deny
	}
	wrong := decision == Approve && c.Number != "" && !same(said.number, c.Number)
	if wrong {
		decision = FailProof
	}
	answered, err := s.answer(tx, by, c, account, decision, now)
	if err != nil || !answered {
		return "", refuse(CodeNoChallenge), err
	}
	d.Failures, d.UsedAt, d.Passkey.Counter = 0, now, said.counter
	if err := putDevice(tx, d); err != nil {
		return "", nil, err
	}
	if wrong {
		return ChallengeFailed, refuse(CodeNumberWrong), nil
	}
	e := s.challengeEvent(by, EventAnswered, c, string(said.decision), now)
	err = tx.AddApproval(Approval{
		Tenant: c.Tenant, Challenge: c.ID, User: c.User, Device: d.ID, Decision: said.decision, Answer: in.Token, Assertion: in.Assertion,
		Certificate: d.Certificate, Event: e.ID, AnsweredAt: now,
	})
	if err != nil {
		return "", nil, err
	}
	if err := tx.AddEvents(e); err != nil {
		return "", nil, err
	}
	if decision == Deny {
		return ChallengeDenied, nil, s.reported(tx, by, said, c, now)
	}
	return ChallengeApproved, nil, nil
}

// reported does what a user's word that it was not them is answered with: an event, and where the tenant wants it their suspension.
func (s *Service) reported(tx Tx, by Actor, said saidAnswer, c Challenge, now time.Time) error {
	if said.decision != Report {
		return nil
	}
	if err := tx.AddEvents(s.challengeEvent(by, EventReported, c, string(c.Channel), now)); err != nil {
		return err
	}
	if !s.settings(c.Tenant).Push.ReportSuspends {
		return nil
	}
	account, err := tx.AccountByUser(c.Tenant, c.User)
	if err != nil {
		return err
	}
	return s.shiftUser(tx, by, account, UserIsSuspended, now)
}

// failDevice counts an answer that did not hold. A passkey that somebody else has as well blocks its device at once.
func (s *Service) failDevice(tx Tx, by Actor, d Device, c Challenge, why string, now time.Time) error {
	events := []Event{s.challengeEvent(by, EventAnswerRefused, c, why, now)}
	d.Failures++
	if why == whyCopied {
		d.Failures = maxDeviceFailures
		events = append(events, s.challengeEvent(by, EventCopied, c, string(d.ID), now))
	}
	if next, ok := d.Status.next(DeviceIsBlocked); ok && d.Failures >= maxDeviceFailures {
		d.Status, d.EndedAt = next, now
		events = append(events, s.challengeEvent(by, EventDeviceBlocked, c, string(d.ID), now))
	}
	if err := putDevice(tx, d); err != nil {
		return err
	}
	return tx.AddEvents(events...)
}

// saidAnswer is what is left to judge of an answer whose signature and repetitions hold.
type saidAnswer struct {
	decision Decision
	number   string
	counter  int64 // of the device's passkey
	pin      bool  // it came with a PIN that is to be checked
}

// answerSkew is what the end of a challenge may lose when it is written in whole seconds.
const answerSkew = time.Second

// readAnswer checks an answer against everything that the challenge is, and says what does not hold; nothing else is told to the device.
func (s *Service) readAnswer(d Device, c Challenge, shown []string, in SignedAnswer, now time.Time) (said saidAnswer, why string) {
	claims, err := jose.NewSet(d.Key).Verify(in.Token, jose.Want{
		Typ: []string{typAnswer}, Issuer: string(d.ID), Audience: s.issuer, Now: now, Skew: answerSkew,
	})
	if err != nil {
		return said, "signature"
	}
	for name, want := range map[string]string{
		"sub": string(c.User), "tid": string(c.Tenant), "sid": string(c.Session), "challenge": string(c.ID), "nonce": c.Nonce,
		"purpose": string(c.Purpose), "channel": string(c.Channel), "digest": digestText(c.Digest),
	} {
		if got, ok := claims.String(name); !ok || got != want {
			return said, name
		}
	}
	if lines, ok := claims.Strings("shown"); !ok || !slices.Equal(lines, shown) {
		return said, "shown"
	}
	for name, want := range map[string]time.Time{"iat": c.CreatedAt, "exp": c.ExpiresAt} {
		if got, ok := claims.Time(name); !ok || got.Unix() != want.Unix() {
			return said, name
		}
	}
	decision, _ := claims.String("decision")
	said.decision = Decision(decision)
	if !slices.Contains([]Decision{Approve, Deny, Report}, said.decision) {
		return said, "decision"
	}
	var ok bool
	if said.number, ok = claims.String("number"); !ok {
		return said, "number"
	}
	if verified, _ := claims.String("uv"); said.decision == Approve {
		if !s.verifies(d, c, verified) {
			return said, "uv" // possession alone
		}
		said.pin = verified == verifiedPIN && s.settings(c.Tenant).Push.PIN == PINByServer
	}
	if said.pin && !in.PIN.signed(claims) {
		return said, "pin"
	}
	said.counter, why = s.passkeyAnswer(d, said.decision, in)
	return said, why
}

// verifies reports whether a device has made sure enough of its owner to approve a challenge, by what its answer says in uv. Of a device
// with a passkey the assertion must say so, too.
func (s *Service) verifies(d Device, c Challenge, uv string) bool {
	switch {
	case d.Passkey.ID != "":
		return uv == verifiedPasskey && !s.settings(c.Tenant).Push.NoBrowsers
	case c.Channel != ChannelBiometric:
		return true
	case uv == verifiedPIN:
		pin := s.settings(c.Tenant).Push.PIN
		return pin == PINByDevice || pin == PINByServer
	}
	return uv == verifiedBiometric
}

// ignoreMissing turns "not found" into nothing.
func ignoreMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// DeviceEvidence is everything that outsiders need to check a device's answer: see docs/evidence.md.
type DeviceEvidence struct {
	Approval
	Issuer string
	Status ChallengeStatus // empty: the challenge has been swept
}

// DeviceEvidence returns what is kept of the answer to a challenge. Errors: CodeNotFound.
func (s *Service) DeviceEvidence(ctx context.Context, t TenantID, id ChallengeID) (DeviceEvidence, error) {
	out := DeviceEvidence{Issuer: s.issuer}
	err := s.store.View(ctx, func(r Reads) (err error) {
		if out.Approval, err = r.Approval(t, id); err != nil {
			return err
		}
		c, err := r.Challenge(t, id)
		out.Status = c.Status
		return ignoreMissing(err)
	})
	if errors.Is(err, ErrNotFound) {
		return DeviceEvidence{}, refuse(CodeNotFound)
	}
	return out, err
}
