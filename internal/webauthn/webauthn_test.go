package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"countersign/internal/webauthn"
	"countersign/internal/webauthn/webauthntest"
)

const origin = "https://login.bank.example"

func site() webauthn.Site { return webauthn.Site{ID: "bank.example", Origins: []string{origin}} }

func challenge() []byte { return bytes.Repeat([]byte{7}, 32) }

// creation is the options of a registration.
func creation(challenge []byte) []byte {
	return fmt.Appendf(nil, `{"rp":{"id":"bank.example"},"user":{"id":"AAEC"},"challenge":%q,"pubKeyCredParams":[{"alg":-7},{"alg":-8},{"alg":-257}]}`,
		webauthn.EncodeID(challenge))
}

func request(challenge []byte) []byte {
	return fmt.Appendf(nil, `{"rpId":"bank.example","challenge":%q}`, webauthn.EncodeID(challenge))
}

func register(t *testing.T, a *webauthntest.Authenticator) webauthn.Key {
	t.Helper()
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := registered(made.Encode("s"), true)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func registered(text string, verified bool) (webauthn.Key, error) {
	r, err := webauthn.ParseRegistration(text)
	if err != nil {
		return webauthn.Key{}, err
	}
	return r.Verify(site(), challenge(), verified)
}

func asserted(text string, key webauthn.Key, verified bool) (webauthn.State, error) {
	a, err := webauthn.ParseAssertion(text)
	if err != nil {
		return webauthn.State{}, err
	}
	return a.Verify(site(), challenge(), key, verified)
}

// TestEveryAlgorithm registers and uses a key of each algorithm that the options offer.
func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range webauthn.Algorithms() {
		t.Run(fmt.Sprint(alg), func(t *testing.T) {
			t.Parallel()
			a := webauthntest.New(origin)
			a.Alg, a.Flags = alg, webauthntest.Present|webauthntest.Verified|webauthntest.BackupEligible
			key := register(t, a)
			if key.State.Counter != 1 || !key.State.Verified || key.State.BackedUp || !key.BackupEligible || key.Attachment != "platform" ||
				key.AAGUID != "00000000-0000-0000-0000-000000000000" || fmt.Sprint(key.Transports) != "[internal]" || key.Attested != "none" {
				t.Errorf("got key %+v", key)
			}
			a.Flags |= webauthntest.BackedUp
			got, err := a.Get(request(challenge()), nil)
			if err != nil {
				t.Fatal(err)
			}
			state, err := asserted(got.Encode("s"), key, true)
			if want := (webauthn.State{Counter: 2, Verified: true, BackedUp: true}); err != nil || state != want {
				t.Errorf("got %+v, %v, want %+v", state, err, want)
			}
		})
	}
}

// TestOtherKeysAreNotTaken: what the options do not offer, and RSA keys that are too short.
func TestOtherKeysAreNotTaken(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*webauthntest.Answer){
		"no key": func(a *webauthntest.Answer) { a.Public = []byte{0xa0} },
		"other alg": func(a *webauthntest.Answer) {
			a.Public = bytes.Replace(a.Public, []byte{3, 0x26}, []byte{3, 0x38, 34}, 1)
		},
		"off curve":  func(a *webauthntest.Answer) { a.Public[len(a.Public)-1] ^= 1 },
		"an id of 0": func(a *webauthntest.Answer) { a.ID = nil },
	} {
		made, err := webauthntest.New(origin).Create(creation(challenge()), lie)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := registered(made.Encode("s"), true); err == nil {
			t.Errorf("%s: got %+v", name, key)
		}
	}
	for bits, want := range map[int]error{2048: nil, 4096: nil, 2040: webauthn.ErrRefused, 4104: webauthn.ErrRefused} {
		modulus := bytes.Repeat([]byte{0xff}, bits/8)
		public := append([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, byte(bits / 8 >> 8), byte(bits / 8)}, modulus...)
		public = append(public, 0x21, 0x43, 1, 0, 1)
		made, err := webauthntest.New(origin).Create(creation(challenge()), func(a *webauthntest.Answer) { a.Public = public })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registered(made.Encode("s"), true); !errors.Is(err, want) {
			t.Errorf("RSA key of %d bits: got %v, want %v", bits, err, want)
		}
	}
}

