package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// KeyUse is what a key of a user's is good for. A key of one use proves nothing of another (B-22).
type KeyUse string

const (
	KeyBiometric KeyUse = "biometric" // logs its user in: a device signs with it after its owner's biometrics (contract/cis §1.10)
	KeyDevice    KeyUse = "device"    // tells a client that a device is there, and logs nobody in (contract/cis §1.10)
)

// KeyType is the kind of a key.
type KeyType string

const (
	KeyRSA KeyType = "rsa" // 2,048 to 4,096 bits; PSS or PKCS #1 v1.5, with SHA-256
	KeyEC  KeyType = "ec"  // P-256; ECDSA with SHA-256
)

// UserKey is the public half of a key whose other half a device keeps for its user.
type UserKey struct {
	Tenant    TenantID
	User      UserID
	Use       KeyUse
	ID        string // as its device calls it; one of its user and use
	Version   int64  // of the row, from 1
	Type      KeyType
	Public    []byte // SubjectPublicKeyInfo in DER
	OS        string
	Name      string
	Custom    string // a JSON object that the client keeps with it; empty: none
	PushType  string // FCM or APN; empty: none
	PushToken string
	BlockedAt time.Time // by a client; zero: not
	CreatedAt time.Time
	UpdatedAt time.Time // of what the client keeps with it
	UsedAt    time.Time // of the latest signature that held; zero: none
}

const (
	maxUserKeys     = 20 // of one user and use
	maxKeyText      = 8192
	maxSignature    = 1024 // characters
	minKeyChallenge = 16   // characters: what is shorter is no challenge
	maxKeyChallenge = 1024
	minRSABits      = 2048
	maxRSABits      = 4096
	// KeyChallengeMemory is how long a challenge that a client made is remembered, so that no signature over it is taken again.
	KeyChallengeMemory = 90 * 24 * time.Hour
)

// KeySubject is under what failures of a key are counted.
func KeySubject(id UserID, use KeyUse, key string) Subject {
	return Subject("key:" + string(id) + "/" + string(use) + "/" + key)
}

func (k UserKey) subject() Subject { return KeySubject(k.User, k.Use, k.ID) }

// publicKey is a key that was found good.
type publicKey struct {
	typ KeyType
	der []byte
	rsa *rsa.PublicKey
	ec  *ecdsa.PublicKey
}

// parsePublicKey reads a key: PEM, or base64 of either alphabet with or without padding, of SubjectPublicKeyInfo, of PKCS #1, or of an
// uncompressed point, as the key stores of phones export them.
//
// Errors: CodeKeyMalformed; CodeKeyWeak for a key of another kind or size.
func parsePublicKey(text string) (publicKey, *Error) {
	der, ok := keyBytes(text)
	if !ok {
		return publicKey{}, refuse(CodeKeyMalformed)
	}
	if len(der) == 65 && der[0] == 4 {
		return pointKey(der)
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return rsaKey(key)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return publicKey{}, &Error{Code: CodeKeyMalformed, Cause: err}
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsaKey(key)
	case *ecdsa.PublicKey:
		return ecKey(key)
	}
	return publicKey{}, refuse(CodeKeyWeak)
}

func keyBytes(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxKeyText {
		return nil, false
	}
	if strings.HasPrefix(text, "-----BEGIN ") {
		block, rest := pem.Decode([]byte(text))
		if block == nil || len(strings.TrimSpace(string(rest))) > 0 || block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY" {
			return nil, false
		}
		return block.Bytes, true
	}
	return looseBase64(strings.NewReplacer("\n", "", "\r", "").Replace(text))
}

// looseBase64 reads base64 of either alphabet, with or without padding.
func looseBase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return raw, err == nil && len(raw) > 0
}

func rsaKey(key *rsa.PublicKey) (publicKey, *Error) {
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits || key.E < 65537 || key.E%2 == 0 || key.N.Bit(0) == 0 {
		return publicKey{}, refuse(CodeKeyWeak)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return publicKey{}, &Error{Code: CodeKeyMalformed, Cause: err}
	}
	return publicKey{typ: KeyRSA, der: der, rsa: key}, nil
}

func ecKey(key *ecdsa.PublicKey) (publicKey, *Error) {
	if key.Curve != elliptic.P256() {
		return publicKey{}, refuse(CodeKeyWeak)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return publicKey{}, &Error{Code: CodeKeyMalformed, Cause: err}
	}
	return publicKey{typ: KeyEC, der: der, ec: key}, nil
}

func pointKey(point []byte) (publicKey, *Error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return publicKey{}, &Error{Code: CodeKeyMalformed, Cause: err}
	}
	return ecKey(key)
}

// verifies reports whether a signature in base64 is the key's over the bytes of a text.
func (k publicKey) verifies(text, signature string) bool {
	if len(signature) > maxSignature {
		return false
	}
	raw, ok := looseBase64(signature)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	if k.rsa != nil {
		return rsa.VerifyPSS(k.rsa, crypto.SHA256, sum[:], raw, nil) == nil || rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, sum[:], raw) == nil
	}
	if len(raw) == 64 && ecdsa.Verify(k.ec, sum[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		return true
	}
	return ecdsa.VerifyASN1(k.ec, sum[:], raw)
}

// open reads the stored key.
func (k UserKey) open() (publicKey, error) {
	key, err := x509.ParsePKIXPublicKey(k.Public)
	if err != nil {
		return publicKey{}, fmt.Errorf("read key %s of user %s: %w", k.ID, k.User, err)
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return publicKey{typ: KeyRSA, rsa: key}, nil
	case *ecdsa.PublicKey:
		return publicKey{typ: KeyEC, ec: key}, nil
	}
	return publicKey{}, fmt.Errorf("read key %s of user %s: it is of another kind", k.ID, k.User)
}

// newDecoyKey makes a key that is checked in the place of one that is not there, at the same cost.
func newDecoyKey() (publicKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return publicKey{}, fmt.Errorf("make decoy key: %w", err)
	}
	return publicKey{typ: KeyEC, ec: &key.PublicKey}, nil
}

// keyOf reads a user's key; it is zero when there is none.
func keyOf(r Reads, t TenantID, id UserID, use KeyUse, key string) (UserKey, error) {
	k, err := r.UserKey(t, id, use, key)
	if errors.Is(err, ErrNotFound) {
		return UserKey{}, nil
	}
	return k, err
}

// addKey adds a key to a user.
//
// Verdicts: CodeKeyLimit, CodeKeyExists.
func (s *Service) addKey(tx Tx, k UserKey) (*Error, error) {
	keys, err := tx.UserKeys(k.Tenant, k.User)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, other := range keys {
		if other.Use != k.Use {
			continue
		}
		if n++; other.ID == k.ID {
			return refuse(CodeKeyExists), nil
		}
	}
	if n >= maxUserKeys {
		return refuse(CodeKeyLimit), nil
	}
	return nil, tx.AddUserKey(k)
}
