package jose_test

import (
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"countersign/internal/jose"
)

func ownHeader(k *jose.Key, change func(map[string]any)) string {
	var jwk map[string]any
	if err := json.Unmarshal([]byte(k.Public().String()), &jwk); err != nil {
		panic(err)
	}
	header := map[string]any{"alg": string(k.Alg()), "typ": "dpop+jwt", "jwk": jwk}
	change(header)
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func same(map[string]any) {}

// TestOwnKey: the key is that of the header, under its thumbprint whatever it calls itself.
func TestOwnKey(t *testing.T) {
	for _, k := range generated() {
		for name, change := range map[string]func(map[string]any){
			"as it is": same,
			"bare": func(h map[string]any) {
				delete(h["jwk"].(map[string]any), "kid")
				delete(h["jwk"].(map[string]any), "alg")
			},
			"renamed": func(h map[string]any) { h["jwk"].(map[string]any)["kid"] = "mine" },
			"kid":     func(h map[string]any) { h["kid"] = "theirs" },
		} {
			key, claims, err := jose.VerifyOwn(signRaw(t, k, ownHeader(k, change), `{"jti":"1"}`), "dpop+jwt", k.Alg())
			if err != nil || key.ID() != k.ID() || claims["jti"] != "1" {
				t.Errorf("%s, %s: got %s and %v, %v", k.Alg(), name, key.ID(), claims, err)
			}
		}
		token, err := jose.SignOwn(k, "dpop+jwt", jose.Claims{"jti": "2"})
		if err != nil {
			t.Fatal(err)
		}
		if key, _, err := jose.VerifyOwn(token, "dpop+jwt", k.Alg()); err != nil || !key.Equal(k.Public()) {
			t.Errorf("%s: got %v", k.Alg(), err)
		}
	}
}

// TestForgedOwnKey is B-36, B-37 and B-40 for tokens that bring their key.
func TestForgedOwnKey(t *testing.T) {
	k, other := generated()[jose.ES256], generated()[jose.EdDSA]
	private := func(h map[string]any) {
		der, err := k.PKCS8()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		text, err := gojose.JSONWebKey{Key: parsed}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var jwk map[string]any
		if err := json.Unmarshal(text, &jwk); err != nil {
			t.Fatal(err)
		}
		h["jwk"] = jwk
	}
	set := func(name string, value any) func(map[string]any) {
		return func(h map[string]any) { h[name] = value }
	}
	algs := []jose.Alg{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256}
	for name, change := range map[string]func(map[string]any){
		"private":          private,
		"no key":           func(h map[string]any) { delete(h, "jwk") },
		"a text":           set("jwk", "{}"),
		"another's key":    set("jwk", json.RawMessage(other.Public().String())),
		"a secret":         set("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}),
		"none":             set("alg", "none"),
		"HMAC":             set("alg", "HS256"),
		"another alg":      set("alg", "RS256"),
		"an access token":  set("typ", "at+jwt"),
		"no typ":           func(h map[string]any) { delete(h, "typ") },
		"typ, long":        set("typ", "application/dpop+jwt"),
		"typ, large":       set("typ", "DPoP+JWT"),
		"an address":       set("jku", "https://evil.example/keys"),
		"a certificate":    set("x5c", []string{"MII"}),
		"unknown, crucial": set("crit", []string{"b64"}),
	} {
		token := signRaw(t, k, ownHeader(k, change), `{"jti":"1"}`)
		if _, _, err := jose.VerifyOwn(token, "dpop+jwt", algs...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := signRaw(t, k, ownHeader(k, same), `{"jti":"1"}`)
	for name, token := range map[string]string{
		"no signature":   good[:strings.LastIndex(good, ".")+1],
		"other claims":   strings.Replace(good, b64(`{"jti":"1"}`), b64(`{"jti":"2"}`), 1),
		"not an object":  signRaw(t, k, ownHeader(k, same), `[]`),
		"names twice":    signRaw(t, k, ownHeader(k, same), `{"jti":"1","jti":"2"}`),
		"two in one":     good + "," + good,
		"nothing":        "",
		"far too long":   strings.Repeat("a", 1<<20),
		"not base64":     "a.b.c",
		"with a newline": good + "\n",
	} {
		if _, _, err := jose.VerifyOwn(token, "dpop+jwt", algs...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, _, err := jose.VerifyOwn(good, "dpop+jwt", jose.RS256); err == nil {
		t.Error("an algorithm that is not wanted: accepted")
	}
}

// TestOwnKeyOfTheRFC is the proof of RFC 9449 §4.1 with the thumbprint of §6.1.
func TestOwnKeyOfTheRFC(t *testing.T) {
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZl" +
		"dWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2My" +
		"bFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0" +
		"zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	key, claims, err := jose.VerifyOwn(proof, "dpop+jwt", jose.ES256)
	if err != nil || key.ID() != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" || claims["htu"] != "https://server.example.com/token" {
		t.Errorf("got %s and %v, %v", key.ID(), claims, err)
	}
}
