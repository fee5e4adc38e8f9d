package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// forger signs what it likes with the server's own key: what keeps a token from being taken must then be what it says.
type forger struct {
	t   *testing.T
	kid string
	typ string // of the headers
	key *ecdsa.PrivateKey
}

func newForger(t *testing.T, e *authtest.Env) forger {
	t.Helper()
	if err := e.EnsureKeys(t.Context(), "ES256"); err != nil {
		t.Fatal(err)
	}
	var d auth.Directory
	if err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { d, err = r.Directory(); return err }); err != nil {
		t.Fatal(err)
	}
	own := d.SigningKeys[0]
	raw, err := e.Ring.Open("signing_keys/sealed/"+own.ID, own.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return forger{t, own.ID, "at+jwt", key.(*ecdsa.PrivateKey)}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// raw signs a header and a payload as they stand.
func (f forger) raw(header, payload string) string {
	f.t.Helper()
	message := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(message))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum[:])
	if err != nil {
		f.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return message + "." + b64(signature)
}

// object is the header or the payload of a token, with members set otherwise; nil takes one away.
type object map[string]any

func (o object) text(t *testing.T, changes object) string {
	t.Helper()
	changed := maps.Clone(o)
	for name, value := range changes {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	text, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (f forger) header() object { return object{"alg": "ES256", "kid": f.kid, "typ": f.typ} }

// claims signs a genuine token's claims with some set otherwise.
func (f forger) claims(genuine string, changes object) string {
	return f.raw(f.header().text(f.t, nil), object(payload(f.t, genuine)).text(f.t, changes))
}

// headers signs a genuine token's claims under a header with members set otherwise.
func (f forger) headers(genuine string, changes object) string {
	return f.raw(f.header().text(f.t, changes), object(payload(f.t, genuine)).text(f.t, nil))
}

// keyed replaces the signature by an HMAC, under an algorithm that says so or one that does not (B-36).
func (f forger) keyed(genuine, alg string, secret []byte) string {
	message := b64([]byte(f.header().text(f.t, object{"alg": alg}))) + "." + strings.Split(genuine, ".")[1]
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(message))
	return message + "." + b64(mac.Sum(nil))
}

// publicKey is the key in the forms that somebody might take for the secret of an HMAC.
func (f forger) publicKey() map[string][]byte {
	f.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	x, y := make([]byte, 32), make([]byte, 32)
	f.key.X.FillBytes(x)
	f.key.Y.FillBytes(y)
	jwk := object{"alg": "ES256", "crv": "P-256", "kid": f.kid, "kty": "EC", "use": "sig", "x": b64(x), "y": b64(y)}.text(f.t, nil)
	return map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": []byte(jwk), "x": x, "nothing": nil,
		"the client's secret": []byte(secret),
	}
}

// forgeries are all that somebody could make of a genuine token that is not one (RFC 8725 §3, B-36 to B-40), by name.
func (f forger) forgeries(genuine string, now time.Time) map[string]string {
	all := map[string]string{}
	for _, more := range []map[string]string{f.unsigned(genuine), f.headed(genuine), f.claimed(genuine), f.timed(genuine, now), f.spelled(genuine)} {
		maps.Copy(all, more)
	}
	return all
}

