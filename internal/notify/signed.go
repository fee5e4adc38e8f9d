package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"countersign/internal/seal"
)

// Signed tells the operator's own sender of pushes, for teams with an app and a sender of their own: one POST of JSON, signed as Standard
// Webhooks are (https://www.standardwebhooks.com).
type Signed struct {
	URL    string
	Secret seal.Secret   // whsec_ and 24 to 64 bytes in base64
	Limit  time.Duration // of one exchange; zero: 10 s
}

const signedPrefix = "whsec_"

// key returns the bytes that sign; nil if the secret has not the form.
func (s *Signed) key() []byte {
	text, ok := strings.CutPrefix(s.Secret.Reveal(), signedPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil
	}
	return key
}

func (s *Signed) problems(add func(setting, format string, args ...any)) {
	if s.URL == "" {
		add("push.signed.url", "missing; the https URL of your sender")
	} else if reason := problemOf(s.URL); reason != "" {
		add("push.signed.url", "%s", reason)
	}
	if s.key() == nil {
		add("push.signed.secret", "want whsec_ and 24 to 64 bytes in base64")
	}
	limitProblem("push.signed.timeout", s.Limit, add)
}

type signed struct {
	*client
	config Signed
}

// newSigned takes a Signed without problems.
func newSigned(s Signed, c Config) *signed {
	return &signed{client: newClient("push.signed", s.Limit, c), config: s}
}

// signedPush is what the operator's sender gets.
type signedPush struct {
	wakeup
	Service  string    `json:"service"` // web, fcm, apns or app
	Token    string    `json:"token"`   // of the device
	Template string    `json:"template"`
	Expires  time.Time `json:"expires_at"`
}

func (s *signed) carry(ctx context.Context, l letter) error {
	to := l.message.Push
	body, err := json.Marshal(signedPush{wake(l), string(to.Service), to.Token, string(l.message.Template), l.message.ExpiresAt.UTC()})
	if err != nil {
		return permanent("%s: the message cannot be written", s.what)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.URL, bytes.NewReader(body))
	if err != nil {
		return permanent("%s: the URL cannot be made", s.what)
	}
	id, at := clean(string(l.id)), strconv.FormatInt(s.now().Unix(), 10)
	mac := hmac.New(sha256.New, s.config.key())
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Countersign")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	a, err := s.exchange(ctx, req)
	switch {
	case err != nil:
		return err
	case a.status/100 == 2:
		return nil
	case a.status == http.StatusGone: // as the specification of Standard Webhooks has it, but of the device
		return gone("%s: the sender says that the device has gone", s.what)
	}
	return s.refusal(a)
}
