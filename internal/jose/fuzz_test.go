package jose_test

import (
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"countersign/internal/jose"
)

// FuzzVerify looks for a token that panics, is refused without a reason, or is
// accepted although we did not sign it or go-jose would not accept it.
func FuzzVerify(f *testing.F) {
	k := fixedKey(f)
	set := jose.NewSet(k.Public())
	token := sign(f, k, claims())
	parts := strings.Split(token, ".")
	old := sign(f, k, changed(jose.Claims{"exp": 1, "aud": []string{audience}}))
	for _, seed := range []string{
		token, old, "", ".", "..", "...", parts[0] + ".." + parts[2], parts[0] + "." + parts[1] + ".",
		b64(header(k, "none")) + "." + parts[1] + ".",
		b64(header(k, "HS256")) + "." + parts[1] + "." + parts[2],
		signRaw(f, k, header(k, "EdDSA"), "null"),
		signRaw(f, k, header(k, "EdDSA"), `{"exp":1e999}`),
		signRaw(f, k, header(k, "EdDSA"), strings.Repeat("[", 100)),
		signRaw(f, k, `{"crit":[],`+header(k, "EdDSA")[1:], payload(f)),
	} {
		f.Add(seed)
	}
	var jwk gojose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(k.Public().String())); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := set.Verify(text, want())
		if err != nil {
			var refusal *jose.Error
			if !errors.As(err, &refusal) || refusal.Reason() == "" || errors.Is(err, jose.ErrInvalid) == errors.Is(err, jose.ErrExpired) {
				t.Errorf("Verify(%q): %v is no reasoned refusal", text, err)
			}
			if errors.Is(err, jose.ErrExpired) && text != old {
				t.Errorf("Verify(%q) calls a token expired that was never issued", text)
			}
			return
		}
		if text != token {
			t.Errorf("Verify(%q) = %v: accepted, but never issued", text, got)
		}
		jws, err := gojose.ParseSignedCompact(text, []gojose.SignatureAlgorithm{gojose.EdDSA})
		if err != nil {
			t.Fatalf("go-jose does not parse %q: %v", text, err)
		}
		if _, err := jws.Verify(jwk.Key); err != nil {
			t.Errorf("go-jose does not verify %q: %v", text, err)
		}
	})
}

// FuzzParsePublic looks for a JWK that panics, or is accepted and then is not
// the same key when read again, or is not public.
func FuzzParsePublic(f *testing.F) {
	f.Add(fixedKey(f).Public().String())
	f.Add(`{"kty":"RSA","n":"","e":""}`)
	f.Add(`{"kty":"EC","crv":"P-256","x":"","y":""}`)
	f.Add(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"a\"b"}`)
	f.Add(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`)
	f.Fuzz(func(t *testing.T, text string) {
		key, err := jose.ParsePublic(text)
		if err != nil {
			return
		}
		again, err := jose.ParsePublic(key.String())
		if err != nil || !again.Equal(key) || again.ID() != key.ID() || key.ID() == "" {
			t.Errorf("ParsePublic(%s) = %s, %v", key, again, err)
		}
		if strings.Contains(key.String(), `"d":`) {
			t.Errorf("%s is not public", key)
		}
	})
}

// FuzzParseSet looks for a key set that panics, or is accepted and is not what it is bounded to be.
func FuzzParseSet(f *testing.F) {
	key := fixedKey(f).Public().String()
	for _, seed := range []string{keySet(key), keySet(key, key), keySet(key, `{}`), keySet(), `{"keys":null}`, `{"keys":[[]],"keys":[]}`, key, ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := jose.ParseSet(text, "")
		if err != nil {
			return
		}
		again, err := jose.ParseSet(string(set.JWKS()), "")
		if err != nil || string(again.JWKS()) != string(set.JWKS()) || set.Alg() == "" {
			t.Errorf("ParseSet(%s): %v", set.JWKS(), err)
		}
		if strings.Contains(string(set.JWKS()), `"d":`) {
			t.Errorf("%s is not public", set.JWKS())
		}
	})
}

// FuzzVerifyOwn looks for a token that brings its key and panics, is refused without a reason, or is accepted although go-jose would not
// accept it under that key.
func FuzzVerifyOwn(f *testing.F) {
	k := fixedKey(f)
	token, err := jose.SignOwn(k, "dpop+jwt", jose.Claims{"jti": "1"})
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(token, ".")
	for _, seed := range []string{
		token, "", "..", parts[0] + ".." + parts[2], token + "," + token,
		signRaw(f, k, `{"typ":"dpop+jwt","alg":"EdDSA"}`, `{}`),
		signRaw(f, k, `{"typ":"dpop+jwt","alg":"EdDSA","jwk":{}}`, `{}`),
		signRaw(f, k, `{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`, `{}`),
		signRaw(f, k, `{"typ":"dpop+jwt","alg":"none","jwk":`+k.Public().String()+`}`, `{}`),
		signRaw(f, k, `{"typ":"dpop+jwt","alg":"EdDSA","jwk":`+strings.Repeat("[", 40)+`}`, `{}`),
	} {
		f.Add(seed)
	}
	algs := []jose.Alg{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256}
	f.Fuzz(func(t *testing.T, text string) {
		key, _, err := jose.VerifyOwn(text, "dpop+jwt", algs...)
		if err != nil {
			var refusal *jose.Error
			if !errors.As(err, &refusal) || refusal.Reason() == "" {
				t.Errorf("VerifyOwn(%q): %v is no reasoned refusal", text, err)
			}
			return
		}
		var jwk gojose.JSONWebKey
		if err := jwk.UnmarshalJSON([]byte(key.String())); err != nil || !jwk.IsPublic() {
			t.Fatalf("VerifyOwn(%q): the key is %s: %v", text, key, err)
		}
		jws, err := gojose.ParseSignedCompact(text, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(key.Alg())})
		if err != nil {
			t.Fatalf("go-jose does not parse %q: %v", text, err)
		}
		if _, err := jws.Verify(jwk.Key); err != nil {
			t.Errorf("go-jose does not verify %q: %v", text, err)
		}
	})
}
