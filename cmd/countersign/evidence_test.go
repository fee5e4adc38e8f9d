package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"countersign/internal/jose"
)

// honest is evidence, with the key set that it holds by. Its keys are the same in each run.
func honest(tb testing.TB) (d evidenceDocument, keys []byte) {
	tb.Helper()
	key := func(name string) *jose.Key {
		seed := sha256.Sum256([]byte(name))
		der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
		if err != nil {
			tb.Fatal(err)
		}
		k, err := jose.ParseKey(jose.EdDSA, der)
		if err != nil {
			tb.Fatal(err)
		}
		return k
	}
	sign := func(k *jose.Key, typ string, claims jose.Claims) string {
		text, err := jose.Sign(k, typ, claims)
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	const issuer = "https://auth.example/cis"
	ours, at := key("our key"), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	device, err := jose.ParsePublic(key("a device's key").Public().String())
	if err == nil {
		device, err = device.Renamed()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return evidenceDocument{
		Version: 1, Issuer: issuer, Tenant: "demo", Challenge: "123", User: "17", Device: device.ID(), Decision: "approve", AnsweredAt: at,
		Event: "9", Answer: sign(key("a device's key"), "countersign-answer+jwt", jose.Claims{
			"iss": device.ID(), "aud": issuer, "sub": "17", "tid": "demo", "challenge": "123", "decision": "approve", "purpose": "confirm",
			"shown": []string{"Amount: EUR 12.34"}, "uv": "pin", "iat": at.Add(-time.Minute), "exp": at.Add(time.Minute),
		}),
		Certificate: sign(ours, "countersign-device+jwt", jose.Claims{
			"iss": issuer, "aud": issuer, "sub": "17", "tid": "demo", "device": device.ID(), "device_name": "Phone",
			"key": device.String(), "iat": at.AddDate(0, -1, 0), "exp": at.AddDate(10, 0, 0),
		}),
	}, []byte(`{"keys":[` + ours.Public().String() + `]}`)
}

// TestEvidenceIsOneDocument: what stands in it twice, or after it, is read by nobody and so proves nothing.
func TestEvidenceIsOneDocument(t *testing.T) {
	t.Parallel()
	d, keys := honest(t)
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"as it is":          {text, true},
		"white space":       {" " + text + "\n", true},
		"another after it":  {text + text, false},
		"a member twice":    {strings.Replace(text, "{", `{"decision":"deny",`, 1), false},
		"in another case":   {strings.Replace(text, `"decision"`, `"Decision"`, 1), false},
		"one more":          {strings.Replace(text, "{", `{"note":"denied",`, 1), false},
		"another decision":  {strings.Replace(text, `"decision":"approve"`, `"decision":"deny"`, 1), false},
		"another version":   {strings.Replace(text, `"version":1`, `"version":2`, 1), false},
		"after its time":    {strings.Replace(text, "2026-03-02T09:00", "2026-03-02T09:02", 1), false},
		"no answer at all":  {strings.Replace(text, d.Answer, "", 1), false},
		"only its brackets": {"{}", false},
	} {
		if _, err := verifyEvidence([]byte(tt.text), keys); (err == nil) != tt.want {
			t.Errorf("%s: got %v, want it to hold: %t", name, err, tt.want)
		}
	}
}

// FuzzEvidence looks for a document that holds and says anything else than what was signed.
func FuzzEvidence(f *testing.F) {
	d, keys := honest(f)
	want, err := d.verify(keys)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	text := string(raw)
	for _, seed := range []string{
		text, "{}", text + text, strings.Replace(text, d.Answer, d.Certificate, 1), strings.Replace(text, d.Certificate, d.Answer, 1),
		strings.Replace(text, `"assertion":null`, `"assertion":{"clientDataJSON":"","authenticatorData":"","signature":""}`, 1),
		strings.Replace(text, d.Answer, d.Answer[:strings.LastIndexByte(d.Answer, '.')+1], 1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := verifyEvidence(text, keys); err == nil && strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\nholds, and says\n%s", text, strings.Join(got, "\n"))
		}
	})
}
