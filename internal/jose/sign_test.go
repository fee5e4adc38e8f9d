package jose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"countersign/internal/jose"
)

func TestSignedTokenVerifies(t *testing.T) {
	for alg, k := range generated() {
		got := accept(t, string(alg), jose.NewSet(k.Public()), sign(t, k, claims()), want())
		want := jose.Claims{
			"iss": issuer, "aud": audience, "sub": "u1",
			"iat": float64(now.Unix()), "exp": float64(now.Unix() + 600),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: claims (-want +got):\n%s", alg, diff)
		}
	}
}

// TestGoJoseVerifiesOurTokens checks our signer against another verifier, which
// reads the key from our JWKS.
func TestGoJoseVerifiesOurTokens(t *testing.T) {
	for alg, k := range generated() {
		var keys gojose.JSONWebKeySet
		if err := json.Unmarshal(jose.NewSet(k.Public()).JWKS(), &keys); err != nil {
			t.Fatal(err)
		}
		token, err := jwt.ParseSigned(sign(t, k, claims()), []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := token.Headers[0].ExtraHeaders[gojose.HeaderType], "at+jwt"; got != want {
			t.Errorf("%s: typ = %v, want %v", alg, got, want)
		}
		var got jwt.Claims
		if err := token.Claims(keys, &got); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: now}
		if err := got.ValidateWithLeeway(expected, 0); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestGoJoseTokensVerify checks our verifier against another signer.
func TestGoJoseTokensVerify(t *testing.T) {
	for alg, k := range generated() {
		header := `{"typ":"application/AT+JWT","kid":"` + k.ID() + `","alg":"` + string(alg) + `","unknown":1}`
		accept(t, string(alg), jose.NewSet(k.Public()), signRaw(t, k, header, payload(t)), want())
	}
}

func TestTokenIsSpeltInOneWay(t *testing.T) {
	k := fixedKey(t)
	c := jose.Claims{"b": []string{"x", "y"}, "a": now.Add(999 * time.Millisecond), "c": map[string]any{"z": 1, "y": true}, "A": nil}
	token := sign(t, k, c)
	parts := strings.Split(token, ".")
	if got, want := unb64(t, parts[0]), `{"alg":"EdDSA","kid":"`+k.ID()+`","typ":"at+jwt"}`; got != want {
		t.Errorf("header = %s, want %s", got, want)
	}
	if got, want := unb64(t, parts[1]), `{"A":null,"a":1793880000,"b":["x","y"],"c":{"y":true,"z":1}}`; got != want {
		t.Errorf("payload = %s, want %s", got, want)
	}
	if got := sign(t, k, c); got != token {
		t.Errorf("second token = %s, want %s", got, token)
	}
}

func TestSignRefuses(t *testing.T) {
	k := fixedKey(t)
	tests := []struct {
		name, typ string
		claims    jose.Claims
	}{
		{"no typ", "", claims()},
		{"typ with a quote", `a"b`, claims()},
		{"typ with a slash", "application/at+jwt", claims()},
		{"typ beyond ASCII", "jwt\u017f", claims()},
		{"invalid UTF-8", "JWT", jose.Claims{"a": "\xff"}},
		{"a channel", "JWT", jose.Claims{"a": make(chan int)}},
		{"a long token", "JWT", jose.Claims{"a": strings.Repeat("a", 16<<10)}},
	}
	for _, test := range tests {
		if got, err := jose.Sign(k, test.typ, test.claims); err == nil {
			t.Errorf("%s: Sign = %s, want an error", test.name, got)
		}
	}
}

func TestStringsSurvive(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringN(1, 8, 30).Filter(func(s string) bool { _, taken := claims()[s]; return !taken }).Draw(rt, "name")
		value := rapid.StringN(0, 20, 100).Draw(rt, "value")
		c := claims()
		c[name] = value
		token, err := jose.Sign(k, "at+jwt", c)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := set.Verify(token, want())
		if err != nil {
			rt.Fatal(err)
		}
		if s, ok := got.String(name); !ok || s != value {
			rt.Errorf("String(%q) = %q, %t, want %q", name, s, ok, value)
		}
	})
}

func TestClaimGetters(t *testing.T) {
	k := fixedKey(t)
	json := `{"s":"x","n":1,"half":1.5,"micro":1793880000.123456,"zero":0,"neg":-1,"late":253402300800,"last":253402300799,
		"huge":1e300,"ss":["x","y"],"none":[],"mixed":["x",1],"nested":[["x"]],"null":null,"t":true,"digits":"1793880000",` + payload(t)[1:]
	c := accept(t, "getters", jose.NewSet(k.Public()), signRaw(t, k, `{"alg":"EdDSA","typ":"at+jwt","kid":"`+k.ID()+`"}`, json), want())

	for name, want := range map[string]time.Time{
		"n": time.Unix(1, 0), "half": time.Unix(1, 5e8), "zero": time.Unix(0, 0), "iat": now,
		"micro": now.Add(123456 * time.Microsecond), "last": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		if got, ok := c.Time(name); !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("Time(%s) = %v, %t, want %v in UTC", name, got, ok, want.UTC())
		}
	}
	for _, name := range []string{"neg", "late", "huge", "s", "digits", "ss", "null", "t", "absent"} {
		if got, ok := c.Time(name); ok {
			t.Errorf("Time(%s) = %v, want none", name, got)
		}
	}
	for name, want := range map[string][]string{"s": {"x"}, "ss": {"x", "y"}, "none": {}} {
		if got, ok := c.Strings(name); !ok || !cmp.Equal(got, want) {
			t.Errorf("Strings(%s) = %q, %t, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"n", "mixed", "nested", "null", "t", "absent"} {
		if got, ok := c.Strings(name); ok {
			t.Errorf("Strings(%s) = %q, want none", name, got)
		}
	}
	for _, name := range []string{"n", "ss", "null", "absent"} {
		if got, ok := c.String(name); ok {
			t.Errorf("String(%s) = %q, want none", name, got)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algs {
		b.Run(string(alg), func(b *testing.B) {
			k, c := generated()[alg], benchClaims()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jose.Sign(k, "at+jwt", c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range algs {
		b.Run(string(alg), func(b *testing.B) {
			k, w := generated()[alg], want()
			token, set := sign(b, k, benchClaims()), jose.NewSet(k.Public())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Verify(token, w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchClaims are the seven claims that RFC 9068 §2.2 asks of an access token.
func benchClaims() jose.Claims {
	return changed(jose.Claims{"client_id": "c1", "jti": "0123456789abcdef"})
}