// lies are what an authenticator, or the browser in front of it, signs and must not. Each is signed as it
// stands: what refuses it is the rule and not the signature.
func lies() map[string]func(*webauthntest.Answer) {
	return map[string]func(*webauthntest.Answer){
		"type":             func(a *webauthntest.Answer) { a.Type = swapped(a.Type) },
		"challenge":        func(a *webauthntest.Answer) { a.Challenge = webauthn.EncodeID(bytes.Repeat([]byte{8}, 32)) },
		"no challenge":     func(a *webauthntest.Answer) { a.Challenge = "" },
		"padded challenge": func(a *webauthntest.Answer) { a.Challenge += "=" },
		"origin":           func(a *webauthntest.Answer) { a.Origin = "https://login.bank.example.evil.example" },
		"scheme":           func(a *webauthntest.Answer) { a.Origin = "http://login.bank.example" },
		"port":             func(a *webauthntest.Answer) { a.Origin = origin + ":8443" },
		"letter case":      func(a *webauthntest.Answer) { a.Origin = "https://LOGIN.bank.example" },
		"path":             func(a *webauthntest.Answer) { a.Origin = origin + "/" },
		"user":             func(a *webauthntest.Answer) { a.Origin = "https://x@login.bank.example" },
		"local":            func(a *webauthntest.Answer) { a.Origin = "http://localhost:3000" },
		"site":             func(a *webauthntest.Answer) { a.Site = "evil.example" },
		"cross origin":     func(a *webauthntest.Answer) { a.CrossOrigin = true },
		"top origin":       func(a *webauthntest.Answer) { a.Extra = map[string]any{"topOrigin": "https://evil.example"} },
		"not present":      func(a *webauthntest.Answer) { a.Flags &^= webauthntest.Present },
		"not verified":     func(a *webauthntest.Answer) { a.Flags &^= webauthntest.Verified },
		"backed up only":   func(a *webauthntest.Answer) { a.Flags |= webauthntest.BackedUp },
	}
}

func swapped(kind string) string {
	if kind == "webauthn.get" {
		return "webauthn.create"
	}
	return "webauthn.get"
}

func TestEachLieIsRefused(t *testing.T) {
	t.Parallel()
	for name, lie := range lies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := webauthntest.New(origin)
			made, err := a.Create(creation(challenge()), lie)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := registered(made.Encode("s"), true); !errors.Is(err, webauthn.ErrRefused) {
				t.Errorf("registration: got %v", err)
			}
			key := register(t, a)
			got, err := a.Get(request(challenge()), lie)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := asserted(got.Encode("s"), key, true); !errors.Is(err, webauthn.ErrRefused) {
				t.Errorf("assertion: got %v", err)
			}
		})
	}
}

