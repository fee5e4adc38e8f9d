package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"countersign/internal/jose"
	"countersign/internal/seal"
)

// PINCheck says what a PIN is good for on a device, in the place of its owner's biometrics.
type PINCheck string

const (
	PINNever    PINCheck = "never"  // nothing; so does the empty one
	PINByDevice PINCheck = "device" // the device asks for a PIN of its own, and says so
	PINByServer PINCheck = "server" // the user types a PIN whose hash we keep: a device that lies about its owner approves nothing
)

const (
	minPINDigits = 6
	maxPINDigits = 12
	pinSaltBytes = 32
)

// DeviceSubject is under what wrong PINs of a device are counted.
func DeviceSubject(id DeviceID) Subject { return Subject("device:" + string(id)) }

// TypedPIN is the PIN that the user of a device typed for an answer. What the device signs is the hash of both, so that the PIN belongs to
// that answer, and what is kept of the answer as evidence does not tell it: nobody keeps the salt.
type TypedPIN struct {
	Value seal.Secret
	Salt  string // 32 random bytes in base64url, new for each answer
}

// signed reports whether an answer's claims are over the PIN.
func (p TypedPIN) signed(claims jose.Claims) bool {
	salt, err := base64.RawURLEncoding.Strict().DecodeString(p.Salt)
	if err != nil || len(salt) != pinSaltBytes || p.Value.IsZero() {
		return false
	}
	sum := sha256.Sum256(append(salt, p.Value.Reveal()...))
	got, _ := claims.String("pin")
	return same(got, base64.RawURLEncoding.EncodeToString(sum[:]))
}

// pinFit says why a PIN cannot be one, if it cannot: it has digits alone, and is none of those that are tried first.
func (s *Service) pinFit(t TenantID, pin seal.Secret) *Error {
	text := pin.Reveal()
	switch {
	case s.settings(t).Push.PIN != PINByServer:
		return refuse(CodeChannelUnsupported)
	case len(text) < minPINDigits, len(text) > maxPINDigits, !isDigits(text), isRun(text):
		return refuseField(CodePINInvalid, "pin")
	}
	return nil
}

// isRun reports whether a PIN repeats one to three digits, or counts up or down.
func isRun(pin string) bool {
	for n := 1; n <= 3; n++ {
		if strings.HasPrefix(strings.Repeat(pin[:n], len(pin)), pin) {
			return true
		}
	}
	return strings.Contains("01234567890123456789", pin) || strings.Contains("98765432109876543210", pin)
}

// hashPIN hashes a PIN for a device's row.
func (s *Service) hashPIN(ctx context.Context, t TenantID, pin seal.Secret) (string, error) {
	if no := s.pinFit(t, pin); no != nil {
		return "", no
	}
	hashed, err := newHash(ctx, s.hasher, pin)
	return hashed.Hash, err
}

// SetDevicePIN gives a device the PIN that approves on it from now on, by a ticket of its user's. A lock of the former one ends.
//
// Errors: CodeChannelUnsupported, CodePINInvalid, CodeTicketInvalid, CodeInvalidToken, CodeOverloaded.
func (s *Service) SetDevicePIN(ctx context.Context, by Actor, id DeviceID, ticket string, pin seal.Secret) error {
	if no := s.pinFit(by.Tenant, pin); no != nil {
		return no
	}
	now := s.now()
	t, _, err := s.openTicket(ctx, ticket, by.Via, now)
	if err != nil {
		return err
	}
	hash, err := s.hashPIN(ctx, by.Tenant, pin)
	if err != nil {
		return err
	}
	return s.changeDevice(ctx, by, id, func(tx Tx, d *Device) error {
		if t.Tenant != d.Tenant || t.User != d.User {
			return refuse(CodeTicketInvalid)
		}
		if no, err := s.ticketLives(tx, t, now); err != nil || no != nil {
			return orNo(err, no)
		}
		if used, err := tx.UseTicket(t.Hash, now); err != nil || !used {
			return orNo(err, refuse(CodeTicketInvalid))
		}
		d.PIN = hash
		was, err := tx.Attempts(d.Tenant, DeviceSubject(d.ID), AttemptPIN)
		if err != nil {
			return err
		}
		if was.Version > 0 {
			fresh := Attempts{Version: was.Version + 1, Pending: was.Pending, PendingAt: was.PendingAt}.kept(s.rules(Actor{Tenant: d.Tenant}).lock(AttemptPIN))
			if _, err := tx.PutAttempts(d.Tenant, DeviceSubject(d.ID), AttemptPIN, fresh, was.Version); err != nil {
				return err
			}
		}
		account, err := tx.AccountByUser(d.Tenant, d.User)
		if err != nil {
			return err
		}
		if err := s.notice(tx, account.User, TemplateBound, ChannelBiometric, now); err != nil {
			return err
		}
		e := s.event(by, EventPINSet, now)
		e.User, e.Session, e.Reason = d.User, t.Session, string(d.ID)
		return tx.AddEvents(e)
	})
}

// provePIN checks the PIN that came with an answer, if the answer is good otherwise: it is hashed outside any transaction, and counted before
// that, so that no crowd gets a sixth guess checked. A device without a PIN costs the same. The answer itself is judged afterwards.
//
// Errors: CodePINWrong, CodeLocked, CodeBusy, CodeOverloaded.
func (s *Service) provePIN(ctx context.Context, by Actor, device DeviceID, id ChallengeID, in SignedAnswer, now time.Time) (bool, error) {
	if s.settings(by.Tenant).Push.PIN != PINByServer || in.PIN.Value.IsZero() {
		return false, nil
	}
	visit, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer visit.Leave()
	var a *attempt
	err = s.store.View(ctx, func(r Reads) error {
		a = nil
		d, c, no, err := s.waitsFor(r, by, device, id)
		if err != nil || no != nil {
			return err
		}
		shown, err := s.linkLines(r, c)
		if err != nil {
			return err
		}
		if said, why := s.readAnswer(d, c, shown, in, now); why != "" || !said.pin {
			return nil
		}
		a = &attempt{by: by, factor: AttemptPIN, challenge: c, visit: visit}
		if a.account, err = r.AccountByUser(d.Tenant, d.User); err != nil {
			return err
		}
		a.account.Subject, a.account.Password = DeviceSubject(d.ID), Password{Hash: d.PIN}
		a.account.Attempts, err = r.Attempts(d.Tenant, a.account.Subject, AttemptPIN)
		return err
	})
	if err != nil || a == nil {
		return false, err
	}
	switch err := s.prove(ctx, a, in.PIN.Value); CodeOf(err) {
	case CodeWrongPassword, CodeNoPassword, CodeSuspended:
		return false, refuse(CodePINWrong)
	default:
		if err != nil {
			return false, err
		}
	}
	return true, s.settle(ctx, a, succeeded, nil)
}
