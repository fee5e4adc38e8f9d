package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// tokens signs and keeps the tokens by which the push services know us, one for each audience.
type tokens struct {
	sign  func(claims []byte) (string, error)
	renew time.Duration // the age at which a token is replaced
	now   func() time.Time

	mu   sync.Mutex
	made map[string]madeToken
}

type madeToken struct {
	text string
	at   time.Time
}

// keptTokens bounds how many audiences are kept.
const keptTokens = 64

func newTokens(alg jose.SignatureAlgorithm, key any, keyID string, renew time.Duration, now func() time.Time) *tokens {
	return &tokens{renew: renew, now: now, made: map[string]madeToken{}, sign: func(claims []byte) (string, error) {
		options := (&jose.SignerOptions{}).WithType("JWT")
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, options)
		if err != nil {
			return "", err
		}
		signed, err := signer.Sign(claims)
		if err != nil {
			return "", err
		}
		return signed.CompactSerialize()
	}}
}

// get returns a token for an audience, made with claims if there is no young one.
func (t *tokens) get(audience string, claims func(now time.Time) map[string]any) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if m, ok := t.made[audience]; ok && now.Sub(m.at).Abs() < t.renew { // a clock may go back, too
		return m.text, nil
	}
	data, err := json.Marshal(claims(now))
	if err != nil {
		return "", err
	}
	text, err := t.sign(data)
	if err != nil {
		return "", err
	}
	if len(t.made) >= keptTokens {
		clear(t.made)
	}
	t.made[audience] = madeToken{text, now}
	return text, nil
}

// forget has the next token for an audience made anew.
func (t *tokens) forget(audience string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.made, audience)
}

// wakeup is what a device is told: that there is something to be fetched, and the words to show until it has been. Nothing in it is secret
// (security A-077), and nothing in it is to be believed.
type wakeup struct {
	Challenge string `json:"challenge,omitempty"`
	Tenant    string `json:"tenant"`
	Title     string `json:"title"`
	Body      string `json:"body"`
}

func wake(l letter) wakeup {
	return wakeup{string(l.message.Challenge), string(l.tenant), l.subject, l.text}
}

// secondsLeft is how long it makes sense to bring the message, at least a second.
func (l letter) secondsLeft(now time.Time) int {
	if l.message.ExpiresAt.IsZero() {
		return 60
	}
	return max(1, int(l.message.ExpiresAt.Sub(now)/time.Second))
}

// topic names what later wake-ups take the place of: at most 32 letters of base64url (RFC 8030 §5.4).
func topic(l letter) string {
	sum := sha256.Sum256([]byte(string(l.tenant) + "\x00" + string(l.message.Challenge)))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
