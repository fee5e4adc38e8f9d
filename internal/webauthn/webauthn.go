// Package webauthn verifies what an authenticator of the Web Authentication specification signs: the registration of a key, and an
// assertion made with one.
//
// It knows no user, no session and no HTTP, and keeps nothing: whose key it is, whether a challenge was asked for and is used once, and
// what a counter that went back leads to are its caller's. It stands in front of a library that speaks HTTP, which the domain must not.
package webauthn

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Site is the relying party of the specification: whom keys are made for.
type Site struct {
	ID      string   // a domain; the browser lets pages of it and of its subdomains ask
	Origins []string // that may ask, each compared to the byte
	Local   bool     // http://localhost may, at whatever port
}

// Key is a public key, with what is known of where its private one lives.
type Key struct {
	ID             []byte // the credential's; chosen by the authenticator
	Public         []byte // COSE_Key
	AAGUID         string // model of the authenticator, as a UUID; all zeros when it does not say
	Attachment     string // platform or cross-platform; empty when the browser does not say
	Transports     []string
	State          State
	Attested       string // form of the attestation: none, unless the browser sent one that was not asked for
	BackupEligible bool   // more than one device may hold the key: it is said once, and never changes
}

// State is what an authenticator says of itself each time.
type State struct {
	Counter  uint32 // of signatures; 0: it does not count
	Verified bool   // it has verified its user, by biometrics or a PIN
	BackedUp bool   // another device may hold the key by now
}

// ErrMalformed means that a result is no result at all.
var ErrMalformed = errors.New("malformed result")

// ErrRefused means that a result does not prove what it is for.
var ErrRefused = errors.New("result refused")

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// Algorithms lists the COSE algorithms of the keys that are taken, the preferred first: ES256, EdDSA, RS256.
func Algorithms() []int64 {
	return []int64{int64(webauthncose.AlgES256), int64(webauthncose.AlgEdDSA), int64(webauthncose.AlgRS256)}
}

// EncodeID is how a key's id is written.
func EncodeID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// origin checks where a ceremony took place. The library would pass over letter case, paths and users in addresses; browsers send none.
func (s Site) origin(c protocol.CollectedClientData) error {
	switch {
	case slices.Contains(s.Origins, c.Origin), s.Local && isLocal(c.Origin):
		return nil
	}
	return refused("origin " + c.Origin)
}

// isLocal reports whether an origin is the user's own machine by its name, at any port.
func isLocal(origin string) bool {
	rest, ok := strings.CutPrefix(origin, "http://localhost")
	if !ok || rest == "" {
		return ok
	}
	port, ok := strings.CutPrefix(rest, ":")
	return ok && port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}

// minRSABits and maxRSABits bound the RSA keys that are taken (NIST SP 800-131A; the work of a verification).
const minRSABits, maxRSABits = 2048, 4096

// takes checks the parts of a public key that its form does not.
func takes(public []byte) error {
	key, err := webauthncose.ParsePublicKey(public)
	if err != nil {
		return refused("public key")
	}
	r, ok := key.(webauthncose.RSAPublicKeyData)
	if !ok {
		return nil
	}
	modulus := r.Modulus
	for len(modulus) > 0 && modulus[0] == 0 {
		modulus = modulus[1:]
	}
	if bits := 8 * len(modulus); bits < minRSABits || bits > maxRSABits {
		return refused(fmt.Sprintf("RSA key of %d bits", bits))
	}
	return nil
}

// stateOf reads what the authenticator says of itself. One that says a key is backed up and cannot be is broken (WebAuthn §6.1.3).
func stateOf(d protocol.AuthenticatorData) (State, error) {
	f := d.Flags
	if f.HasBackupState() && !f.HasBackupEligible() {
		return State{}, refused("backed up, and cannot be")
	}
	return State{Counter: d.Counter, Verified: f.HasUserVerified(), BackedUp: f.HasBackupState()}, nil
}

// uuid writes an AAGUID.
func uuid(b []byte) string {
	if len(b) != 16 {
		b = make([]byte, 16)
	}
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// because keeps what the library says of a refusal.
func because(err error) error {
	var detailed *protocol.Error
	if errors.As(err, &detailed) {
		return refused(strings.TrimSpace(detailed.Details))
	}
	return refused(err.Error())
}
