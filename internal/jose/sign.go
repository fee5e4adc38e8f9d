package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxToken bounds a token, in bytes, when issued as when verified.
const maxToken = 16 << 10

// Sign returns claims as a compact JWS whose header holds alg, kid and typ and
// nothing else. The typ is a media type without "application/", such as
// "at+jwt"; it must not be empty. Claims are written in alphabetical order, a
// [time.Time] as whole seconds since 1970.
func Sign(k *Key, typ string, claims Claims) (string, error) {
	if !validTyp(typ) {
		return "", fmt.Errorf("jose: sign: %q is no token type", typ)
	}
	// Neither the names of algorithms, nor thumbprints, nor a valid typ need escaping.
	return signWith(k, `{"alg":"`+string(k.public.alg)+`","kid":"`+k.public.id+`","typ":"`+typ+`"}`, claims)
}

// signWith is Sign under a header that is written already.
func signWith(k *Key, header string, claims Claims) (string, error) {
	payload, err := json.Marshal(claims, json.Deterministic(true), json.WithMarshalers(json.MarshalToFunc(writeTime)))
	if err != nil {
		return "", fmt.Errorf("jose: sign: %w", err)
	}
	b64 := base64.RawURLEncoding
	size := b64.EncodedLen(len(header)) + 1 + b64.EncodedLen(len(payload))
	token := make([]byte, 0, size+1+b64.EncodedLen(newRSABits/8))
	token = b64.AppendEncode(token, []byte(header))
	token = append(token, '.')
	token = b64.AppendEncode(token, payload)
	signature, err := k.sign(token)
	if err != nil {
		return "", fmt.Errorf("jose: sign: %w", err)
	}
	token = append(token, '.')
	token = b64.AppendEncode(token, signature)
	if len(token) > maxToken {
		return "", errors.New("jose: sign: token too long")
	}
	return string(token), nil
}

func writeTime(enc *jsontext.Encoder, t time.Time) error {
	return enc.WriteToken(jsontext.Int(t.Unix()))
}

// validTyp reports whether typ is made of the characters of a media type's name
// (RFC 6838 §4.2) alone.
func validTyp(typ string) bool {
	for _, c := range []byte(typ) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '+', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return typ != ""
}

func (k *Key) sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	switch private := k.private().(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, es256Size)
		r.FillBytes(signature[:es256Size/2])
		s.FillBytes(signature[es256Size/2:])
		return signature, nil
	case *rsa.PrivateKey:
		if k.public.alg == PS256 { // RFC 7518 §3.5: the salt is as long as the hash
			return rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])
	default: // ed25519.PrivateKey, which hashes by itself
		return private.Sign(rand.Reader, message, crypto.Hash(0))
	}
}
