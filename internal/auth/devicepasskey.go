package auth

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"countersign/internal/webauthn"
)

// DevicePasskey is what a device that is a browser approves with: a passkey, which asks for its owner's biometrics or PIN each time. The
// device's own key, which the browser uses unasked, then signs the answer as well, and alone it approves nothing.
type DevicePasskey struct {
	ID             string // the credential's, in base64url; empty: the device has none, and its key approves
	Public         []byte // COSE_Key, of ES256 or EdDSA
	Site           string // it was made for
	Counter        int64  // of signatures, as last seen; 0: the authenticator does not count
	BackupEligible bool   // more than one device may hold it; of the device's own key none but one
}

// DeviceRegistration is the passkey of a device that is to be bound: what the browser's create() made, in base64url, for the challenge
// that is the hash of what the device's key signed to be bound. The zero value is none.
type DeviceRegistration struct{ ID, ClientData, Attestation string }

// DeviceAssertion is what the browser's get() made, in base64url, for the challenge that is the hash of what the device's key signed to
// answer. The zero value is none.
type DeviceAssertion struct{ ClientData, Authenticator, Signature string }

// SignedAnswer is a device's answer to a challenge.
type SignedAnswer struct {
	Token     string          // a JWT of typ countersign-answer+jwt by the device's key
	Assertion DeviceAssertion // over it; of a device with a passkey that approves
	PIN       TypedPIN        // where the token says that its user typed one, and we are to check it
}

// signedHash is the challenge of a passkey that signs what a token's key does: SHA-256 of the token without its signature.
func signedHash(token string) []byte {
	signed := token[:max(strings.LastIndexByte(token, '.'), 0)]
	sum := sha256.Sum256([]byte(signed))
	return sum[:]
}

// DeviceSite is whom the passkeys of devices are made for: this server, by its public URL. An IP address is no relying party, so loopback
// is localhost. ok is false where browsers have no passkeys: at other addresses, and without TLS.
func (s *Service) DeviceSite() (site webauthn.Site, ok bool) {
	u, err := url.Parse(s.publicURL)
	if err != nil {
		return site, false
	}
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		host = "localhost"
	} else if err == nil || host == "" {
		return site, false
	}
	if u.Scheme != "https" && host != "localhost" {
		return site, false
	}
	origin := u.Scheme + "://" + host
	if port := u.Port(); port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		origin += ":" + port
	}
	return webauthn.Site{ID: host, Origins: []string{origin}}, true
}

// authenticatorURL is where the authenticator that this server serves is opened: at the origin that passkeys are made for.
func (s *Service) authenticatorURL() string {
	base := s.publicURL
	if site, ok := s.DeviceSite(); ok {
		u, _ := url.Parse(base) // DeviceSite has
		base = site.Origins[0] + u.EscapedPath()
	}
	return base + "/authenticator"
}

// newDevicePasskey checks the passkey that a device is to be bound with: it is for the very proof that the device's key signed, so that
// nobody's passkey is bound to a key that is not theirs.
//
// Errors: CodeKeyInvalid; CodeChannelUnsupported, where the tenant takes no browsers.
func (s *Service) newDevicePasskey(t TenantID, in KeyBinding) (DevicePasskey, error) {
	if in.Passkey == (DeviceRegistration{}) {
		return DevicePasskey{}, nil
	}
	if s.settings(t).Push.NoBrowsers {
		return DevicePasskey{}, refuse(CodeChannelUnsupported)
	}
	invalid := func(cause error) (DevicePasskey, error) {
		return DevicePasskey{}, &Error{Code: CodeKeyInvalid, Field: "passkey", Cause: cause}
	}
	site, ok := s.DeviceSite()
	if !ok {
		return invalid(errors.New("the public URL is no place for passkeys"))
	}
	r, err := webauthn.NewRegistration(in.Passkey.ID, in.Passkey.ClientData, in.Passkey.Attestation)
	if err != nil {
		return invalid(err)
	}
	key, err := r.Verify(site, signedHash(in.Proof), true)
	if err != nil {
		return invalid(err)
	}
	if _, ok := webauthn.JWK(key.Public); !ok || !s.settings(t).Passkey.takes(key) {
		return invalid(errors.New("a passkey of a kind that is not taken"))
	}
	return DevicePasskey{
		ID: webauthn.EncodeID(key.ID), Public: key.Public, Site: site.ID, Counter: int64(key.State.Counter), BackupEligible: key.BackupEligible,
	}, nil
}

// claims is what the certificate of a device says of its passkey.
func (p DevicePasskey) claims() map[string]any {
	jwk, _ := webauthn.JWK(p.Public) // of another kind it has not been bound
	return map[string]any{"id": p.ID, "rp_id": p.Site, "key": jwk}
}

// Why an answer is refused, where more than a failure follows.
const whyCopied = "copied"

// passkeyAnswer says why an answer is not good by the device's passkey, if it is not, and what the passkey's counter is from then on. No
// passkey is asked for to say no: who has the device may, and it should be quick.
func (s *Service) passkeyAnswer(d Device, decision Decision, in SignedAnswer) (counter int64, why string) {
	p := d.Passkey
	if in.Assertion == (DeviceAssertion{}) {
		if p.ID != "" && decision == Approve {
			return p.Counter, "passkey"
		}
		return p.Counter, ""
	}
	site, ok := s.DeviceSite()
	if !ok || p.ID == "" || p.Site != site.ID {
		return p.Counter, "passkey"
	}
	a, err := webauthn.NewAssertion(p.ID, in.Assertion.ClientData, in.Assertion.Authenticator, in.Assertion.Signature)
	if err != nil {
		return p.Counter, "passkey"
	}
	state, err := a.Verify(site, signedHash(in.Token), webauthn.Key{ID: a.ID(), Public: p.Public, BackupEligible: p.BackupEligible}, true)
	if err != nil {
		return p.Counter, "passkey"
	}
	counter = int64(state.Counter)
	if (counter > 0 || p.Counter > 0) && counter <= p.Counter { // somebody else signs with the same key (WebAuthn §6.1.1)
		return p.Counter, whyCopied
	}
	return counter, ""
}
