package notify_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"countersign/internal/auth"
	"countersign/internal/notify"
)

func raw64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWebPushVector is the example of RFC 8291 §5.
func TestWebPushVector(t *testing.T) {
	t.Parallel()
	sender, err := ecdh.P256().NewPrivateKey(raw64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	receiver := raw64(t, "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
	got, err := notify.EncryptPush(sender, [16]byte(raw64(t, "DGv6ra1nlYgDCS1FRnbzlw")), receiver, raw64(t, "BTBZMqHH6r4Tts7J_aSIgg"),
		[]byte("When I grow up, I want to be a watermelon"))
	if err != nil {
		t.Fatal(err)
	}
	want := "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqg" +
		"kf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if base64.RawURLEncoding.EncodeToString(got) != want {
		t.Errorf("got %s, want %s", base64.RawURLEncoding.EncodeToString(got), want)
	}
}

// pushes is a push service over TLS.
type pushes struct {
	gateway
	roots *x509.CertPool
	url   string
}

func servePushes(t *testing.T, answer http.HandlerFunc) *pushes {
	t.Helper()
	a := newAuthority(t)
	p := &pushes{gateway: gateway{answer: answer}, roots: a.roots()}
	s := httptest.NewUnstartedServer(&p.gateway)
	s.TLS = a.server(t, "127.0.0.1")
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

func (p *pushes) host() string { return strings.TrimPrefix(p.url, "https://") }

func answered(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// browser is a subscription with the keys that a browser keeps.
type browser struct {
	key    *ecdh.PrivateKey
	secret []byte
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 16)
	rand.Read(secret)
	return browser{key, secret}
}

func (b browser) address(endpoint string) auth.PushAddress {
	return auth.PushAddress{Service: auth.PushWeb, Token: endpoint, Key: b.key.PublicKey().Bytes(), Secret: b.secret}
}

// decrypt is RFC 8291 and RFC 8188 from the receiver's side.
func (b browser) decrypt(t *testing.T, body []byte) string {
	t.Helper()
	salt, from, sealed := body[:16], body[21:21+65], body[21+65:]
	peer, err := ecdh.P256().NewPublicKey(from)
	if err != nil || body[20] != 65 {
		t.Fatalf("the sender's key: %v", err)
	}
	shared, err := b.key.ECDH(peer)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(secret, salt []byte, info string, n int) []byte {
		k, err := hkdf.Key(sha256.New, secret, salt, info, n)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ikm := derive(shared, b.secret, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(from), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(plain, []byte{2}))
}

func push(to auth.PushAddress) auth.Message {
	m := message(auth.ParcelWake, auth.TemplateConfirm)
	m.Push, m.Challenge, m.ExpiresAt = to, "77", clock().Add(2*time.Minute)
	return m
}

func clock() time.Time { return time.Unix(1_800_000_000, 0) }

func webConfig(t *testing.T, p *pushes) notify.Config {
	t.Helper()
	key, err := notify.NewWebPushKey()
	if err != nil {
		t.Fatal(err)
	}
	return notify.Config{Roots: p.roots, Now: clock, Web: &notify.WebPush{Key: key, Contact: "mailto:ops@example.com", Hosts: []string{p.host()}}}
}

func TestWebPushArrives(t *testing.T) {
	t.Parallel()
	p, b := servePushes(t, status(201)), newBrowser(t)
	c := webConfig(t, p)
	s := sender(t, c)
	for range 2 {
		if err := s.Carry(t.Context(), "p1", "demo", push(b.address(p.url+"/sub/1"))); err != nil {
			t.Fatal(err)
		}
	}
	got := p.calls[0]
	if want := `{"challenge":"77","tenant":"demo","title":"Demo programme","body":"Something waits for your approval."}`; b.decrypt(t, []byte(got.body)) != want {
		t.Errorf("got %s, want %s", b.decrypt(t, []byte(got.body)), want)
	}
	if bytes.Equal([]byte(got.body)[:86], []byte(p.calls[1].body)[:86]) {
		t.Error("the second push has salt and key of the first")
	}
	for name, want := range map[string]string{"Content-Encoding": "aes128gcm", "Ttl": "120", "Urgency": "high"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	if topic := got.header.Get("Topic"); len(topic) != 32 || topic != p.calls[1].header.Get("Topic") {
		t.Errorf("got topic %q", topic)
	}
	public, err := notify.WebPushPublic(c.Web.Key)
	if err != nil {
		t.Fatal(err)
	}
	checkVAPID(t, got.header.Get("Authorization"), public, p.url)
}

// checkVAPID is RFC 8292 from the push service's side.
func checkVAPID(t *testing.T, header, public, audience string) {
	t.Helper()
	var token, key string
	for _, part := range strings.Split(strings.TrimPrefix(header, "vapid "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			token = value
		case "k":
			key = value
		}
	}
	if key != public {
		t.Errorf("got k=%s, want %s", key, public)
	}
	verify, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw64(t, key))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(verify, &claims); err != nil {
		t.Fatal(err)
	}
	expires := claims.Expiry.Time().Sub(clock())
	if claims.Subject != "mailto:ops@example.com" || !slices.Equal(claims.Audience, jwt.Audience{audience}) || expires <= 0 || expires > 24*time.Hour {
		t.Errorf("got claims %+v", claims)
	}
}

// TestWebPushKeepsToPushServices: the endpoint is what a device said (B-55).
func TestWebPushKeepsToPushServices(t *testing.T) {
	t.Parallel()
	p, b := servePushes(t, status(201)), newBrowser(t)
	c := webConfig(t, p)
	c.Web.Hosts = []string{"*.push.example.com", "push.example.net"}
	s := sender(t, c)
	for _, endpoint := range []string{
		p.url + "/x", "https://push.example.com/x", "https://a.b.push.example.com/x", "http://push.example.net/x", "https://push.example.net:8443/x",
		"https://u:p@push.example.net/x", "https://push.example.net.evil.example/x", "https://169.254.169.254/x", "https:///x", "push", "",
	} {
		err := s.Carry(t.Context(), "p", "demo", push(b.address(endpoint)))
		checkGone(t, err, true)
	}
	if len(p.calls) != 0 {
		t.Errorf("got %d calls", len(p.calls))
	}
}

func checkGone(t *testing.T, err error, want bool) {
	t.Helper()
	var e *notify.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v", err)
	} else if e.Gone() != want {
		t.Errorf("%v: got gone %v, want %v", err, e.Gone(), want)
	}
}

func TestWebPushAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status          int
		gone, permanent bool
	}{{404, true, true}, {410, true, true}, {400, false, true}, {413, false, true}, {403, false, true}, {429, false, false}, {500, false, false}} {
		p, b := servePushes(t, status(c.status)), newBrowser(t)
		err := sender(t, webConfig(t, p)).Carry(t.Context(), "p", "demo", push(b.address(p.url+"/x")))
		checkGone(t, err, c.gone)
		var e *notify.Error
		if errors.As(err, &e) && e.Permanent() != c.permanent {
			t.Errorf("%d: got permanent %v", c.status, e.Permanent())
		}
	}
	p, b := servePushes(t, status(201)), newBrowser(t)
	broken := b.address(p.url + "/x")
	broken.Key = broken.Key[1:]
	checkGone(t, sender(t, webConfig(t, p)).Carry(t.Context(), "p", "demo", push(broken)), true)
}
