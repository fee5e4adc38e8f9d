package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
	"countersign/internal/webauthn/webauthntest"
)

// deviceOrigin is the server's own: that of the public URL of authtest's services.
const deviceOrigin = "https://auth.example"

// browser is a device that is one: a key that it uses unasked, and a passkey that asks its owner.
type browser struct {
	*handset
	passkey *webauthntest.Authenticator
	id      string // the passkey's
}

func newBrowser(t *testing.T, e *authtest.Env) *browser {
	return &browser{handset: newPhone(t, e, jose.ES256), passkey: webauthntest.New(deviceOrigin)}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signedHash is the challenge of a passkey for what the device's key signed.
func signedHash(token string) string {
	sum := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	return b64(sum[:])
}

// register makes the passkey for a binding. lie, which may be nil, changes what the passkey signs.
func (b *browser) register(t *testing.T, ticket string, lie func(*webauthntest.Answer)) auth.KeyBinding {
	t.Helper()
	in := b.proof(t, ticket, "Ada's browser")
	options := fmt.Appendf(nil, `{"rp":{"id":"auth.example"},"user":{"id":"AAEC"},"challenge":%q,"pubKeyCredParams":[{"alg":-7},{"alg":-8},{"alg":-257}]}`,
		signedHash(in.Proof))
	made, err := b.passkey.Create(options, lie)
	if err != nil {
		t.Fatal(err)
	}
	b.id = b64(made.ID)
	in.Passkey = auth.DeviceRegistration{ID: b64(made.ID), ClientData: b64(made.ClientData), Attestation: b64(made.Attested)}
	return in
}

// approve makes an honest answer, but for the lies.
func (b *browser) approve(t *testing.T, claims jose.Claims, lie func(*webauthntest.Answer)) auth.SignedAnswer {
	t.Helper()
	in := auth.SignedAnswer{Token: b.sign(t, "countersign-answer+jwt", claims)}
	options, err := json.Marshal(map[string]any{
		"challenge": signedHash(in.Token), "rpId": "auth.example", "allowCredentials": []map[string]string{{"id": b.id}},
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := b.passkey.Get(options, lie)
	if err != nil {
		t.Fatal(err)
	}
	in.Assertion = auth.DeviceAssertion{ClientData: b64(made.ClientData), Authenticator: b64(made.Data), Signature: b64(made.Signature)}
	return in
}

func (b *browser) said(r auth.DeviceRequest, d auth.Decision) jose.Claims {
	claims := b.claims(r, d, "")
	claims["uv"] = "webauthn"
	return claims
}

func (b *browser) send(t *testing.T, r auth.DeviceRequest, in auth.SignedAnswer) (auth.ChallengeStatus, error) {
	t.Helper()
	return b.env.AnswerByKey(t.Context(), b.by, b.handset.id, r.ID, in)
}

// boundBrowser is Ada's.
func boundBrowser(t *testing.T, e *authtest.Env, set ...func(*webauthntest.Authenticator)) *browser {
	t.Helper()
	b := newBrowser(t, e)
	for _, set := range set {
		set(b.passkey)
	}
	ticket, _ := ticketOf(t, e, "ada")
	if _, err := e.BindKey(t.Context(), b.register(t, ticket, nil), auth.Via{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBrowserApproves by its passkey, whichever of both algorithms it is of, and however it counts; and says no without it.
func TestBrowserApproves(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*webauthntest.Authenticator){
		"ES256": func(*webauthntest.Authenticator) {},
		"EdDSA": func(a *webauthntest.Authenticator) { a.Alg = -8 },
		"still": func(a *webauthntest.Authenticator) { a.Still = true },
		"synced": func(a *webauthntest.Authenticator) {
			a.Flags |= webauthntest.BackupEligible | webauthntest.BackedUp
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withFactors)
			b := boundBrowser(t, e, set)
			r, token := begun(t, e, b.handset)
			in := b.approve(t, b.said(r, auth.Approve), nil)
			if status, err := b.send(t, r, in); err != nil || status != auth.ChallengeApproved {
				t.Fatalf("got %q, %v", status, err)
			}
			if !steppedUp(t, e, token) {
				t.Error("the token is not stepped up")
			}
			evidence, err := e.DeviceEvidence(t.Context(), authtest.Demo, r.ID)
			if err != nil || evidence.Assertion != in.Assertion {
				t.Errorf("got %+v, %v", evidence, err)
			}
			r, _ = begun(t, e, b.handset)
			if status, err := b.answer(t, r.ID, b.said(r, auth.Deny)); err != nil || status != auth.ChallengeDenied {
				t.Errorf("without the passkey: got %q, %v; want that it may say no", status, err)
			}
		})
	}
}

// TestKeyOfBrowserApprovesNothing is A-073: the key that a browser uses unasked reads and says no, and that is all.
func TestKeyOfBrowserApprovesNothing(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	b := boundBrowser(t, e)
	r, token := begun(t, e, b.handset)
	for _, uv := range []string{"webauthn", "biometric", "pin", "none"} {
		claims := b.said(r, auth.Approve)
		claims["uv"] = uv
		_, err := b.answer(t, r.ID, claims)
		wantCode(t, err, auth.CodeAssertionInvalid)
	}
	if steppedUp(t, e, token) {
		t.Error("the token is stepped up")
	}
	r, _ = begunAgain(t, e, b.handset)
	claims := b.said(r, auth.Approve)
	claims["uv"] = "biometric" // which a browser cannot know
	_, err := b.send(t, r, b.approve(t, claims, nil))
	wantCode(t, err, auth.CodeAssertionInvalid)
}

// begunAgain is begun for a device of which requests wait already: it says no to them first.
func begunAgain(t *testing.T, e *authtest.Env, p *handset) (auth.DeviceRequest, string) {
	t.Helper()
	for _, r := range p.requests(t) {
		deny(t, e, p, r)
	}
	return begun(t, e, p)
}

// TestEveryByteOfAnAssertion is A-069: with one bit changed anywhere in what was signed, or in a signature, an approval is refused.
func TestEveryByteOfAnAssertion(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	b := boundBrowser(t, e)
	r, token := begun(t, e, b.handset)
	honest := b.approve(t, b.said(r, auth.Approve), nil)
	parts := map[string]func(*auth.SignedAnswer) *string{
		"answer":             func(in *auth.SignedAnswer) *string { return &in.Token },
		"client data":        func(in *auth.SignedAnswer) *string { return &in.Assertion.ClientData },
		"authenticator data": func(in *auth.SignedAnswer) *string { return &in.Assertion.Authenticator },
		"signature":          func(in *auth.SignedAnswer) *string { return &in.Assertion.Signature },
	}
	tried := 0
	for name, part := range parts {
		for i, c := range []byte(*part(&honest)) {
			changed := honest
			text := []byte(*part(&honest))
			text[i] = 'A'
			if c == 'A' || c == '.' {
				text[i] = 'B'
			}
			*part(&changed) = string(text)
			if tried++; tried%4 == 0 {
				b.forgive(t)
			}
			if _, err := b.send(t, r, changed); codeOf(err) != auth.CodeAssertionInvalid {
				t.Fatalf("byte %d of the %s: got %v", i, name, err)
			}
		}
	}
	if steppedUp(t, e, token) || tried < 500 {
		t.Errorf("after %d changes: want that none steps up", tried)
	}
	b.forgive(t)
	if status, err := b.send(t, r, honest); err != nil || status != auth.ChallengeApproved {
		t.Errorf("unchanged: got %q, %v", status, err)
	}
}

// forgive sets the count back of answers that did not hold, of which five in a row would block the device.
func (b *browser) forgive(t *testing.T) {
	t.Helper()
	var d auth.Device
	err := b.env.Store.View(t.Context(), func(r auth.Reads) (err error) { d, err = r.Device(b.handset.id); return err })
	if err != nil {
		t.Fatal(err)
	}
	d.Failures, d.Version = 0, d.Version+1
	if err := b.env.Store.Write(t.Context(), func(w auth.Writes) error { _, err := w.PutDevice(d, d.Version-1); return err }); err != nil {
		t.Fatal(err)
	}
}

// TestLyingPasskey: an assertion that does not verify its user, is for another site or page, or for something else, approves nothing.
func TestLyingPasskey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	b := boundBrowser(t, e)
	r, _ := begun(t, e, b.handset)
	lies := map[string]func(*webauthntest.Answer){
		"user not verified":  func(a *webauthntest.Answer) { a.Flags = webauthntest.Present },
		"user not there":     func(a *webauthntest.Answer) { a.Flags = webauthntest.Verified },
		"another site":       func(a *webauthntest.Answer) { a.Site = "evil.example" },
		"another origin":     func(a *webauthntest.Answer) { a.Origin = "https://auth.example:8443" },
		"a subdomain":        func(a *webauthntest.Answer) { a.Origin = "https://x.auth.example" },
		"inside another":     func(a *webauthntest.Answer) { a.CrossOrigin = true },
		"another challenge":  func(a *webauthntest.Answer) { a.Challenge = signedHash("a.b") },
		"a registration":     func(a *webauthntest.Answer) { a.Type = "webauthn.create" },
		"suddenly backed up": func(a *webauthntest.Answer) { a.Flags |= webauthntest.BackupEligible },
	}
	for name, lie := range lies {
		if _, err := b.send(t, r, b.approve(t, b.said(r, auth.Approve), lie)); codeOf(err) != auth.CodeAssertionInvalid {
			t.Errorf("%s: got %v", name, err)
		}
		b.forgive(t)
	}
	other := newBrowser(t, e)
	other.register(t, "x", nil)
	foreign := other.approve(t, b.said(r, auth.Approve), nil)
	foreign.Token = b.sign(t, "countersign-answer+jwt", b.said(r, auth.Approve))
	_, err := b.send(t, r, foreign)
	wantCode(t, err, auth.CodeAssertionInvalid)
	borrowed := b.approve(t, b.said(r, auth.Approve), nil)
	borrowed.Token = b.sign(t, "countersign-answer+jwt", maps.Clone(b.said(r, auth.Deny)))
	_, err = b.send(t, r, borrowed) // an assertion that is there has to hold, whatever is answered
	wantCode(t, err, auth.CodeAssertionInvalid)
}

// TestKeyWithPasskeyOfNobody: a device that was bound without a passkey answers with none.
func TestKeyWithPasskeyOfNobody(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	b := &browser{handset: p, passkey: webauthntest.New(deviceOrigin)}
	b.register(t, "x", nil)
	r, _ := begun(t, e, p)
	_, err := b.send(t, r, b.approve(t, p.claims(r, auth.Approve, ""), nil))
	wantCode(t, err, auth.CodeAssertionInvalid)
}

// TestCopiedPasskey: a counter that does not move on blocks the device at once.
func TestCopiedPasskey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	b := boundBrowser(t, e)
	r, _ := begun(t, e, b.handset)
	if _, err := b.send(t, r, b.approve(t, b.said(r, auth.Approve), func(a *webauthntest.Answer) { a.Counter = 7 })); err != nil {
		t.Fatal(err)
	}
	r, token := begun(t, e, b.handset)
	_, err := b.send(t, r, b.approve(t, b.said(r, auth.Approve), func(a *webauthntest.Answer) { a.Counter = 7 }))
	wantCode(t, err, auth.CodeAssertionInvalid)
	_, err = b.send(t, r, b.approve(t, b.said(r, auth.Approve), func(a *webauthntest.Answer) { a.Counter = 8 }))
	wantCode(t, err, auth.CodeDeviceBlocked)
	all := events(t, e)
	for _, want := range []string{"copied " + string(b.handset.id), "device_blocked " + string(b.handset.id)} {
		if !slices.Contains(all, want) {
			t.Errorf("no event %q", want)
		}
	}
	if steppedUp(t, e, token) {
		t.Error("the token is stepped up")
	}
}

// TestWeakPasskeys is A-072: a passkey is bound with the key that it was made for, at our own site, its user verified, or not at all.
func TestWeakPasskeys(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.Passkey.Synced = false }))
	ticket, _ := ticketOf(t, e, "ada")
	refused := func(name string, in auth.KeyBinding) {
		t.Helper()
		if _, err := e.BindKey(t.Context(), in, auth.Via{}); codeOf(err) != auth.CodeKeyInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, lie := range map[string]func(*webauthntest.Answer){
		"user not verified": func(a *webauthntest.Answer) { a.Flags = webauthntest.Present },
		"another site":      func(a *webauthntest.Answer) { a.Site = "example" },
		"another origin":    func(a *webauthntest.Answer) { a.Origin = "http://auth.example" },
		"another challenge": func(a *webauthntest.Answer) { a.Challenge = signedHash("a.b") },
		"an assertion":      func(a *webauthntest.Answer) { a.Type = "webauthn.get" },
		"synced":            func(a *webauthntest.Answer) { a.Flags |= webauthntest.BackupEligible },
	} {
		refused(name, newBrowser(t, e).register(t, ticket, lie))
	}
	rsa := newBrowser(t, e)
	rsa.passkey.Alg = -257
	refused("RSA", rsa.register(t, ticket, nil))
	b, other := newBrowser(t, e), newBrowser(t, e)
	in := b.register(t, ticket, nil)
	swapped := other.proof(t, ticket, "x")
	swapped.Passkey = in.Passkey
	refused("for another key", swapped)
	halved := in
	halved.Passkey.Attestation = halved.Passkey.Attestation[:len(halved.Passkey.Attestation)/2]
	refused("half of it", halved)
	ip := e.Another(t, func(c *auth.Config) { c.PublicURL = "https://192.0.2.1" })
	if _, err := ip.BindKey(t.Context(), in, auth.Via{}); codeOf(err) != auth.CodeKeyInvalid {
		t.Errorf("at an IP address: got %v", err)
	}
	if _, err := e.BindKey(t.Context(), in, auth.Via{}); err != nil {
		t.Errorf("the ticket is used up by what was refused: %v", err)
	}
}