// unsigned are tokens whose signature is none, or not made with our key.
func (f forger) unsigned(genuine string) map[string]string {
	parts := strings.Split(genuine, ".")
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	foreign := forger{f.t, f.kid, f.typ, stranger}
	x, y := make([]byte, 32), make([]byte, 32)
	stranger.X.FillBytes(x)
	stranger.Y.FillBytes(y)
	jwk := object{"crv": "P-256", "kty": "EC", "x": b64(x), "y": b64(y)}
	none := b64([]byte(f.header().text(f.t, object{"alg": "none"}))) + "." + parts[1] + "."
	all := map[string]string{
		"alg none": none, "alg none with the signature": none + parts[2],
		"alg nOnE":                b64([]byte(f.header().text(f.t, object{"alg": "nOnE"}))) + "." + parts[1] + ".",
		"no signature":            parts[0] + "." + parts[1] + ".",
		"two parts":               parts[0] + "." + parts[1],
		"another's signature":     parts[0] + "." + parts[1] + "." + strings.Split(f.claims(genuine, object{"x": 1}), ".")[2],
		"signature of zeros":      parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"another key":             foreign.claims(genuine, nil),
		"another key, its jwk":    foreign.headers(genuine, object{"jwk": jwk}),
		"another key, no kid":     foreign.headers(genuine, object{"jwk": jwk, "kid": nil}),
		"another key, its jku":    foreign.headers(genuine, object{"jku": "https://evil.example/keys", "kid": "evil"}),
		"another key, its x5u":    foreign.headers(genuine, object{"x5u": "https://evil.example/cert", "kid": "evil"}),
		"claims after signing":    parts[0] + "." + b64([]byte(object(payload(f.t, genuine)).text(f.t, object{"sub": "1003"}))) + "." + parts[2],
		"ES256 taken for RS256":   f.headers(genuine, object{"alg": "RS256"}),
		"ES256 taken for ES384":   f.headers(genuine, object{"alg": "ES384"}),
		"ES256 taken for EdDSA":   f.headers(genuine, object{"alg": "EdDSA"}),
		"ES256 taken for HS256":   f.headers(genuine, object{"alg": "HS256"}),
		"no alg":                  f.headers(genuine, object{"alg": nil}),
		"a list of alg":           f.headers(genuine, object{"alg": []string{"ES256"}}),
		"header of another token": b64([]byte(f.header().text(f.t, object{"typ": f.typ + "x"}))) + "." + parts[1] + "." + parts[2],
	}
	for form, secret := range f.publicKey() {
		all["HS256 under "+form] = f.keyed(genuine, "HS256", secret)
		all["ES256 that is HMAC under "+form] = f.keyed(genuine, "ES256", secret)
	}
	return all
}

// headed are signed by us, under headers that ask for more than we do.
func (f forger) headed(genuine string) map[string]string {
	all := map[string]string{}
	for name, changes := range map[string]object{
		"typ JWT": {"typ": "JWT"}, "no typ": {"typ": nil}, "typ empty": {"typ": ""}, "typ logout+jwt": {"typ": "logout+jwt"},
		"typ dpop+jwt": {"typ": "dpop+jwt"}, "typ a number": {"typ": 1}, "typ a list": {"typ": []string{"at+jwt"}},
		"no kid": {"kid": nil}, "unknown kid": {"kid": "unknown"}, "kid a path": {"kid": "../../../../dev/null"},
		"kid SQL": {"kid": "' OR '1'='1"}, "kid a URL": {"kid": "https://evil.example/" + f.kid}, "kid a number": {"kid": 7},
		"kid empty": {"kid": ""}, "kid with a space": {"kid": f.kid + " "},
		"jwk": {"jwk": object{"kty": "oct", "k": "AA"}}, "jku": {"jku": "https://evil.example/keys"}, "x5u": {"x5u": "https://evil.example/c"},
		"x5c": {"x5c": []string{"MII"}}, "crit": {"crit": []string{"exp"}}, "crit empty": {"crit": []string{}}, "b64": {"b64": false, "crit": []string{"b64"}},
		"zip": {"zip": "DEF"}, "enc": {"enc": "A256GCM"},
	} {
		all["header: "+name] = f.headers(genuine, changes)
	}
	return all
}

