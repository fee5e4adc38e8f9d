package jose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"countersign/internal/jose"
)

func TestKeyRoundTrip(t *testing.T) {
	for alg, k := range generated() {
		der, err := k.PKCS8()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParseKey(alg, der)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := again.ID(), k.ID(); got != want {
			t.Errorf("%s: ID = %s, want %s", alg, got, want)
		}
		if got := again.Alg(); got != alg {
			t.Errorf("Alg = %s, want %s", got, alg)
		}
		public, err := jose.ParsePublic(k.Public().String())
		if err != nil {
			t.Fatal(err)
		}
		if !public.Equal(k.Public()) || public.ID() != k.ID() || public.Alg() != alg {
			t.Errorf("ParsePublic(%s) = %s", k.Public(), public)
		}
		accept(t, string(alg), jose.NewSet(public), sign(t, again, claims()), want())
	}
}

// TestKeyIDIsThumbprint uses the example of RFC 7638 §3.1, and go-jose.
func TestKeyIDIsThumbprint(t *testing.T) {
	const example = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256"}`
	public, err := jose.ParsePublic(example)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := public.ID(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
	for alg, k := range generated() {
		var jwk gojose.JSONWebKey
		if err := json.Unmarshal([]byte(k.Public().String()), &jwk); err != nil {
			t.Fatal(err)
		}
		sum, err := jwk.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.ID(), base64.RawURLEncoding.EncodeToString(sum); got != want {
			t.Errorf("%s: ID = %s, want %s", alg, got, want)
		}
	}
}

func TestJWKSHasPublicMembersAlone(t *testing.T) {
	keys := generated()
	set := jose.NewSet(keys[jose.ES256].Public(), keys[jose.RS256].Public(), keys[jose.EdDSA].Public(), keys[jose.ES256].Public(), jose.PublicKey{})
	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(set.JWKS(), &doc); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, key := range doc.Keys {
		var members []string
		for name := range key {
			members = append(members, name)
		}
		slices.Sort(members)
		got = append(got, append(members, key["kty"], key["use"], key["alg"]))
	}
	want := [][]string{
		{"alg", "crv", "kid", "kty", "use", "x", "y", "EC", "sig", "ES256"},
		{"alg", "e", "kid", "kty", "n", "use", "RSA", "sig", "RS256"},
		{"alg", "crv", "kid", "kty", "use", "x", "OKP", "sig", "EdDSA"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	set.JWKS()[0] = 'x'
	if got := set.JWKS()[0]; got != '{' {
		t.Error("JWKS hands out its own bytes")
	}
	if got, want := string(jose.NewSet().JWKS()), `{"keys":[]}`; got != want {
		t.Errorf("empty JWKS = %s, want %s", got, want)
	}
}

func TestFirstKeyOfAnIDCounts(t *testing.T) {
	k := generated()[jose.EdDSA]
	stranger := generated()[jose.ES256].Public().String()
	public, err := jose.ParsePublic(strings.Replace(stranger, generated()[jose.ES256].ID(), k.ID(), 1))
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, k, claims())
	accept(t, "first", jose.NewSet(k.Public(), public), token, want())
	refuse(t, "second", jose.NewSet(public, k.Public()), token, want(), "alg is not that of the key")
}

// kty is the kind of key that an algorithm needs.
func kty(alg jose.Alg) string {
	if alg == jose.RS256 || alg == jose.PS256 {
		return "RSA"
	}
	return string(alg)
}

func TestParsePublicNamesWhatIsMissing(t *testing.T) {
	for alg, k := range generated() {
		if alg == jose.PS256 {
			continue // an RSA key that names no algorithm is for RS256
		}
		var jwk map[string]string
		if err := json.Unmarshal([]byte(k.Public().String()), &jwk); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"kid", "alg", "use"} {
			delete(jwk, name)
		}
		bare, err := json.Marshal(jwk)
		if err != nil {
			t.Fatal(err)
		}
		got, err := jose.ParsePublic(string(bare))
		if err != nil || !got.Equal(k.Public()) {
			t.Errorf("%s: ParsePublic(%s) = %s, %v, want %s", alg, bare, got, err, k.Public())
		}
	}
}

func TestParsePublicRefuses(t *testing.T) {
	jwk := func(key any, alg, use string) string {
		b, err := json.Marshal(gojose.JSONWebKey{Key: key, Algorithm: alg, Use: use, KeyID: "k"})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := jwk(&ec.PublicKey, "ES256", "sig")
	if _, err := jose.ParsePublic(good); err != nil {
		t.Fatal(err)
	}
	rsaJWK := generated()[jose.RS256].Public().String()
	n := func(bits int) string {
		return base64.RawURLEncoding.EncodeToString(append([]byte{0xff}, make([]byte, bits/8-1)...))
	}
	tests := map[string]string{
		"empty":              "",
		"not JSON":           "key",
		"an array":           "[" + good + "]",
		"trailing":           good + good,
		"too long":           good + strings.Repeat(" ", 8<<10),
		"duplicate member":   strings.Replace(good, `"kty"`, `"kty":"EC","kty"`, 1),
		"private EC":         jwk(ec, "ES256", "sig"),
		"symmetric":          jwk([]byte("0123456789abcdef0123456789abcdef"), "HS256", "sig"),
		"symmetric as ES256": jwk([]byte("0123456789abcdef0123456789abcdef"), "ES256", "sig"),
		"P-384":              jwk(&p384.PublicKey, "ES256", "sig"),
		"P-384, no alg":      jwk(&p384.PublicKey, "", ""),
		"ES384":              jwk(&ec.PublicKey, "ES384", "sig"),
		"none":               jwk(&ec.PublicKey, "none", "sig"),
		"EC as RS256":        jwk(&ec.PublicKey, "RS256", "sig"),
		"RSA as PS384":       strings.Replace(rsaJWK, "RS256", "PS384", 1),
		"RSA as HS256":       strings.Replace(rsaJWK, "RS256", "HS256", 1),
		"for encryption":     jwk(&ec.PublicKey, "ES256", "enc"),
		"off the curve":      `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`,
		"short Ed25519":      `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"RSA of 1024 bits":   `{"kty":"RSA","e":"AQAB","n":"` + n(1024) + `"}`,
		"RSA of 8200 bits":   `{"kty":"RSA","e":"AQAB","n":"` + n(8200) + `"}`,
		"RSA of 16384 bits":  `{"kty":"RSA","e":"AQAB","n":"` + n(16384) + `"}`,
		"RSA exponent 1":     `{"kty":"RSA","e":"AQ","n":"` + n(2048) + `"}`,
		"RSA exponent 2":     `{"kty":"RSA","e":"Ag","n":"` + n(2048) + `"}`,
		"RSA exponent 4":     `{"kty":"RSA","e":"BA","n":"` + n(2048) + `"}`,
	}
	for name, text := range tests {
		got, err := jose.ParsePublic(text)
		if err == nil {
			t.Errorf("%s: ParsePublic(%s) = %s, want an error", name, text, got)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := func(key any) []byte {
		b, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, alg := range append(algs, "HS256", "none", "") {
		for other, k := range generated() {
			pkcs8, err := k.PKCS8()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jose.ParseKey(alg, pkcs8); (err == nil) != (kty(alg) == kty(other)) {
				t.Errorf("ParseKey(%q) of a key for %s: %v", alg, other, err)
			}
		}
		for name, bad := range map[string][]byte{"nil": nil, "text": []byte("key"), "RSA of 1024 bits": der(small), "P-384": der(p384)} {
			if _, err := jose.ParseKey(alg, bad); err == nil {
				t.Errorf("ParseKey(%q) of %s succeeded", alg, name)
			}
		}
	}
	if _, err := jose.Generate("HS256"); err == nil {
		t.Error("Generate(HS256) succeeded")
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	for alg, k := range generated() {
		hidden := privateForms(t, k)
		wantHidden := func(what, out string) {
			t.Helper()
			for _, h := range hidden {
				if strings.Contains(strings.ToLower(out), strings.ToLower(h)) {
					t.Errorf("%s: %s shows the key: %s", alg, what, out)
				}
			}
		}
		for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d") {
			for _, v := range []any{k, *k} {
				if got, want := fmt.Sprintf(verb, v), "[redacted]"; got != want {
					t.Errorf("%s under %s = %s, want %s", alg, verb, got, want)
				}
			}
			wantHidden("a pointer field under "+verb, fmt.Sprintf(verb, struct{ k *jose.Key }{k}))
			wantHidden("a field under "+verb, fmt.Sprintf(verb, struct{ k jose.Key }{*k}))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "k", k)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", k)
		if got := strings.Count(log.String(), "[redacted]"); got != 2 {
			t.Errorf("%s: [redacted] %d times in the log, want 2: %s", alg, got, &log)
		}
		wantHidden("the log", log.String())
		b, err := json.Marshal(k)
		if got, want := string(b), `"[redacted]"`; err != nil || got != want {
			t.Errorf("%s in JSON = %s, %v, want %s", alg, got, err, want)
		}
	}
}

// privateForms returns the private number of a key as it might be printed.
func privateForms(t *testing.T, k *jose.Key) []string {
	t.Helper()
	der, err := k.PKCS8()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	var d *big.Int
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		scalar, err := private.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		d = new(big.Int).SetBytes(scalar)
	case *rsa.PrivateKey:
		d = private.D
	case ed25519.PrivateKey:
		d = new(big.Int).SetBytes(private.Seed())
	}
	return []string{
		d.String(), d.Text(16), fmt.Sprint(d.Bits()[0]), strings.Trim(fmt.Sprint(d.Bytes()), "[]"),
		base64.StdEncoding.EncodeToString(der)[:60], hex.EncodeToString(der),
	}
}
