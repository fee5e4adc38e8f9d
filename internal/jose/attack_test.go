package jose_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"countersign/internal/jose"
)

// header returns a header with the kid of k and any alg.
func header(k *jose.Key, alg string) string {
	return `{"alg":"` + alg + `","typ":"at+jwt","kid":"` + k.ID() + `"}`
}

func allKeys() *jose.Set {
	var keys []jose.PublicKey
	for _, k := range generated() {
		keys = append(keys, k.Public())
	}
	return jose.NewSet(keys...)
}

func TestAlgNoneIsRefused(t *testing.T) {
	for _, k := range generated() {
		good := sign(t, k, claims())
		signature := good[strings.LastIndex(good, ".")+1:]
		for i := range 16 {
			alg := []byte("none")
			for bit := range alg {
				if i>>bit&1 == 1 {
					alg[bit] -= 'a' - 'A'
				}
			}
			unsigned := b64(header(k, string(alg))) + "." + b64(payload(t)) + "."
			for name, token := range map[string]string{"unsigned": unsigned, "with a signature": unsigned + signature} {
				refuse(t, string(alg)+" "+name, allKeys(), token, want(), "alg is not that of the key")
			}
		}
		for _, alg := range []string{"", " ", "null", "nonE\\u0000", "\\u0000" + string(k.Alg()), string(k.Alg()) + " ", strings.ToLower(string(k.Alg()))} {
			refuse(t, "alg "+alg, allKeys(), signRaw(t, k, header(k, alg), payload(t)), want(), "alg is not that of the key")
		}
		for name, h := range map[string]string{
			"no alg":       `{"typ":"at+jwt","kid":"` + k.ID() + `"}`,
			"alg null":     `{"alg":null,"typ":"at+jwt","kid":"` + k.ID() + `"}`,
			"alg an array": `{"alg":["` + string(k.Alg()) + `"],"typ":"at+jwt","kid":"` + k.ID() + `"}`,
			"Alg":          `{"Alg":"` + string(k.Alg()) + `","typ":"at+jwt","kid":"` + k.ID() + `"}`,
		} {
			refuse(t, name, allKeys(), signRaw(t, k, h, payload(t)), want(), "alg is not that of the key")
		}
	}
}

// publicForms returns every form of a public key that someone might take for
// the secret of an HMAC.
func publicForms(t *testing.T, k *jose.Key) map[string][]byte {
	t.Helper()
	text := k.Public().String()
	var jwk gojose.JSONWebKey
	if err := json.Unmarshal([]byte(text), &jwk); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(jwk.Key)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forms := map[string][]byte{
		"nothing": nil, "DER": der, "PEM": block, "PEM, trimmed": []byte(strings.TrimSpace(string(block))),
		"JWK": []byte(text), "JWKS": jose.NewSet(k.Public()).JWKS(), "kid": []byte(k.ID()),
	}
	var members map[string]string
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n", "x", "y"} {
		if member := members[name]; member != "" {
			raw, err := base64.RawURLEncoding.DecodeString(member)
			if err != nil {
				t.Fatal(err)
			}
			forms[name], forms[name+", raw"] = []byte(member), raw
			forms[name+", decimal"] = []byte(new(big.Int).SetBytes(raw).String())
		}
	}
	return forms
}

func TestHMACUnderThePublicKeyIsRefused(t *testing.T) {
	for _, k := range generated() {
		for form, secret := range publicForms(t, k) {
			for _, alg := range []string{"HS256", "hs256", string(k.Alg())} {
				message := b64(header(k, alg)) + "." + b64(payload(t))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(message))
				token := message + "." + b64(string(mac.Sum(nil)))
				reason := "alg is not that of the key"
				if alg == string(k.Alg()) {
					reason = "wrong signature"
				}
				if alg == "ES256" {
					reason = "signature has the wrong size"
				}
				refuse(t, alg+" under "+form, allKeys(), token, want(), reason)
			}
		}
	}
}

func TestSwappedAlgorithmsAreRefused(t *testing.T) {
	keys := generated()
	for signing, k := range keys {
		for _, stated := range []jose.Alg{jose.ES256, jose.RS256, jose.EdDSA, "PS256", "ES384", "RS512", "HS256"} {
			for named, other := range keys {
				token := signRaw(t, k, header(other, string(stated)), payload(t))
				name := string(signing) + " key, alg " + string(stated) + ", kid of " + string(named)
				if signing == stated && signing == named {
					accept(t, name, allKeys(), token, want())
				} else {
					refuse(t, name, allKeys(), token, want(), "")
				}
			}
		}
	}
}

