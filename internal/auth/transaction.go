package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// transactionSuite is what an app computes from its secret, a challenge of six digits and the time (RFC 6287 §6): a code that is good for
// this challenge alone.
const transactionSuite = "OCRA-1:HOTP-SHA1-6:QN06-T30S"

// TransactionFor is how long a transaction waits for its code.
const TransactionFor = 5 * time.Minute

// StartTransaction begins a transaction that a user is to approve by a code of their app, and returns the challenge that they type into it
// (contract/cis §1.12). It is good once, for five minutes, for the client, and takes the place of the user's one before. For an identifier
// that nobody has it returns one that no code answers.
//
// Errors: CodeIdentifierInvalid, CodeChannelUnsupported, CodeLocked.
func (s *Service) StartTransaction(ctx context.Context, by Actor, kind IdentifierKind, identifier string, a Proposal) (string, error) {
	canonical, err := Canonical(kind, identifier)
	if err != nil {
		return "", err
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (string, *Error, error) {
		if err := s.rules(by).totps(); err != nil {
			return "", nil, err
		}
		who, no, err := s.loginBy(tx, by.Tenant, kind, canonical, now)
		if err != nil {
			return "", nil, err
		}
		c := who.challenge(by.Tenant, PurposeTransaction, ChannelTOTP)
		if no != nil {
			return "", no, s.noteUnsent(tx, by, c, no, nil, now)
		}
		prior, err := s.prior(tx, c)
		if err != nil {
			return "", nil, err
		}
		if err := s.endChallenge(tx, prior, ChallengeIsCancelled, now); err != nil {
			return "", nil, err
		}
		n, err := rand.Int(rand.Reader, big.NewInt(otpCodes))
		if err != nil {
			return "", nil, err
		}
		c.ID, c.Version, c.Status, c.CreatedAt, c.SentAt = newChallengeID(), 1, ChallengePending, prior.followed(now), now
		c.Target, c.Approval, c.ExpiresAt = fmt.Sprintf("%0*d", otpDigits, n), a.Text, now.Add(TransactionFor)
		c.Digest = s.bound(by, PurposeTransaction, "")
		if err := tx.AddChallenge(c); err != nil {
			return "", nil, err
		}
		return c.Target, nil, tx.AddEvents(s.challengeEvent(by, EventChallenged, c, "", now))
	})
}

// AuthenticateTransaction logs a user in on proof of the code that their app made of the challenge of the latest transaction. What they
// approved is in the ID token. Failures count with those of the app's other codes.
//
// Errors: those of AuthenticateTOTP.
func (s *Service) AuthenticateTransaction(ctx context.Context, by Actor, in TOTPLogin) (TokenSet, error) {
	return s.authenticateTOTP(ctx, by, in, func(tx Tx, account Account, now time.Time) (TOTP, string, *Error, error) {
		a, c, why, err := s.acceptTransaction(tx, by, account, in.Code, now)
		if err != nil || why != nil {
			return a, "", why, err
		}
		_, err = s.putApproved(tx, by, c, now)
		return a, c.Approval, nil, err
	})
}

// acceptTransaction judges a code against the user's latest transaction; or says why it is not accepted, for the event alone.
func (s *Service) acceptTransaction(r Reads, by Actor, account Account, code string, now time.Time) (TOTP, Challenge, *Error, error) {
	a, err := totpOf(r, account.User)
	if err != nil {
		return a, Challenge{}, nil, err
	}
	c, err := s.prior(r, Challenge{Tenant: by.Tenant, Subject: account.Subject, Purpose: PurposeTransaction})
	if err != nil {
		return a, c, nil, err
	}
	switch {
	case !account.Found:
		return a, c, refuse(CodeUnknownUser), nil
	case a.Version == 0:
		return a, c, refuse(CodeChannelUnbound), nil
	case !c.pending(now) || c.User != account.User.ID || c.Digest != s.bound(by, PurposeTransaction, ""):
		return a, c, refuse(CodeNoChallenge), nil
	}
	secret, err := s.ring.Open(a.place(), a.Sealed)
	if err != nil {
		return a, c, nil, err
	}
	right, err := answersTransaction(string(secret), c.Target, code, now)
	switch {
	case err != nil:
		return a, c, nil, err
	case !right:
		return a, c, refuse(CodeWrongOTP), nil
	case account.User.Status == UserSuspended:
		return a, c, refuse(CodeSuspended), nil
	}
	a.UsedAt = now
	return a, c, nil, nil
}

// answersTransaction reports whether a code is what an app makes of a challenge, in the time steps that the drift allows.
func answersTransaction(secret, challenge, code string, now time.Time) (bool, error) {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return false, errors.New("a stored secret is no base32")
	}
	right := false
	for step := now.Unix()/totpPeriod - totpDrift; step <= now.Unix()/totpPeriod+totpDrift; step++ {
		want, err := ocra(key, transactionSuite, challenge, uint64(step))
		if err != nil {
			return false, err
		}
		right = subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 || right
	}
	return right && isCode(code), nil
}

// ocra computes a code of six digits over a numeric challenge (RFC 6287 §5): the number in hexadecimal stands at the head of 128 bytes. A
// suite without a time leaves the time step out.
func ocra(key []byte, suite, challenge string, step ...uint64) (string, error) {
	number, ok := new(big.Int).SetString(challenge, 10)
	if !ok {
		return "", errors.New("a challenge is no number")
	}
	digits := number.Text(16)
	if len(digits)%2 == 1 {
		digits += "0"
	}
	question, err := hex.DecodeString(digits)
	if err != nil {
		return "", err
	}
	data := append([]byte(suite), 0)
	data = append(append(data, question...), make([]byte, 128-len(question))...)
	for _, s := range step {
		data = binary.BigEndian.AppendUint64(data, s)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(data)
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	value := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", otpDigits, value%otpCodes), nil
}
