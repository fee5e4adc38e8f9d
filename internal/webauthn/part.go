package webauthn

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// NewRegistration makes a registration of its parts, each in base64url without padding: the credential's id, clientDataJSON and
// attestationObject. Its challenge is known to its caller without a session. Error: ErrMalformed.
func NewRegistration(id, clientData, attestation string) (Registration, error) {
	r := result{credential: credential{Type: string(protocol.PublicKeyCredentialType)}}
	if err := strict64(part{id, &r.RawID}, part{clientData, &r.Response.ClientData}, part{attestation, &r.Response.Attestation}); err != nil {
		return Registration{}, err
	}
	return r.registration()
}

// NewAssertion makes an assertion of its parts, each in base64url without padding: the credential's id, clientDataJSON, authenticatorData
// and signature. Error: ErrMalformed.
func NewAssertion(id, clientData, authenticator, signature string) (Assertion, error) {
	r := result{credential: credential{Type: string(protocol.PublicKeyCredentialType)}}
	err := strict64(part{id, &r.RawID}, part{clientData, &r.Response.ClientData}, part{authenticator, &r.Response.Authenticator},
		part{signature, &r.Response.Signature})
	if err != nil {
		return Assertion{}, err
	}
	return r.assertion()
}

type part struct {
	text string
	to   *binary
}

// strict64 decodes parts of which each has one spelling, so that what is kept of them is what was signed.
func strict64(parts ...part) (err error) {
	for _, p := range parts {
		*p.to, err = base64.RawURLEncoding.Strict().DecodeString(p.text)
		if err != nil || len(*p.to) == 0 || strings.ContainsAny(p.text, "\r\n") {
			return fmt.Errorf("%w: base64url", ErrMalformed)
		}
	}
	return nil
}

// Origin is where the assertion says it was made. It is signed, and no more than that.
func (a Assertion) Origin() string { return a.parsed.Response.CollectedClientData.Origin }

// BackupEligible reports whether the authenticator says that more than one device may hold the key.
func (a Assertion) BackupEligible() bool {
	return a.parsed.Response.AuthenticatorData.Flags.HasBackupEligible()
}

// The COSE_Keys of the two algorithms that a JWK is written for (RFC 9053 §7, in the deterministic encoding of CTAP2), but for their
// coordinates.
const (
	coseES256  = "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"
	coseES256Y = "\x22\x58\x20"
	coseEdDSA  = "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20"
	coordinate = 32 // bytes
)

type webKey struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y,omitzero"`
}

// JWK writes a public key of ES256 or EdDSA as a JSON Web Key (RFC 7517). ok is false for any other.
func JWK(public []byte) (jwk string, ok bool) {
	key, err := webauthncose.ParsePublicKey(public)
	if err != nil {
		return "", false
	}
	var out webKey
	b64 := base64.RawURLEncoding
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		if k.Algorithm != int64(webauthncose.AlgES256) || len(k.XCoord) != coordinate || len(k.YCoord) != coordinate {
			return "", false
		}
		out = webKey{"EC", "P-256", b64.EncodeToString(k.XCoord), b64.EncodeToString(k.YCoord)}
	case webauthncose.OKPPublicKeyData:
		if k.Algorithm != int64(webauthncose.AlgEdDSA) || len(k.XCoord) != coordinate {
			return "", false
		}
		out = webKey{Type: "OKP", Curve: "Ed25519", X: b64.EncodeToString(k.XCoord)}
	default:
		return "", false
	}
	text, err := json.Marshal(out)
	return string(text), err == nil
}

// FromJWK is the reverse of JWK. Members that it does not know are passed over.
func FromJWK(jwk string) (public []byte, ok bool) {
	var in webKey
	if json.Unmarshal([]byte(jwk), &in) != nil {
		return nil, false
	}
	x, errX := base64.RawURLEncoding.Strict().DecodeString(in.X)
	y, errY := base64.RawURLEncoding.Strict().DecodeString(in.Y)
	if errX != nil || errY != nil || len(x) != coordinate {
		return nil, false
	}
	switch {
	case in.Type == "EC" && in.Curve == "P-256" && len(y) == coordinate:
		return bytes.Join([][]byte{[]byte(coseES256), x, []byte(coseES256Y), y}, nil), true
	case in.Type == "OKP" && in.Curve == "Ed25519" && len(y) == 0:
		return append([]byte(coseEdDSA), x...), true
	}
	return nil, false
}
