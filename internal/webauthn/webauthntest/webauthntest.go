// Package webauthntest is an authenticator in memory, with the browser in front of it: it answers the options of a registration and of an
// authentication as a real one would, and, for tests, as none should.
package webauthntest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

// Flags of the authenticator data (WebAuthn §6.1).
const (
	Present        = 0x01
	Verified       = 0x04
	BackupEligible = 0x08
	BackedUp       = 0x10
	attested       = 0x40
)

// Authenticator holds keys and signs with them. Its fields may be changed between two calls. It is for one goroutine.
type Authenticator struct {
	Origin     string // of the page that asks
	Attachment string
	Transports []string
	AAGUID     [16]byte
	Flags      byte   // of every answer
	Counter    uint32 // of the latest answer; it counts unless Still
	Still      bool   // the counter stays at 0
	Alg        int64  // of new keys: -7, -8 or -257
	keys       []key
}

type key struct {
	id, handle []byte
	site       string
	signer     crypto.Signer
	alg        int64
}

// New makes an authenticator that verifies its user, keeps its keys for itself, and counts.
func New(origin string) *Authenticator {
	return &Authenticator{
		Origin: origin, Attachment: "platform", Transports: []string{"internal"}, Flags: Present | Verified, Alg: -7,
	}
}

// Answer is what an authenticator is about to sign and to say. A test changes it to make one that lies.
type Answer struct {
	Type        string
	Challenge   string
	Origin      string
	CrossOrigin bool
	Extra       map[string]any // further members of the client data
	Site        string         // whose hash is signed
	Flags       byte
	Counter     uint32
	ID          []byte // of the key
	Handle      []byte
	Public      []byte // of a registration: COSE_Key
}

// Result is what a browser hands to the page, before it is encoded.
type Result struct {
	ID, RawID  []byte
	Type       string
	Attachment string
	ClientData []byte
	Transports []string
	Attested   []byte // of a registration
	Data       []byte // of an assertion
	Signature  []byte // of an assertion
	Handle     []byte // of an assertion
}

// Create answers the options of a registration. lie, which may be nil, changes what is signed.
func (a *Authenticator) Create(options []byte, lie func(*Answer)) (Result, error) {
	var in struct {
		RP        struct{ ID string }
		User      struct{ ID string }
		Challenge string
		Exclude   []struct{ ID string } `json:"excludeCredentials"`
		Params    []struct{ Alg int64 } `json:"pubKeyCredParams"`
	}
	if err := json.Unmarshal(options, &in); err != nil {
		return Result{}, err
	}
	for _, e := range in.Exclude {
		if a.find(e.ID) != nil {
			return Result{}, errors.New("the authenticator has a key already")
		}
	}
	asked := false
	for _, p := range in.Params {
		asked = asked || p.Alg == a.Alg
	}
	if !asked {
		return Result{}, fmt.Errorf("no key of algorithm %d is asked for", a.Alg)
	}
	handle, err := base64.RawURLEncoding.DecodeString(in.User.ID)
	if err != nil || len(handle) == 0 || len(handle) > 64 {
		return Result{}, fmt.Errorf("user.id %q: %w", in.User.ID, err)
	}
	k := key{id: make([]byte, 32), handle: handle, site: in.RP.ID, alg: a.Alg}
	rand.Read(k.id)
	if k.signer, err = a.generate(); err != nil {
		return Result{}, err
	}
	answer := a.answer("webauthn.create", in.Challenge, k)
	if answer.Public, err = cose(k.signer, k.alg); err != nil {
		return Result{}, err
	}
	if lie != nil {
		lie(&answer)
	}
	a.keys = append(a.keys, k)
	data := answer.data(attested)
	data = append(data, a.AAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(answer.ID)))
	data = append(append(data, answer.ID...), answer.Public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	return Result{
		ID: answer.ID, RawID: answer.ID, Type: "public-key", Attachment: a.Attachment, ClientData: answer.clientData(), Transports: a.Transports,
		Attested: object,
	}, err
}

