// Package jose holds signing keys, and issues and verifies JSON Web Tokens.
//
// It owns key pairs and their JWK form (RFC 7517), the compact signature of
// claims (RFC 7515, RFC 7519), and every check of a token that can be made
// from the token, the keys and the clock alone (RFC 8725). It signs by itself
// and leaves the verification of signatures to go-jose, so each is the other's
// oracle in the tests.
//
// It does not know sessions, users or scopes, nor which claims a kind of token
// needs beyond exp and iat. It stores nothing, fetches nothing, and encrypts
// nothing: private keys leave it as PKCS #8 for the caller to seal.
//
// A token never chooses how it is verified. Its kid looks a key up in a [Set],
// and that key has one algorithm; a header that carries or points to a key is
// refused.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
)

// Alg is a signature algorithm by its name in RFC 7518 or RFC 8037.
type Alg string

// The algorithms this package signs and verifies with. ES256 is the one to
// prefer; RS256 is for parties that know nothing else, as OpenID Connect Core
// §15.1 requires, and costs about thirty times as much to sign.
const (
	ES256 Alg = "ES256" // ECDSA, P-256, SHA-256
	RS256 Alg = "RS256" // RSASSA-PKCS1-v1_5, SHA-256
	PS256 Alg = "PS256" // RSASSA-PSS, SHA-256
	EdDSA Alg = "EdDSA" // Ed25519
)

// RSA moduli, in bits. New keys are of the smallest size that is accepted: at
// 3072 bits a signature takes three times as long, and a signing key is retired
// long before the difference matters.
const (
	newRSABits = 2048
	minRSABits = 2048
	maxRSABits = 8192
)

var (
	// ErrExpired means that the token is good in every respect but its age.
	ErrExpired = errors.New("jose: token expired")

	// ErrInvalid means anything else that is wrong with a token.
	ErrInvalid = errors.New("jose: token invalid")
)

// Error is why [Set.Verify] refused a token. It unwraps to [ErrExpired] or
// [ErrInvalid], and says no more than they do unless asked for the reason.
type Error struct {
	kind   error
	reason string
}

// Error returns the text of [ErrExpired] or [ErrInvalid].
func (e *Error) Error() string { return e.kind.Error() }

// Unwrap returns [ErrExpired] or [ErrInvalid].
func (e *Error) Unwrap() error { return e.kind }

// Reason says what was wrong, for the log and never for the client. It contains
// nothing of the token.
func (e *Error) Reason() string { return e.reason }

func invalid(reason string) error { return &Error{kind: ErrInvalid, reason: reason} }

// checkPublic returns an error unless pub is a key that alg may be used with.
func checkPublic(alg Alg, pub crypto.PublicKey) error {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if alg == ES256 && pub.Curve == elliptic.P256() {
			return nil
		}
	case ed25519.PublicKey:
		if alg == EdDSA && len(pub) == ed25519.PublicKeySize {
			return nil
		}
	case *rsa.PublicKey:
		if alg != RS256 && alg != PS256 {
			break
		}
		if bits := pub.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA modulus of %d bits, want %d to %d", bits, minRSABits, maxRSABits)
		}
		if pub.E < 3 || pub.E%2 == 0 {
			return fmt.Errorf("RSA exponent %d, want an odd number of at least 3", pub.E)
		}
		return nil
	}
	return fmt.Errorf("algorithm %q does not go with a key of type %T", alg, pub)
}