// TestDeviceSite is where browsers can be devices.
func TestDeviceSite(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for url, want := range map[string]string{
		"https://auth.example":       "auth.example https://auth.example",
		"https://auth.example:443/x": "auth.example https://auth.example",
		"https://auth.example:8443":  "auth.example https://auth.example:8443",
		"http://127.0.0.1:8080":      "localhost http://localhost:8080",
		"http://[::1]:80":            "localhost http://localhost",
		"http://localhost:8080":      "localhost http://localhost:8080",
		"http://auth.example":        "",
		"https://192.0.2.1":          "",
		"":                           "",
	} {
		site, ok := e.Another(t, func(c *auth.Config) { c.PublicURL = url }).DeviceSite()
		got := ""
		if ok {
			got = site.ID + " " + strings.Join(site.Origins, ",")
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", url, got, want)
		}
	}
}

// TestNoBrowsers: where the tenant takes none, none is bound, and one that is says no and nothing else.
func TestNoBrowsers(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	b := boundBrowser(t, e)
	ticket, _ := ticketOf(t, e, "ada")
	r, token := begun(t, e, b.handset)
	err := e.ChangeSettings(t.Context(), authtest.Demo, func(s auth.Settings) (auth.Settings, error) {
		s.Push.NoBrowsers = true
		return s, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.BindKey(t.Context(), newBrowser(t, e).register(t, ticket, nil), auth.Via{})
	wantCode(t, err, auth.CodeChannelUnsupported)
	_, err = b.send(t, r, b.approve(t, b.said(r, auth.Approve), nil))
	wantCode(t, err, auth.CodeAssertionInvalid)
	if steppedUp(t, e, token) {
		t.Error("the token is stepped up")
	}
	if status, err := b.answer(t, r.ID, b.said(r, auth.Deny)); err != nil || status != auth.ChallengeDenied {
		t.Errorf("deny: got %q, %v", status, err)
	}
	if err := newPhone(t, e, jose.ES256).bind(t, ticket); err != nil {
		t.Errorf("an app: %v", err)
	}
}
