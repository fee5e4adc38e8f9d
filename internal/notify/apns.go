package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"countersign/internal/seal"
)

// APNs wakes apps on Apple's devices (https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns).
type APNs struct {
	Key   seal.Secret // of token authentication: PKCS#8 in PEM, what a .p8 file holds
	KeyID string      // ten letters and digits
	Team  string      // ten letters and digits
	Topic string      // the app's bundle id
	URL   string      // https://api.push.apple.com if empty; https://api.sandbox.push.apple.com for apps under development
	Limit time.Duration
}

const apnsURL = "https://api.push.apple.com"

// apnsRenew is the age at which a provider token is replaced: Apple refuses those older than an hour, and renewal within 20 minutes.
const apnsRenew = 40 * time.Minute

func (a *APNs) key() (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(a.Key.Reveal()))
	if block == nil {
		return nil, errors.New("is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if ec, ok := key.(*ecdsa.PrivateKey); err == nil && ok && ec.Curve == elliptic.P256() {
		return ec, nil
	}
	return nil, errors.New("is no P-256 private key in PKCS#8")
}

func (a *APNs) problems(add func(setting, format string, args ...any)) {
	if a.Key.IsZero() {
		add("push.apns.key_file", "missing; the .p8 file of your key")
	} else if _, err := a.key(); err != nil {
		add("push.apns.key_file", "%v", err)
	}
	ten := regexp.MustCompile(`^[A-Z0-9]{10}$`)
	if !ten.MatchString(a.KeyID) {
		add("push.apns.key_id", "want the ten letters and digits of the key")
	}
	if !ten.MatchString(a.Team) {
		add("push.apns.team", "want the ten letters and digits of your team")
	}
	if a.Topic == "" {
		add("push.apns.topic", "missing; the app's bundle id")
	}
	if a.URL != "" {
		if reason := problemOf(a.URL); reason != "" || !strings.HasPrefix(a.URL, "https://") {
			add("push.apns.url", "is not an https URL")
		}
	}
	limitProblem("push.apns.timeout", a.Limit, add)
}

type apns struct {
	*client
	config APNs
	tokens *tokens
}

// newAPNs takes an APNs without problems.
func newAPNs(a APNs, c Config) *apns {
	if a.URL == "" {
		a.URL = apnsURL
	}
	key, err := a.key()
	if err != nil {
		panic("notify: a key that was not judged: " + err.Error())
	}
	return &apns{client: newClient("push.apns", a.Limit, c), config: a, tokens: newTokens(jose.ES256, key, a.KeyID, apnsRenew, c.Now)}
}

func (a *apns) carry(ctx context.Context, l letter) error {
	token := l.message.Push.Token
	if strings.Trim(token, "0123456789abcdefABCDEF") != "" || token == "" || len(token) > 200 {
		return gone("%s: the device's token is not one", a.what)
	}
	body, err := json.Marshal(map[string]any{
		"aps":         map[string]any{"alert": map[string]string{"title": l.subject, "body": l.text}, "sound": "default", "content-available": 1},
		"countersign": wake(l),
	})
	if err != nil {
		return permanent("%s: the message cannot be written", a.what)
	}
	bearer, err := a.tokens.get("", func(now time.Time) map[string]any {
		return map[string]any{"iss": a.config.Team, "iat": now.Unix()}
	})
	if err != nil {
		return retryable("%s: signing failed", a.what)
	}
	target := strings.TrimSuffix(a.config.URL, "/") + "/3/device/" + token
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return permanent("%s: the URL cannot be made", a.what)
	}
	req.Header.Set("Authorization", "bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("apns-topic", a.config.Topic)
	req.Header.Set("apns-push-type", "alert")
	req.Header.Set("apns-priority", "10")
	req.Header.Set("apns-collapse-id", topic(l))
	req.Header.Set("apns-expiration", strconv.FormatInt(l.message.ExpiresAt.Unix(), 10))
	if l.message.ExpiresAt.IsZero() {
		req.Header.Set("apns-expiration", "0")
	}
	answer, err := a.exchange(ctx, req)
	if err != nil {
		return err
	}
	if answer.status == http.StatusOK {
		return nil
	}
	return a.judge(answer)
}

// judge reads Apple's reason beside the status, which tells more.
func (a *apns) judge(said answer) error {
	var body struct {
		Reason string `json:"reason"`
	}
	reason := ""
	if json.Unmarshal(said.body, &body) == nil && strings.Trim(body.Reason, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		reason = body.Reason
	}
	switch {
	case said.status == http.StatusGone, reason == "BadDeviceToken", reason == "Unregistered": // a topic that is not the token's may be our mistake
		return gone("%s: the device's token is not good any more (%d)", a.what, said.status)
	case said.status == http.StatusForbidden: // ExpiredProviderToken, InvalidProviderToken: about our key and not about the message
		a.tokens.forget("")
		return retryable("%s: Apple answered %d %s", a.what, said.status, reason)
	}
	return a.refusal(said)
}