// Get answers the options of an authentication with the first key that fits. lie, which may be nil, changes what is signed.
func (a *Authenticator) Get(options []byte, lie func(*Answer)) (Result, error) {
	var in struct {
		Challenge string
		Site      string                `json:"rpId"`
		Allow     []struct{ ID string } `json:"allowCredentials"`
	}
	if err := json.Unmarshal(options, &in); err != nil {
		return Result{}, err
	}
	var k *key
	for _, allowed := range in.Allow {
		if k = a.find(allowed.ID); k != nil {
			break
		}
	}
	for i := range a.keys {
		if len(in.Allow) == 0 && a.keys[i].site == in.Site {
			k = &a.keys[i]
		}
	}
	if k == nil {
		return Result{}, errors.New("the authenticator has none of the keys")
	}
	answer := a.answer("webauthn.get", in.Challenge, *k)
	if lie != nil {
		lie(&answer)
	}
	client, data := answer.clientData(), answer.data(0)
	hash := sha256.Sum256(client)
	signature, err := sign(k.signer, append(append([]byte(nil), data...), hash[:]...))
	return Result{
		ID: answer.ID, RawID: answer.ID, Type: "public-key", Attachment: a.Attachment, ClientData: client, Data: data, Signature: signature,
		Handle: answer.Handle,
	}, err
}

// Has reports whether the authenticator holds a key of the id, in base64url.
func (a *Authenticator) Has(id string) bool { return a.find(id) != nil }

func (a *Authenticator) find(id string) *key {
	for i := range a.keys {
		if base64.RawURLEncoding.EncodeToString(a.keys[i].id) == id {
			return &a.keys[i]
		}
	}
	return nil
}

func (a *Authenticator) answer(kind, challenge string, k key) Answer {
	if !a.Still {
		a.Counter++
	}
	return Answer{
		Type: kind, Challenge: challenge, Origin: a.Origin, Site: k.site, Flags: a.Flags, Counter: a.Counter, ID: k.id, Handle: k.handle,
	}
}

func (a Answer) clientData() []byte {
	members := map[string]any{"type": a.Type, "challenge": a.Challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin}
	maps.Copy(members, a.Extra)
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return text
}

func (a Answer) data(flags byte) []byte {
	site := sha256.Sum256([]byte(a.Site))
	return binary.BigEndian.AppendUint32(append(site[:], a.Flags|flags), a.Counter)
}

func (a *Authenticator) generate() (crypto.Signer, error) {
	switch a.Alg {
	case -8:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case -257:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func sign(k crypto.Signer, message []byte) ([]byte, error) {
	if _, ok := k.(ed25519.PrivateKey); ok {
		return k.Sign(rand.Reader, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return k.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// cose writes a public key as a COSE_Key (RFC 9053 §7).
func cose(k crypto.Signer, alg int64) ([]byte, error) {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	switch public := k.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return nil, err
		}
		return mode.Marshal(map[int]any{1: 2, 3: alg, -1: 1, -2: point[1:33], -3: point[33:]})
	case ed25519.PublicKey:
		return mode.Marshal(map[int]any{1: 1, 3: alg, -1: 6, -2: []byte(public)})
	case *rsa.PublicKey:
		return mode.Marshal(map[int]any{1: 3, 3: alg, -1: public.N.Bytes(), -2: big.NewInt(int64(public.E)).Bytes()})
	}
	return nil, fmt.Errorf("no COSE form of %T", k.Public())
}

// Members is the result as the PublicKeyCredential of the specification, binary in the encoding that is given.
func (r Result) Members(encode func([]byte) string) map[string]any {
	response := map[string]any{"clientDataJSON": encode(r.ClientData)}
	if r.Attested != nil {
		response["attestationObject"], response["transports"] = encode(r.Attested), r.Transports
	} else {
		response["authenticatorData"], response["signature"] = encode(r.Data), encode(r.Signature)
		response["userHandle"] = nil
		if r.Handle != nil {
			response["userHandle"] = encode(r.Handle)
		}
	}
	return map[string]any{
		"id": encode(r.ID), "rawId": encode(r.RawID), "type": r.Type, "authenticatorAttachment": r.Attachment, "response": response,
		"clientExtensionResults": map[string]any{},
	}
}

// Encode is the result as the contract has it: base64 of the session and the credential (contract/cis §1.11).
func (r Result) Encode(session string) string {
	return base64.StdEncoding.EncodeToString([]byte(r.JSON(session)))
}

// JSON is Encode without its outer base64.
func (r Result) JSON(session string) string {
	text, err := json.Marshal(map[string]any{
		"webauthn_session_id": session, "public_key_credential": r.Members(base64.RawURLEncoding.EncodeToString),
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Flat is the PublicKeyCredential of the specification with the session beside its members.
func (r Result) Flat(session string) string {
	members := r.Members(base64.RawURLEncoding.EncodeToString)
	members["webauthn_session_id"] = session
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}
