package notify

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"countersign/internal/seal"
)

// WebPush wakes browsers over the push services that they subscribed with (RFC 8030). What is sent is encrypted for the browser (RFC
// 8291), and the services know us by our key (VAPID, RFC 8292).
type WebPush struct {
	Key     seal.Secret // our P-256 private key, 32 bytes in base64url; browsers subscribe to its public half
	Contact string      // for those who run push services: mailto:ADDRESS or an https URL
	// Hosts are those that subscriptions may name, with a port if it is not 443; *.example.com stands for one label more. No other is
	// called, since the address comes from a device. None: the services of the browsers that there are.
	Hosts []string
	Limit time.Duration // of one exchange; zero: 10 s
}

// knownPushHosts are the push services of Chromium, Firefox, Safari and Edge.
func knownPushHosts() []string {
	return []string{"fcm.googleapis.com", "updates.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"}
}

// NewWebPushKey makes a private key.
func NewWebPushKey() (seal.Secret, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return seal.Secret{}, fmt.Errorf("make push key: %w", err)
	}
	return seal.NewSecret(base64.RawURLEncoding.EncodeToString(key.Bytes())), nil
}

// WebPushPublic returns the public half of a private key as browsers take it (applicationServerKey): 65 bytes in base64url.
func WebPushPublic(private seal.Secret) (string, error) {
	key, err := parseWebPushKey(private)
	if err != nil {
		return "", err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(point), nil
}

func parseWebPushKey(private seal.Secret) (*ecdsa.PrivateKey, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(private.Reveal(), "="))
	if err == nil {
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), raw); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("is no P-256 private key: 32 bytes in base64url")
}

func (w *WebPush) problems(add func(setting, format string, args ...any)) {
	if w.Key.IsZero() {
		add("push.web.key", "missing; `countersign push-key` makes one")
	} else if _, err := parseWebPushKey(w.Key); err != nil {
		add("push.web.key", "%v", err)
	}
	if address, ok := strings.CutPrefix(w.Contact, "mailto:"); ok {
		if _, err := mail.ParseAddress(address); err != nil {
			add("push.web.contact", "has no e-mail address behind mailto:")
		}
	} else if !strings.HasPrefix(w.Contact, "https://") {
		add("push.web.contact", "want mailto:ADDRESS or an https URL, for those who run push services")
	}
	for _, host := range w.Hosts {
		if _, err := path.Match(host, "x"); err != nil || host == "" || strings.ContainsAny(host, "/@") {
			add("push.web.hosts", "%q is no host", host)
		}
	}
	limitProblem("push.web.timeout", w.Limit, add)
}

// webPusher is a WebPush that is ready.
type webPusher struct {
	*client
	config WebPush
	tokens *tokens
	public string
}

// vapidFor is the life of a token that tells a push service who we are; RFC 8292 §2 allows a day.
const vapidFor = 12 * time.Hour

// newWebPusher takes a WebPush without problems.
func newWebPusher(w WebPush, c Config) *webPusher {
	if len(w.Hosts) == 0 {
		w.Hosts = knownPushHosts()
	}
	key, err := parseWebPushKey(w.Key)
	public, err2 := WebPushPublic(w.Key)
	if err = errors.Join(err, err2); err != nil {
		panic("notify: a key that was not judged: " + err.Error())
	}
	return &webPusher{
		client: newClient("push.web", w.Limit, c), config: w, public: public,
		tokens: newTokens(jose.ES256, key, "", vapidFor/2, c.Now),
	}
}

func (w *webPusher) carry(ctx context.Context, l letter) error {
	to := l.message.Push
	target, err := w.endpoint(to.Token)
	if err != nil {
		return err
	}
	body, err := json.Marshal(wake(l))
	if err != nil {
		return permanent("%s: the message cannot be written", w.what)
	}
	sealed, err := encryptPush(to.Key, to.Secret, body)
	if err != nil {
		return gone("%s: the subscription's key is not one", w.what)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(sealed))
	if err != nil {
		return gone("%s: the subscription's endpoint is no URL", w.what)
	}
	audience := target.Scheme + "://" + target.Host
	token, err := w.tokens.get(audience, func(now time.Time) map[string]any {
		return map[string]any{"aud": audience, "exp": now.Add(vapidFor).Unix(), "sub": w.config.Contact}
	})
	if err != nil {
		return retryable("%s: signing failed", w.what)
	}
	req.Header.Set("Authorization", "vapid t="+token+", k="+w.public)
	req.Header.Set("Content-Encoding", "aes128gcm")
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("TTL", strconv.Itoa(l.secondsLeft(w.now())))
	req.Header.Set("Urgency", "high")
	if l.message.Challenge != "" {
		req.Header.Set("Topic", topic(l)) // a second wake-up takes the place of the first
	}
	a, err := w.exchange(ctx, req)
	switch {
	case err != nil:
		return err
	case a.status/100 == 2:
		return nil
	case a.status == http.StatusNotFound, a.status == http.StatusGone: // RFC 8030 §7.3
		return gone("%s: the subscription has ended (%d)", w.what, a.status)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		w.tokens.forget(audience)
	}
	return w.refusal(a)
}

// endpoint reads a subscription's URL and refuses whatever is no push service.
func (w *webPusher) endpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" {
		return nil, gone("%s: the subscription's endpoint is no https URL", w.what)
	}
	for _, host := range w.config.Hosts {
		if ok, _ := path.Match(host, u.Host); ok && strings.Count(host, ".") == strings.Count(u.Host, ".") {
			return u, nil
		}
	}
	return nil, gone("%s: the subscription's endpoint is at no push service that is allowed", w.what)
}

// pushRecord is the size of the one record that a push is, in bytes (RFC 8291 §4).
const pushRecord = 4096

// encryptPush encrypts one push for a subscription: RFC 8291 with a key pair and a salt of its own.
func encryptPush(receiver, secret, plain []byte) ([]byte, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var salt [16]byte
	rand.Read(salt[:])
	return encryptPushWith(sender, salt, receiver, secret, plain)
}

func encryptPushWith(sender *ecdh.PrivateKey, salt [16]byte, receiver, secret, plain []byte) ([]byte, error) {
	to, err := ecdh.P256().NewPublicKey(receiver)
	if err != nil {
		return nil, err
	}
	if len(secret) != 16 {
		return nil, errors.New("the authentication secret has not 16 bytes")
	}
	shared, err := sender.ECDH(to)
	if err != nil {
		return nil, err
	}
	from := sender.PublicKey().Bytes()
	input, err := hkdf.Key(sha256.New, shared, secret, "WebPush: info\x00"+string(receiver)+string(from), 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, input, salt[:], "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, input, salt[:], "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	const last = 2 // delimiter of the last record (RFC 8188 §2)
	if len(plain)+1+aead.Overhead() > pushRecord {
		return nil, errors.New("too long for one record")
	}
	out := append([]byte{}, salt[:]...)
	out = binary.BigEndian.AppendUint32(out, pushRecord)
	out = append(append(out, byte(len(from))), from...)
	return aead.Seal(out, nonce, append(append([]byte{}, plain...), last), nil), nil
}