func TestForeignSignaturesAreRefused(t *testing.T) {
	for alg, k := range generated() {
		token, other := sign(t, k, claims()), sign(t, k, changed(jose.Claims{"sub": "u2"}))
		cut := strings.LastIndex(token, ".") + 1
		signature := token[cut:]
		stranger, err := jose.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		tests := map[string]string{
			"none":              "",
			"of another token":  other[strings.LastIndex(other, ".")+1:],
			"of a stranger":     strings.Split(signRaw(t, stranger, header(k, string(alg)), payload(t)), ".")[2],
			"zero":              b64(strings.Repeat("\x00", base64.RawURLEncoding.DecodedLen(len(signature)))),
			"with a zero more":  b64(unb64(t, signature) + "\x00"),
			"with a zero first": b64("\x00" + unb64(t, signature)),
			"cut":               b64(unb64(t, signature)[1:]),
			"twice":             signature + signature,
			"padded":            signature + "=",
			"broken line":       signature[:10] + "\n" + signature[10:],
			"a space":           signature + " ",
			"standard alphabet": strings.Repeat("+/", len(signature)/2),
		}
		for name, s := range tests {
			refuse(t, string(alg)+" signature "+name, allKeys(), token[:cut]+s, want(), "")
		}
		accept(t, string(alg), allKeys(), token[:cut]+signature, want())
	}
}

// TestES256SignatureHasOneForm refuses the DER form that most libraries speak,
// and numbers of other widths.
func TestES256SignatureHasOneForm(t *testing.T) {
	k := generated()[jose.ES256]
	token := sign(t, k, claims())
	cut := strings.LastIndex(token, ".") + 1
	raw := unb64(t, token[cut:])
	if got, want := len(raw), 64; got != want {
		t.Fatalf("signature of %d bytes, want %d", got, want)
	}
	r, s := raw[:32], raw[32:]
	for name, form := range map[string]string{
		"33 bytes each": "\x00" + r + "\x00" + s,
		"DER":           "\x30\x44\x02\x20" + r + "\x02\x20" + s,
		"r alone":       r,
	} {
		refuse(t, name, allKeys(), token[:cut]+b64(form), want(), "signature has the wrong size")
	}
	refuse(t, "swapped", allKeys(), token[:cut]+b64(s+r), want(), "wrong signature")
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	for _, alg := range []jose.Alg{jose.ES256, jose.EdDSA} {
		k := generated()[alg]
		token := sign(t, k, claims())
		accept(t, string(alg), allKeys(), token, want())
		for i := range len(token) * 8 {
			altered := []byte(token)
			altered[i/8] ^= 1 << (i % 8)
			refuse(t, "flipped: "+string(altered), allKeys(), string(altered), want(), "")
		}
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, k := range generated() {
		token := sign(t, k, claims())
		for n := range len(token) {
			refuse(t, "prefix "+token[:n], allKeys(), token[:n], want(), "")
			refuse(t, "suffix "+token[n+1:], allKeys(), token[n+1:], want(), "")
		}
		for _, more := range []string{".", "A", "=", " ", "\n", "\x00", "." + token} {
			refuse(t, "extended by "+more, allKeys(), token+more, want(), "")
			refuse(t, "preceded by "+more, allKeys(), more+token, want(), "")
		}
	}
}

func TestKeysChosenByTheTokenAreRefused(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	stranger := generated()[jose.EdDSA]
	for _, member := range []string{
		`"jwk":` + stranger.Public().String(),
		`"jwk":null`,
		`"jku":"https://evil.example.com/keys"`,
		`"x5u":"https://evil.example.com/cert"`,
		`"x5c":["MIIB"]`,
		`"x5c":[]`,
		`"crit":["exp"],"exp":1`,
		`"crit":["b64"],"b64":false`,
		`"crit":[]`,
		`"b64":false`,
		`"zip":"DEF"`,
		`"enc":"A256GCM"`,
	} {
		name := strings.Trim(member[:strings.Index(member, ":")], `"`)
		for who, signer := range map[string]*jose.Key{"us": k, "a stranger": stranger} {
			h := `{` + member + `,` + header(k, "EdDSA")[1:]
			refuse(t, member+" signed by "+who, set, signRaw(t, signer, h, payload(t)), want(), "forbidden header parameter "+name)
		}
	}
	for _, kid := range []string{
		"", " ", stranger.ID(), k.ID() + " ", strings.ToLower(k.ID()), k.ID()[:10],
		"../../../../dev/null", "/proc/self/environ", "' OR '1'='1", "0 UNION SELECT 'key'", "https://evil.example.com/key", "%s%n", "*", "\\u0000",
	} {
		h := `{"alg":"EdDSA","typ":"at+jwt","kid":"` + kid + `"}`
		refuse(t, "kid "+kid, set, signRaw(t, stranger, h, payload(t)), want(), "unknown kid")
	}
	for _, kid := range []string{``, `,"kid":null`, `,"kid":1`, `,"kid":["` + k.ID() + `"]`, `,"KID":"` + k.ID() + `"`} {
		refuse(t, "kid "+kid, set, signRaw(t, k, `{"alg":"EdDSA","typ":"at+jwt"`+kid+`}`, payload(t)), want(), "no kid")
	}
}
