package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/jose"
)

const (
	issuer   = "https://id.example.com"
	audience = "https://api.example.com"
)

var now = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

var algs = []jose.Alg{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}

// generated holds one key for each algorithm, made once: RSA keys are slow.
var generated = sync.OnceValue(func() map[jose.Alg]*jose.Key {
	keys := make(map[jose.Alg]*jose.Key)
	for _, alg := range algs {
		k, err := jose.Generate(alg)
		if err != nil {
			panic(err)
		}
		keys[alg] = k
	}
	return keys
})

// fixedKey is an Ed25519 key that is the same in each run, so that tokens can be
// committed as seeds.
func fixedKey(t testing.TB) *jose.Key {
	t.Helper()
	seed := sha256.Sum256([]byte("fixed test key"))
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	k, err := jose.ParseKey(jose.EdDSA, der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func want() jose.Want {
	return jose.Want{Typ: []string{"at+jwt"}, Issuer: issuer, Audience: audience, Now: now}
}

func claims() jose.Claims {
	return jose.Claims{
		"iss": issuer, "aud": audience, "sub": "u1",
		"iat": now, "exp": now.Add(10 * time.Minute),
	}
}

// changed returns the usual claims with some replaced, or removed if nil.
func changed(changes jose.Claims) jose.Claims {
	c := claims()
	for name, v := range changes {
		c[name] = v
		if v == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, k *jose.Key, c jose.Claims) string {
	t.Helper()
	token, err := jose.Sign(k, "at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// unb64 decodes one part of a token of our own.
func unb64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// payload returns the usual claims as JSON.
func payload(t testing.TB) string {
	t.Helper()
	return unb64(t, strings.Split(sign(t, fixedKey(t), claims()), ".")[1])
}

// signRaw signs any header and payload, well formed or not, with nothing but the
// standard library.
func signRaw(t testing.TB, k *jose.Key, header, payload string) string {
	t.Helper()
	message := b64(header) + "." + b64(payload)
	der, err := k.PKCS8()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(message))
	var signature []byte
	switch private := private.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(private, []byte(message))
	case *rsa.PrivateKey:
		if k.Alg() == jose.PS256 {
			signature, err = rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], nil)
		} else {
			signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, private, digest[:])
		if err = signErr; err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return message + "." + b64(string(signature))
}

// refuse checks that the set refuses the token as invalid, and why: the reason
// keeps a test from passing because the token was wrong in some other way.
func refuse(t testing.TB, name string, set *jose.Set, token string, w jose.Want, reason string) {
	t.Helper()
	got, err := set.Verify(token, w)
	var refusal *jose.Error
	if got != nil || !errors.Is(err, jose.ErrInvalid) || errors.Is(err, jose.ErrExpired) || !errors.As(err, &refusal) {
		t.Errorf("%s: Verify = %v, %v, want ErrInvalid", name, got, err)
		return
	}
	if reason != "" && refusal.Reason() != reason {
		t.Errorf("%s: reason = %q, want %q", name, refusal.Reason(), reason)
	}
	if got, want := err.Error(), "jose: token invalid"; got != want {
		t.Errorf("%s: error text = %q, want %q", name, got, want)
	}
}

// accept checks that the set accepts the token.
func accept(t testing.TB, name string, set *jose.Set, token string, w jose.Want) jose.Claims {
	t.Helper()
	got, err := set.Verify(token, w)
	if err != nil {
		var refusal *jose.Error
		errors.As(err, &refusal)
		t.Errorf("%s: Verify: %v (%s), want success", name, err, refusal.Reason())
	}
	return got
}
