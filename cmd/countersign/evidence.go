package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/webauthn"
)

type evidenceCommand struct {
	Verify evidenceVerify `cmd:"" help:"Check what a device signed, without any server."`
}

type evidenceVerify struct {
	File string `arg:"" help:"The evidence: what GET /multi/challenges/ID/evidence answered; - is standard input."`
	Keys string `required:"" help:"The server's key set as it was when the device was bound: what /cis/oidc/jwks answered." placeholder:"FILE"`
}

// evidenceDocument is what the server gives out; docs/evidence.md.
type evidenceDocument struct {
	Version     int       `json:"version"`
	Issuer      string    `json:"issuer"`
	Tenant      string    `json:"tenant"`
	Challenge   string    `json:"challenge"`
	User        string    `json:"user"`
	Device      string    `json:"device"`
	Decision    string    `json:"decision"`
	AnsweredAt  time.Time `json:"answeredAt"`
	Event       string    `json:"event"`
	Answer      string    `json:"answer"`
	Certificate string    `json:"certificate"`
	// Assertion is by the device's passkey over the answer; nil: the device has none, or said no.
	Assertion *evidenceAssertion `json:"assertion"`
}

// evidenceAssertion is in base64url, as the browser made it.
type evidenceAssertion struct {
	ClientData    string `json:"clientDataJSON"`
	Authenticator string `json:"authenticatorData"`
	Signature     string `json:"signature"`
}

// Run checks a document against the keys that its reader trusts, and says what was approved.
func (c evidenceVerify) Run(w *world) error {
	text, err := readFileOr(c.File, os.Stdin)
	if err != nil {
		return err
	}
	keys, err := os.ReadFile(c.Keys)
	if err != nil {
		return err
	}
	lines, err := verifyEvidence(text, keys)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, strings.Join(lines, "\n"))
	return err
}

// verifyEvidence returns what a document proves by the keys. Nothing may stand in it twice, or beside it.
func verifyEvidence(text, keys []byte) ([]string, error) {
	var d evidenceDocument
	if json.Unmarshal(text, &d, json.RejectUnknownMembers(true)) != nil {
		return nil, errors.New("the file is not evidence of version 1")
	}
	lines, err := d.verify(keys)
	if err != nil {
		return nil, fmt.Errorf("the evidence does not hold: %w", err)
	}
	return lines, nil
}

func readFileOr(name string, standard io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(standard, 1<<20))
	}
	return os.ReadFile(name)
}

// verify follows the chain: our key signed the certificate, the certificate holds the device's key, and that key signed the answer; and so
// did, if the certificate has one, the device's passkey when it approved. Nothing that stands beside the signatures is believed.
func (d evidenceDocument) verify(jwks []byte) ([]string, error) {
	if d.Version != 1 {
		return nil, fmt.Errorf("its version is %d; this program reads 1", d.Version)
	}
	ours, err := publishedKeys(jwks)
	if err != nil {
		return nil, err
	}
	certificate, err := ours.Verify(d.Certificate, jose.Want{
		Typ: []string{"countersign-device+jwt"}, Issuer: d.Issuer, Audience: d.Issuer, Now: d.AnsweredAt,
	})
	if err != nil {
		return nil, errors.New("no key of the set has signed the certificate, or not for this issuer")
	}
	text, _ := certificate.String("key")
	key, err := jose.ParsePublic(text)
	if err == nil {
		key, err = key.Renamed()
	}
	if err != nil || key.ID() != d.Device {
		return nil, errors.New("the certificate is another device's")
	}
	answer, err := jose.NewSet(key).Verify(d.Answer, jose.Want{
		Typ: []string{"countersign-answer+jwt"}, Issuer: d.Device, Audience: d.Issuer, Now: d.AnsweredAt, Skew: time.Second,
	})
	if err != nil {
		return nil, errors.New("the device's key has not signed the answer, or not for this issuer and time")
	}
	for name, want := range map[string]string{"sub": d.User, "tid": d.Tenant, "challenge": d.Challenge, "decision": d.Decision} {
		if got, _ := answer.String(name); got != want {
			return nil, fmt.Errorf("the device signed another %s", name)
		}
	}
	for _, name := range []string{"sub", "tid"} {
		mine, _ := certificate.String(name)
		if signed, _ := answer.String(name); signed != mine {
			return nil, fmt.Errorf("the device is bound to another %s", name)
		}
	}
	if err := d.verifyPasskey(certificate); err != nil {
		return nil, err
	}
	return d.told(certificate, answer), nil
}

