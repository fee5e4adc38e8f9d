package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"countersign/internal/webauthn"
	"countersign/internal/webauthn/webauthntest"
)

// TestPartsAreResults: what a browser made is the same in parts as it is in one.
func TestPartsAreResults(t *testing.T) {
	t.Parallel()
	text := base64.RawURLEncoding.EncodeToString
	a := webauthntest.New(origin)
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := webauthn.NewRegistration(text(made.ID), text(made.ClientData), text(made.Attested))
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.Verify(site(), challenge(), true)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	id, client, data, signature := text(got.ID), text(got.ClientData), text(got.Data), text(got.Signature)
	signed, err := webauthn.NewAssertion(id, client, data, signature)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Origin() != origin || signed.BackupEligible() {
		t.Errorf("got origin %s, backup eligible %t", signed.Origin(), signed.BackupEligible())
	}
	if state, err := signed.Verify(site(), challenge(), key, true); err != nil || state.Counter != 2 {
		t.Errorf("got %+v, %v", state, err)
	}
	for _, bad := range []string{"", "=", id + "=", id + "\n", "a+/b", "A"} {
		_, one := webauthn.NewAssertion(bad, client, data, signature)
		_, two := webauthn.NewAssertion(id, client, data, bad)
		_, three := webauthn.NewRegistration(bad, text(made.ClientData), text(made.Attested))
		for _, err := range []error{one, two, three} {
			if !errors.Is(err, webauthn.ErrMalformed) {
				t.Errorf("%q: got %v", bad, err)
			}
		}
	}
}

// TestKeysAsJWK writes keys as the rest of the world does, and reads them back to the byte.
func TestKeysAsJWK(t *testing.T) {
	t.Parallel()
	for alg, part := range map[int64]string{-7: `"crv":"P-256"`, -8: `"crv":"Ed25519"`, -257: ""} {
		a := webauthntest.New(origin)
		a.Alg = alg
		key := register(t, a)
		jwk, ok := webauthn.JWK(key.Public)
		if ok != (part != "") || !strings.Contains(jwk, part) {
			t.Errorf("%d: got %s", alg, jwk)
		}
		if back, good := webauthn.FromJWK(jwk); good != ok || ok && !bytes.Equal(back, key.Public) {
			t.Errorf("%d: got %x back, want %x", alg, back, key.Public)
		}
	}
	const x = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, bad := range []string{
		"", "{}", `{"kty":"EC","crv":"P-256","x":"` + x + `"}`, `{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + x + `"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"` + x + `","y":"` + x + `"}`, `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`, `{"kty":"OKP","crv":"Ed25519","x":"` + x + `="}`,
	} {
		if public, ok := webauthn.FromJWK(bad); ok {
			t.Errorf("%s: got %x", bad, public)
		}
	}
	if jwk, ok := webauthn.JWK([]byte{0xa5, 0}); ok {
		t.Errorf("of no key: got %s", jwk)
	}
}

// FuzzParts wants no input to bring the readers of parts down, and a key that is read to be written as the same.
func FuzzParts(f *testing.F) {
	a := webauthntest.New(origin)
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		f.Fatal(err)
	}
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(webauthn.EncodeID(made.ID), webauthn.EncodeID(made.ClientData), webauthn.EncodeID(made.Attested),
		`{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
	f.Add(webauthn.EncodeID(got.ID), webauthn.EncodeID(got.ClientData), webauthn.EncodeID(got.Data), "{}")
	f.Add("", "AAAA", "e30", "")
	f.Fuzz(func(t *testing.T, id, client, data, jwk string) {
		if r, err := webauthn.NewRegistration(id, client, data); err == nil {
			_, _ = r.Verify(site(), challenge(), true)
		}
		if a, err := webauthn.NewAssertion(id, client, data, data); err == nil {
			_, _ = a.Verify(site(), challenge(), webauthn.Key{ID: a.ID()}, true)
		}
		public, ok := webauthn.FromJWK(jwk)
		if !ok {
			return
		}
		back, ok := webauthn.JWK(public)
		if again, good := webauthn.FromJWK(back); !ok || !good || !bytes.Equal(again, public) {
			t.Errorf("%s: written as %s", jwk, back)
		}
	})
}
