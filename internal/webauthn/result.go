package webauthn

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// result is what a browser's answer is wrapped in. There are two forms of it: the answer in a member of its own (contract/cis §1.11), and
// the PublicKeyCredential of the specification as its toJSON writes it, with the session's id beside its members (WebAuthn §5.1).
type result struct {
	Session string      `json:"webauthn_session_id"`
	Wrapped *credential `json:"public_key_credential"`
	credential
}

type credential struct {
	ID         binary   `json:"id"`
	RawID      binary   `json:"rawId"`
	Type       string   `json:"type"`
	Attachment string   `json:"authenticatorAttachment"`
	Response   response `json:"response"`
}

type response struct {
	ClientData    binary   `json:"clientDataJSON"`
	Attestation   binary   `json:"attestationObject"`
	Transports    []string `json:"transports"`
	Authenticator binary   `json:"authenticatorData"`
	Signature     binary   `json:"signature"`
	UserHandle    binary   `json:"userHandle"`
}

// binary is base64, in whichever alphabet, with or without padding.
type binary []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *binary) UnmarshalText(text []byte) (err error) {
	*b, err = decode64(text)
	return err
}

func decode64(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, "=")
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	if bytes.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, ErrMalformed
	}
	return encoding.AppendDecode(nil, text)
}

// maxTransports bounds what is kept of how an authenticator can be reached.
const maxTransports = 8

// parse reads a result: base64 of its JSON, or the JSON itself.
func parse(text string) (result, error) {
	raw := []byte(text)
	if !bytes.HasPrefix(raw, []byte("{")) {
		var err error
		if raw, err = decode64(raw); err != nil {
			return result{}, fmt.Errorf("%w: base64", ErrMalformed)
		}
	}
	var r result
	if err := json.Unmarshal(raw, &r); err != nil {
		return result{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if r.Wrapped != nil {
		r.credential = *r.Wrapped
	}
	if len(r.RawID) == 0 {
		r.RawID = r.ID
	}
	switch {
	case r.Session == "", len(r.RawID) == 0, len(r.Response.Transports) > maxTransports:
		return result{}, fmt.Errorf("%w: members are missing", ErrMalformed)
	case len(r.ID) > 0 && !bytes.Equal(r.ID, r.RawID):
		return result{}, fmt.Errorf("%w: id is not rawId", ErrMalformed)
	}
	return r, nil
}

func (r result) public() protocol.PublicKeyCredential {
	return protocol.PublicKeyCredential{
		Credential: protocol.Credential{ID: EncodeID(r.RawID), Type: r.Type}, RawID: protocol.URLEncodedBase64(r.RawID),
		AuthenticatorAttachment: r.Attachment,
	}
}

func (r result) clientData() protocol.AuthenticatorResponse {
	return protocol.AuthenticatorResponse{ClientDataJSON: protocol.URLEncodedBase64(r.Response.ClientData)}
}

// Registration is a new key, as a browser's create() returns it.
type Registration struct {
	Session string // which ceremony it belongs to
	parsed  *protocol.ParsedCredentialCreationData
}

// ParseRegistration reads the result of a registration. Error: ErrMalformed.
func ParseRegistration(text string) (Registration, error) {
	r, err := parse(text)
	if err != nil {
		return Registration{}, err
	}
	return r.registration()
}

func (r result) registration() (Registration, error) {
	parsed, err := protocol.CredentialCreationResponse{
		PublicKeyCredential: r.public(),
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: r.clientData(), Transports: r.Response.Transports,
			AttestationObject: protocol.URLEncodedBase64(r.Response.Attestation),
		},
	}.Parse()
	if err != nil {
		return Registration{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Registration{r.Session, parsed}, nil
}

// Verify checks a registration for a site against the challenge that it answers, and returns its key (WebAuthn §7.1). verified says that
// the authenticator must have verified its user. Where the key comes from is not asked: no attestation is, and one that came all the same
// must hold, and is trusted no more for it.
//
// Error: ErrRefused.
func (r Registration) Verify(site Site, challenge []byte, verified bool) (Key, error) {
	p := r.parsed
	if err := site.origin(p.Response.CollectedClientData); err != nil {
		return Key{}, err
	}
	var params []protocol.CredentialParameter
	for _, alg := range Algorithms() {
		params = append(params, protocol.CredentialParameter{
			Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(alg),
		})
	}
	_, err := p.Verify(EncodeID(challenge), site.ID, []string{p.Response.CollectedClientData.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, verified, true, nil, params, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return Key{}, because(err)
	}
	data := p.Response.AttestationObject.AuthData
	state, err := stateOf(data)
	if err != nil {
		return Key{}, err
	}
	if err := takes(data.AttData.CredentialPublicKey); err != nil {
		return Key{}, err
	}
	key := Key{
		ID: p.RawID, Public: data.AttData.CredentialPublicKey, AAGUID: uuid(data.AttData.AAGUID), Attachment: string(p.AuthenticatorAttachment),
		State: state, Attested: p.Response.AttestationObject.Format, BackupEligible: data.Flags.HasBackupEligible(),
	}
	for _, t := range p.Response.Transports {
		key.Transports = append(key.Transports, string(t))
	}
	return key, nil
}

// Assertion is the answer to a challenge, as a browser's get() returns it.
type Assertion struct {
	Session string // which ceremony it belongs to
	Key     string // id of the key that it is made with, as EncodeID writes it
	Handle  []byte // of the user whom the authenticator made the key for; nil: it does not say
	parsed  *protocol.ParsedCredentialAssertionData
}

// ID is the id of the key that the assertion says it is made with.
func (a Assertion) ID() []byte { return a.parsed.RawID }

// ParseAssertion reads the result of an authentication. Error: ErrMalformed.
func ParseAssertion(text string) (Assertion, error) {
	r, err := parse(text)
	if err != nil {
		return Assertion{}, err
	}
	return r.assertion()
}

func (r result) assertion() (Assertion, error) {
	parsed, err := protocol.CredentialAssertionResponse{
		PublicKeyCredential: r.public(),
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: r.clientData(), AuthenticatorData: protocol.URLEncodedBase64(r.Response.Authenticator),
			Signature: protocol.URLEncodedBase64(r.Response.Signature), UserHandle: protocol.URLEncodedBase64(r.Response.UserHandle),
		},
	}.Parse()
	if err != nil {
		return Assertion{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Assertion{Session: r.Session, Key: EncodeID(r.RawID), Handle: r.Response.UserHandle, parsed: parsed}, nil
}

// Verify checks an assertion for a site against the challenge that it answers and the key that it says it is made with (WebAuthn §7.2).
// The counter is its caller's to compare.
//
// Error: ErrRefused.
func (a Assertion) Verify(site Site, challenge []byte, key Key, verified bool) (State, error) {
	p := a.parsed
	if err := site.origin(p.Response.CollectedClientData); err != nil {
		return State{}, err
	}
	if !bytes.Equal(p.RawID, key.ID) {
		return State{}, refused("another key")
	}
	err := p.Verify(EncodeID(challenge), site.ID, "", []string{p.Response.CollectedClientData.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, verified, true, key.Public, protocol.SignaturePolicy{})
	if err != nil {
		return State{}, because(err)
	}
	if p.Response.AuthenticatorData.Flags.HasBackupEligible() != key.BackupEligible {
		return State{}, refused("backup eligibility has changed")
	}
	return stateOf(p.Response.AuthenticatorData)
}
