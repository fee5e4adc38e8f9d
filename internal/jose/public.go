package jose

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// maxJWK bounds the text of a public key, in bytes. The largest key accepted,
// RSA of 8192 bits, takes 1.5 kB.
const maxJWK = 8 << 10

// PublicKey verifies what its private half signed. It is immutable; the zero
// PublicKey verifies nothing.
type PublicKey struct {
	id   string
	alg  Alg
	key  crypto.PublicKey // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey
	text string           // the JWK
}

// newPublicKey names the key by its thumbprint if id is empty.
func newPublicKey(alg Alg, pub crypto.PublicKey, id string) (PublicKey, error) {
	if err := checkPublic(alg, pub); err != nil {
		return PublicKey{}, err
	}
	jwk := jose.JSONWebKey{Key: pub, KeyID: id, Algorithm: string(alg), Use: "sig"}
	if id == "" {
		sum, err := jwk.Thumbprint(crypto.SHA256)
		if err != nil {
			return PublicKey{}, err
		}
		jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	text, err := jwk.MarshalJSON()
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{id: jwk.KeyID, alg: alg, key: pub, text: string(text)}, nil
}

// ParsePublic reads a JWK (RFC 7517): what [PublicKey.String] wrote, or a key
// of a party that we verify. A missing kid becomes the thumbprint; a missing
// alg becomes the algorithm of this package that fits the key, RS256 for RSA. A key that is
// private, symmetric, weak, or for anything but signatures is refused. Members
// beside the key, such as certificates, are dropped.
func ParsePublic(jwk string) (PublicKey, error) { return parsePublic(jwk, "") }

// parsePublic is ParsePublic for a key that has to be of an algorithm, unless that is empty.
func parsePublic(jwk string, want Alg) (PublicKey, error) {
	if len(jwk) > maxJWK {
		return PublicKey{}, errors.New("jose: parse public key: too long")
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON([]byte(jwk)); err != nil {
		// The cause may quote the text, which may be a private key by mistake.
		return PublicKey{}, errors.New("jose: parse public key: not a JWK of a known kind")
	}
	if !parsed.IsPublic() {
		return PublicKey{}, errors.New("jose: parse public key: the key is not public")
	}
	if parsed.Use != "" && parsed.Use != "sig" {
		return PublicKey{}, errors.New("jose: parse public key: the key is not for signatures")
	}
	alg := cmp.Or(Alg(parsed.Algorithm), want, algOf(parsed.Key))
	if want != "" && alg != want {
		return PublicKey{}, fmt.Errorf("jose: parse public key: the key is for another algorithm than %s", want)
	}
	key, err := newPublicKey(alg, parsed.Key, parsed.KeyID)
	if err != nil {
		return PublicKey{}, fmt.Errorf("jose: parse public key: %w", err)
	}
	return key, nil
}

func algOf(pub crypto.PublicKey) Alg {
	switch pub.(type) {
	case *ecdsa.PublicKey:
		return ES256
	case *rsa.PublicKey:
		return RS256
	case ed25519.PublicKey:
		return EdDSA
	}
	return ""
}

// ID returns the kid.
func (p PublicKey) ID() string { return p.id }

// Alg returns the one algorithm the key verifies.
func (p PublicKey) Alg() Alg { return p.alg }

// Renamed returns the same key with its thumbprint as its kid, whatever kid its owner gave it.
func (p PublicKey) Renamed() (PublicKey, error) { return newPublicKey(p.alg, p.key, "") }

// String returns the key as a JWK with public members alone: kty, use, kid, alg
// and either n and e, or crv and x, or crv, x and y.
func (p PublicKey) String() string { return p.text }

// Equal reports whether two keys are the same, kid and algorithm included.
func (p PublicKey) Equal(other PublicKey) bool { return p.text == other.text }

// Set is an immutable set of public keys, each with its own kid.
type Set struct {
	keys map[string]PublicKey
	jwks []byte
	seen *memory // nil: verifies each token anew
}

// Remembering returns the same set, which verifies the signature of a token that
// comes again only once, for at most twice as many tokens as are given.
// It is for keys of ours: a token that is good for one use gains nothing.
func (s *Set) Remembering(tokens int) *Set {
	return &Set{keys: s.keys, jwks: s.jwks, seen: &memory{size: tokens}}
}

// NewSet returns the set of keys, in that order in its JWKS. Of several keys
// with one kid only the first counts.
func NewSet(keys ...PublicKey) *Set {
	s := &Set{keys: make(map[string]PublicKey, len(keys))}
	var texts [][]byte
	for _, key := range keys {
		if _, ok := s.keys[key.id]; ok || key.key == nil {
			continue
		}
		s.keys[key.id] = key
		texts = append(texts, []byte(key.text))
	}
	s.jwks = fmt.Appendf(nil, `{"keys":[%s]}`, bytes.Join(texts, []byte(",")))
	return s
}

// JWKS returns the set as a JWK Set (RFC 7517 §5), for publication.
func (s *Set) JWKS() []byte { return bytes.Clone(s.jwks) }