// verifyPasskey checks the assertion over the answer, whose decision holds already (WebAuthn §7.2).
func (d evidenceDocument) verifyPasskey(certificate jose.Claims) error {
	passkey, has := certificate["passkey"].(map[string]any)
	switch {
	case d.Assertion == nil && has && d.Decision == string(auth.Approve):
		return errors.New("the device approves with a passkey, and that has signed nothing")
	case d.Assertion == nil:
		return nil
	case !has:
		return errors.New("the device has no passkey")
	}
	claims := jose.Claims(passkey)
	id, _ := claims.String("id")
	site, _ := claims.String("rp_id")
	jwk, _ := claims.String("key")
	public, ok := webauthn.FromJWK(jwk)
	a, err := webauthn.NewAssertion(id, d.Assertion.ClientData, d.Assertion.Authenticator, d.Assertion.Signature)
	if err != nil || !ok {
		return errors.New("the passkey, or what it signed, is malformed")
	}
	origin, err := url.Parse(a.Origin())
	if err != nil || origin.Hostname() != site || origin.Scheme != "https" && site != "localhost" {
		return errors.New("the passkey was used on another site")
	}
	signed := sha256.Sum256([]byte(d.Answer[:strings.LastIndexByte(d.Answer, '.')])) // it is a token: its signature holds
	key := webauthn.Key{ID: a.ID(), Public: public, BackupEligible: a.BackupEligible()}
	if _, err := a.Verify(webauthn.Site{ID: site, Origins: []string{a.Origin()}}, signed[:], key, true); err != nil {
		return errors.New("the device's passkey has not signed the answer, or not for its owner and this site")
	}
	return nil
}

// publishedKeys reads a server's key set, which has keys of several algorithms.
func publishedKeys(jwks []byte) (*jose.Set, error) {
	var raw struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if json.Unmarshal(jwks, &raw) != nil || len(raw.Keys) == 0 {
		return nil, errors.New("the key set is none")
	}
	var keys []jose.PublicKey
	for _, text := range raw.Keys {
		key, err := jose.ParsePublic(string(text))
		if err != nil {
			return nil, fmt.Errorf("the key set: %w", err)
		}
		keys = append(keys, key)
	}
	return jose.NewSet(keys...), nil
}

// told is what holds, for people.
func (d evidenceDocument) told(certificate, answer jose.Claims) []string {
	say := func(c jose.Claims, name string) string { text, _ := c.String(name); return text }
	at := func(c jose.Claims, name string) string {
		t, _ := c.Time(name)
		return t.UTC().Format(time.RFC3339)
	}
	lines := []string{
		"The evidence holds.",
		fmt.Sprintf("user %s of %s said %s to challenge %s (%s)", d.User, d.Tenant, d.Decision, d.Challenge, say(answer, "purpose")),
		fmt.Sprintf("on device %q, bound at %s, after the check: %s", say(certificate, "device_name"), at(certificate, "iat"), say(answer, "uv")),
		fmt.Sprintf("between %s and %s", at(answer, "iat"), at(answer, "exp")),
	}
	shown, _ := answer.Strings("shown")
	for _, line := range shown {
		lines = append(lines, "shown: "+line)
	}
	if digest := say(answer, "digest"); digest != "" {
		lines = append(lines, "digest: "+digest)
	}
	return lines
}
