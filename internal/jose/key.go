package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Key is a private signing key. It is immutable, safe for concurrent use, and
// does not print.
type Key struct {
	// private returns the *ecdsa.PrivateKey, *rsa.PrivateKey or
	// ed25519.PrivateKey. It is a func because fmt, where it cannot call Format
	// (on an unexported field), prints what pointers point to but not what a
	// func holds.
	private func() crypto.Signer
	public  PublicKey
}

// Generate returns a new key for alg.
func Generate(alg Alg) (*Key, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256, PS256:
		private, err = rsa.GenerateKey(rand.Reader, newRSABits)
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("jose: unknown algorithm %q", alg)
	}
	if err != nil {
		return nil, fmt.Errorf("jose: generate %s key: %w", alg, err)
	}
	return newKey(alg, private)
}

// ParseKey reads what [Key.PKCS8] wrote. The key must be one that alg can use.
func ParseKey(alg Alg, pkcs8 []byte) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("jose: parse private key: %w", err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("jose: parse private key: %T does not sign", parsed)
	}
	return newKey(alg, private)
}

func newKey(alg Alg, private crypto.Signer) (*Key, error) {
	public, err := newPublicKey(alg, private.Public(), "")
	if err != nil {
		return nil, fmt.Errorf("jose: %w", err)
	}
	return &Key{private: func() crypto.Signer { return private }, public: public}, nil
}

// ID returns the kid: the key's SHA-256 thumbprint (RFC 7638) in base64url.
func (k *Key) ID() string { return k.public.id }

// Alg returns the one algorithm the key signs with.
func (k *Key) Alg() Alg { return k.public.alg }

// Public returns the public half.
func (k *Key) Public() PublicKey { return k.public }

// PKCS8 returns the private key in the clear, as PKCS #8 DER.
func (k *Key) PKCS8() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private())
	if err != nil {
		return nil, fmt.Errorf("jose: marshal private key: %w", err)
	}
	return der, nil
}

// Format implements [fmt.Formatter]: a key prints as [redacted].
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer]: a key logs as [redacted].
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler]: a key marshals as [redacted].
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
