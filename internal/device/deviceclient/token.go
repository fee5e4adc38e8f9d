// Package deviceclient is a device: it binds a key of its own at a server, asks what waits for its user, and answers. It speaks /device/v1 as
// docs/device.md describes it for those who write an app, and knows no more than an app would.
//
// It owns the device's side of the protocol: what is signed, the calls, and waiting. It owns no file and no person: whoever uses it keeps the
// key, and says what the user decided.
package deviceclient

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"countersign/internal/jose"
)

// Types of the tokens that a device signs, as in the header's typ.
const (
	typBind   = "countersign-bind+jwt"
	typCall   = "countersign-call+jwt"
	typAnswer = "countersign-answer+jwt"
)

// tokenFor is how long a token of a device's is good; the server takes five minutes for a call.
const tokenFor = time.Minute

// Configuration is what a server tells a device before it is bound.
type Configuration struct {
	Issuer     string   `json:"issuer"` // the audience of every token
	Now        int64    `json:"now"`    // the server's clock, in Unix seconds
	Algorithms []string `json:"algorithms"`
	WebPush    string   `json:"web_push_key"` // empty: browsers are not woken
	Passkeys   Site     `json:"passkeys"`     // zero: browsers cannot be devices here
}

// Site is whom the passkeys of browsers are made for.
type Site struct {
	ID         string  `json:"rp_id"`
	Origin     string  `json:"origin"`
	Algorithms []int64 `json:"algorithms"` // COSE
}

// Passkey is what a device that is a browser approves with. Challenges, and what comes back, are in base64url.
type Passkey interface {
	Create(s Site, challenge string) (Registration, error)
	Get(s Site, challenge string) (Assertion, error)
}

// Registration is a passkey that was made.
type Registration struct {
	ID          string `json:"id"`
	ClientData  string `json:"clientDataJSON"`
	Attestation string `json:"attestationObject"`
}

// Assertion is what a passkey has signed.
type Assertion struct {
	ClientData    string `json:"clientDataJSON"`
	Authenticator string `json:"authenticatorData"`
	Signature     string `json:"signature"`
}

// Challenge is what a passkey signs beside the device's key: the hash of what that signs of a token.
func Challenge(token string) string {
	sum := sha256.Sum256([]byte(token[:max(strings.LastIndexByte(token, '.'), 0)]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Request is a challenge that the device's user may answer.
type Request struct {
	Challenge string   `json:"challenge"`
	User      string   `json:"user"`
	Tenant    string   `json:"tenant"`
	Session   string   `json:"session"` // empty: a login has none yet
	Nonce     string   `json:"nonce"`
	Purpose   string   `json:"purpose"`
	Channel   string   `json:"channel"`
	Shown     []string `json:"shown"` // what is approved, a line each
	Digest    string   `json:"digest"`
	CreatedAt int64    `json:"created_at"` // Unix seconds
	ExpiresAt int64    `json:"expires_at"`
	Service   string   `json:"service"` // who asks
	Number    bool     `json:"number_required"`
}

// Decision is what the user says.
type Decision string

const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
	Report  Decision = "report" // it was not me
)

// Answer is what the user of a device says to a request.
type Answer struct {
	Decision Decision
	Number   string // from the other screen; empty: none
	PIN      string // that the user typed for the server to check; empty: none
	Salt     string // of the PIN, as NewSalt makes it
	Verified string // how the device made sure of its owner: biometric, pin, none or webauthn; empty: biometric, or with a PIN pin
}

// ParseLink splits the link of a ticket into the server's URL and the ticket.
func ParseLink(link string) (server, ticket string, err error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment == "" {
		return "", "", errors.New("this is not the link of a ticket: https://SERVER/authenticator#TICKET")
	}
	ticket = u.Fragment
	u.Fragment, u.RawQuery = "", ""
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), "/authenticator"), ticket, nil
}

// claims begins a token of the device's: by it, for the server, from now on.
func (c Configuration) claims(key *jose.Key) jose.Claims {
	return jose.Claims{"iss": key.ID(), "aud": c.Issuer, "iat": c.Now, "exp": c.Now + int64(tokenFor/time.Second)}
}

// Binding is what a device is bound by, and as.
type Binding struct {
	Ticket string
	Name   string
	PIN    string       // that the server is to keep; empty: none
	Push   *PushAddress // nil: it is not woken
}

// Proof signs that the device has its key, for binding it.
func (c Configuration) Proof(key *jose.Key, b Binding) (string, error) {
	claims := c.claims(key)
	claims["ticket"], claims["name"] = b.Ticket, b.Name
	if b.PIN != "" {
		claims["pin"] = b.PIN
	}
	return jose.Sign(key, typBind, claims)
}

// Token signs for one call.
func (c Configuration) Token(key *jose.Key) (string, error) {
	return jose.Sign(key, typCall, c.claims(key))
}

// Sign signs the answer to a request: all of the request as it was given, and what the user decided.
func (c Configuration) Sign(key *jose.Key, r Request, a Answer) (string, error) {
	verified := a.Verified
	switch {
	case verified == "" && a.PIN != "":
		verified = "pin"
	case verified == "":
		verified = "biometric"
	}
	shown := r.Shown
	if shown == nil {
		shown = []string{}
	}
	claims := jose.Claims{
		"iss": key.ID(), "aud": c.Issuer, "sub": r.User, "tid": r.Tenant, "sid": r.Session, "challenge": r.Challenge, "nonce": r.Nonce,
		"purpose": r.Purpose, "channel": r.Channel, "digest": r.Digest, "shown": shown, "iat": r.CreatedAt, "exp": r.ExpiresAt,
		"decision": string(a.Decision), "number": a.Number, "uv": verified,
	}
	if a.PIN != "" {
		salt, err := base64.RawURLEncoding.DecodeString(a.Salt)
		if err != nil {
			return "", fmt.Errorf("read salt: %w", err)
		}
		sum := sha256.Sum256(append(salt, a.PIN...))
		claims["pin"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return jose.Sign(key, typAnswer, claims)
}

// NewSalt makes the salt of the PIN of one answer. It goes with the answer and is kept by nobody, so that the answer does not tell the PIN.
func NewSalt() string {
	salt := make([]byte, 32)
	rand.Read(salt)
	return base64.RawURLEncoding.EncodeToString(salt)
}