// TestBackupEligibilityStays: a key that was bound to its device never becomes one that is not (WebAuthn §7.2).
func TestBackupEligibilityStays(t *testing.T) {
	t.Parallel()
	a := webauthntest.New(origin)
	key := register(t, a)
	a.Flags |= webauthntest.BackupEligible
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asserted(got.Encode("s"), key, true); !errors.Is(err, webauthn.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestEachSignedByteCounts flips each bit of what is signed, one byte at a time, and of the signature.
func TestEachSignedByteCounts(t *testing.T) {
	t.Parallel()
	a := webauthntest.New(origin)
	key := register(t, a)
	good, err := a.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]func(*webauthntest.Result) *[]byte{
		"client data": func(r *webauthntest.Result) *[]byte { return &r.ClientData },
		"data":        func(r *webauthntest.Result) *[]byte { return &r.Data },
		"signature":   func(r *webauthntest.Result) *[]byte { return &r.Signature },
	} {
		for i := range *part(&good) {
			bad := good
			changed := bytes.Clone(*part(&bad))
			changed[i] ^= 1 << (i % 8)
			*part(&bad) = changed
			if _, err := asserted(bad.Encode("s"), key, false); err == nil {
				t.Errorf("byte %d of %s: taken", i, name)
			}
		}
	}
	if _, err := asserted(good.Encode("s"), key, true); err != nil {
		t.Errorf("the untouched one: %v", err)
	}
}

// TestAnotherKeyIsRefused: the id of another key, and a signature of another.
func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	mine, other := webauthntest.New(origin), webauthntest.New(origin)
	key, foreign := register(t, mine), register(t, other)
	got, err := mine.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asserted(got.Encode("s"), foreign, true); !errors.Is(err, webauthn.ErrRefused) {
		t.Errorf("checked against another key: got %v", err)
	}
	posed := got
	posed.ID, posed.RawID = foreign.ID, foreign.ID
	if _, err := asserted(posed.Encode("s"), foreign, true); !errors.Is(err, webauthn.ErrRefused) {
		t.Errorf("under the id of another key: got %v", err)
	}
	if _, err := asserted(posed.Encode("s"), key, true); !errors.Is(err, webauthn.ErrRefused) {
		t.Errorf("the other id, the right key: got %v", err)
	}
	made, err := mine.Create(creation(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	made.ID, made.RawID = foreign.ID, foreign.ID
	if _, err := registered(made.Encode("s"), true); !errors.Is(err, webauthn.ErrRefused) {
		t.Errorf("registered under the id of another key: got %v", err)
	}
}

// TestUnverified: an authenticator that did not verify its user is taken where that is not asked for, and says so.
func TestUnverified(t *testing.T) {
	t.Parallel()
	a := webauthntest.New(origin)
	a.Flags = webauthntest.Present
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := registered(made.Encode("s"), false)
	if err != nil || key.State.Verified {
		t.Fatalf("got %+v, %v", key, err)
	}
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := asserted(got.Encode("s"), key, false); err != nil || state.Verified {
		t.Errorf("got %+v, %v", state, err)
	}
}

// TestForms reads each form of a result: wrapped or flat, in base64 of either alphabet, padded or not, or plain.
func TestForms(t *testing.T) {
	t.Parallel()
	a := webauthntest.New(origin)
	key := register(t, a)
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := json.Marshal(map[string]any{"webauthn_session_id": "s", "public_key_credential": got.Members(base64.StdEncoding.EncodeToString)})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, flat := got.JSON("s~~~~~????"), got.Flat("s")
	if !strings.ContainsAny(base64.StdEncoding.EncodeToString([]byte(wrapped)), "+/") {
		t.Fatal("the sample tells no alphabet from the other")
	}
	for name, text := range map[string]string{
		"standard":           base64.StdEncoding.EncodeToString([]byte(wrapped)),
		"standard, unpadded": base64.RawStdEncoding.EncodeToString([]byte(wrapped)),
		"URL":                base64.URLEncoding.EncodeToString([]byte(wrapped)),
		"URL, unpadded":      base64.RawURLEncoding.EncodeToString([]byte(wrapped)),
		"plain":              wrapped,
		"flat":               flat,
		"flat, in base64":    base64.StdEncoding.EncodeToString([]byte(flat)),
		"standard inside":    string(wide),
	} {
		if _, err := asserted(text, key, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	a := webauthntest.New(origin)
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := made.JSON("s")
	for name, text := range map[string]string{
		"nothing":           "",
		"no base64":         "%",
		"line breaks":       base64.StdEncoding.EncodeToString([]byte(good))[:40] + "\n" + base64.StdEncoding.EncodeToString([]byte(good))[40:],
		"no JSON":           base64.StdEncoding.EncodeToString([]byte("x")),
		"a list":            base64.StdEncoding.EncodeToString([]byte("[]")),
		"empty":             "{}",
		"no session":        made.JSON(""),
		"a member twice":    strings.Replace(good, `{`, `{"webauthn_session_id":"t",`, 1),
		"no such id":        strings.Replace(good, `"id":"`, `"id":"AAAA`, 1),
		"another type":      strings.Replace(good, `"public-key"`, `"password"`, 1),
		"no object":         strings.Replace(good, `"attestationObject"`, `"object"`, 1),
		"no client data":    strings.Replace(good, `"clientDataJSON"`, `"data"`, 1),
		"an assertion":      `{"webauthn_session_id":"s","id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","signature":"AA","authenticatorData":"AA"}}`,
		"too much of a way": strings.Replace(good, `["internal"]`, `["a","b","c","d","e","f","g","h","i"]`, 1),
	} {
		if _, err := webauthn.ParseRegistration(text); !errors.Is(err, webauthn.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := webauthn.ParseAssertion(text); !errors.Is(err, webauthn.ErrMalformed) {
			t.Errorf("%s as an assertion: got %v", name, err)
		}
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]bool{
		"http://localhost": true, "http://localhost:1": true, "http://localhost:65535": true, "https://localhost": false,
		"http://localhost:": false, "http://localhost:x": false, "http://localhost.evil.example": false, "http://localhost:1/": false,
		"http://localhost:1@evil.example": false, "http://127.0.0.1:1": false, "http://localhost:123456": false,
	} {
		a := webauthntest.New(from)
		made, err := a.Create(creation(challenge()), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := webauthn.ParseRegistration(made.Encode("s"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Verify(webauthn.Site{ID: "bank.example", Local: true}, challenge(), true)
		if (err == nil) != want {
			t.Errorf("%s: got %v, want taken: %v", from, err, want)
		}
	}
}

// FuzzParse wants no input to bring either parser down.
func FuzzParse(f *testing.F) {
	a := webauthntest.New(origin)
	made, err := a.Create(creation(challenge()), nil)
	if err != nil {
		f.Fatal(err)
	}
	got, err := a.Get(request(challenge()), nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{made.Encode("s"), made.JSON("s"), made.Flat("s"), got.JSON("s"), got.Flat("s"), "{}", ""} {
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if r, err := webauthn.ParseRegistration(text); err == nil {
			_, _ = r.Verify(site(), challenge(), true)
		}
		if a, err := webauthn.ParseAssertion(text); err == nil {
			_, _ = a.Verify(site(), challenge(), webauthn.Key{ID: []byte{1}}, true)
		}
	})
}