// claimed are signed by us, and say of whom and for whom what we would not.
func (f forger) claimed(genuine string) map[string]string {
	all := map[string]string{}
	for name, changes := range map[string]object{
		"no iss": {"iss": nil}, "another iss": {"iss": "https://evil.example"}, "iss with a slash": {"iss": authtest.Issuer + "/"},
		"a list of iss": {"iss": []string{authtest.Issuer}},
		"no aud":        {"aud": nil}, "aud empty": {"aud": ""}, "aud an empty list": {"aud": []string{}}, "aud a number": {"aud": 1},
		"aud a nested list": {"aud": []any{[]string{"userid-api"}}}, "aud a list with a number": {"aud": []any{"userid-api", 1}},
		"aud cut": {"aud": "userid-ap"}, "aud longer": {"aud": "userid-api.evil"}, "aud in capitals": {"aud": "USERID-API"},
		"aud a resource": {"aud": authtest.Resource}, "aud the client": {"aud": "app"}, "aud an object": {"aud": object{"userid-api": true}},
		"aud AnyAudience": {"aud": "\x00any audience"}, "aud a list with ours": {"aud": []string{auth.DefaultAudience, "x"}},
		"no client_id": {"client_id": nil}, "client_id of nobody": {"client_id": "nobody"}, "client_id of another tenant": {"client_id": "rival-app"},
		"client_id a list": {"client_id": []string{"app"}}, "tid of another tenant": {"tid": "rival"}, "no tid": {"tid": nil},
		"no sub": {"sub": nil}, "sub of another user": {"sub": "1002"}, "sub of another client": {"sub": "other"}, "sub a number": {"sub": 1001},
		"no jti": {"jti": nil}, "jti a number": {"jti": 1}, "sid empty": {"sid": ""}, "sid of nothing": {"sid": "none"}, "sid a number": {"sid": 1},
		"sid a list": {"sid": []string{"x"}}, "sid null": {"sid": json.RawMessage("null")},
	} {
		all["claim: "+name] = f.claims(genuine, named(changes))
	}
	if users := payload(f.t, genuine)["sid"] != nil; users {
		all["claim: org_id of another's organization"] = f.claims(genuine, named(object{"org_id": "2001"}))
	} else {
		all["claim: a client's with a session"] = f.claims(genuine, named(object{"sid": "x"}))
	}
	return all
}

// named gives a forgery a name of its own, unless that is what it is about: whoever revokes it then revokes nothing else.
func named(changes object) object {
	if _, ok := changes["jti"]; !ok {
		changes["jti"] = "forged"
	}
	return changes
}

// timed are signed by us, for another time.
func (f forger) timed(genuine string, now time.Time) map[string]string {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	all := map[string]string{}
	for name, changes := range map[string]object{
		"expired": {"exp": at(0)}, "no exp": {"exp": nil}, "exp a text": {"exp": "9999999999"}, "exp negative": {"exp": -1}, "exp null": {"exp": json.RawMessage("null")},
		"exp beyond time": {"exp": json.RawMessage("1e30")}, "nbf ahead": {"nbf": at(time.Minute)}, "nbf a text": {"nbf": "0"},
		"iat ahead": {"iat": at(time.Minute)}, "no iat": {"iat": nil},
	} {
		all["time: "+name] = f.claims(genuine, changes)
	}
	return all
}

// spelled are signed by us, and are not JSON as one reader and the next would read it alike.
func (f forger) spelled(genuine string) map[string]string {
	header, claims := f.header().text(f.t, nil), object(payload(f.t, genuine)).text(f.t, nil)
	twice := func(text, member string) string { return strings.TrimSuffix(text, "}") + "," + member + "}" }
	return map[string]string{
		"alg twice":           f.raw(twice(header, `"alg":"ES256"`), claims),
		"kid twice":           f.raw(twice(header, `"kid":"`+f.kid+`"`), claims),
		"typ twice":           f.raw(twice(header, `"typ":"at+jwt"`), claims),
		"sub twice":           f.raw(header, twice(claims, `"sub":"1001"`)),
		"aud twice":           f.raw(header, twice(claims, `"aud":"userid-api"`)),
		"exp twice":           f.raw(header, twice(claims, `"exp":9999999999`)),
		"a nested name twice": f.raw(header, twice(claims, `"x":{"a":1,"a":2}`)),
		"text after":          f.raw(header, claims+"x"),
		"two payloads":        f.raw(header, claims+claims),
		"a list":              f.raw(header, "["+claims+"]"),
		"a payload of null":   f.raw(header, "null"),
		"no UTF-8":            f.raw(header, twice(claims, "\"x\":\"\xff\"")),
		"deeply nested":       f.raw(header, twice(claims, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100))),
		"padded":              genuine + "=",
		"four parts":          genuine + ".x",
		"a line break":        genuine[:20] + "\n" + genuine[20:],
		"cut":                 genuine[:len(genuine)-1],
		"longer":              genuine + "A",
	}
}
