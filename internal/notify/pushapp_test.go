package notify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"countersign/internal/auth"
	"countersign/internal/notify"
	"countersign/internal/seal"
)

// apnsKey is what a .p8 file holds, and its public half.
func apnsKey(t *testing.T) (seal.Secret, *ecdsa.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), &key.PublicKey
}

func TestAPNsArrives(t *testing.T) {
	t.Parallel()
	protocol := ""
	p := servePushes(t, func(w http.ResponseWriter, r *http.Request) { protocol = r.Proto; w.WriteHeader(200) })
	key, public := apnsKey(t)
	now := clock()
	s := sender(t, notify.Config{Roots: p.roots, Now: func() time.Time { return now }, APNs: &notify.APNs{
		Key: key, KeyID: "ABC123DEFG", Team: "DEF123GHIJ", Topic: "com.example.app", URL: p.url,
	}})
	to := auth.PushAddress{Service: auth.PushAPNs, Token: strings.Repeat("0a", 32)}
	for range 3 { // the third with a token of its own: Apple takes none that is older than an hour
		if err := s.Carry(t.Context(), "p1", "demo", push(to)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(30 * time.Minute)
	}
	got := p.calls[0]
	if protocol != "HTTP/2.0" || got.uri != "/3/device/"+to.Token {
		t.Errorf("got %s %s", protocol, got.uri)
	}
	for name, want := range map[string]string{
		"apns-topic": "com.example.app", "apns-push-type": "alert", "apns-priority": "10", "apns-expiration": "1800000120",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	want := `{"aps":{"alert":{"body":"Something waits for your approval.","title":"Demo programme"},"content-available":1,"sound":"default"},` +
		`"countersign":{"challenge":"77","tenant":"demo","title":"Demo programme","body":"Something waits for your approval."}}`
	if got.body != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	tokens := []string{}
	for i, c := range p.calls {
		tokens = append(tokens, strings.TrimPrefix(c.header.Get("Authorization"), "bearer "))
		parsed, err := jwt.ParseSigned(tokens[i], []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := parsed.Claims(public, &claims); err != nil || claims.Issuer != "DEF123GHIJ" || parsed.Headers[0].KeyID != "ABC123DEFG" {
			t.Errorf("got %v, %+v, key %s", err, claims, parsed.Headers[0].KeyID)
		}
	}
	if tokens[0] != tokens[1] || tokens[1] == tokens[2] {
		t.Error("want one provider token for forty minutes, and then another")
	}
}

func TestAPNsAnswers(t *testing.T) {
	t.Parallel()
	key, _ := apnsKey(t)
	for _, c := range []struct {
		status          int
		body            string
		gone, permanent bool
	}{
		{410, `{"reason":"Unregistered"}`, true, true}, {400, `{"reason":"BadDeviceToken"}`, true, true},
		{400, `{"reason":"DeviceTokenNotForTopic"}`, false, true}, {400, `{"reason":"PayloadEmpty"}`, false, true},
		{403, `{"reason":"ExpiredProviderToken"}`, false, false}, {429, `{"reason":"TooManyRequests"}`, false, false}, {503, `x`, false, false},
	} {
		p := servePushes(t, answered(c.status, c.body))
		s := sender(t, notify.Config{Roots: p.roots, APNs: &notify.APNs{
			Key: key, KeyID: "ABC123DEFG", Team: "DEF123GHIJ", Topic: "com.example.app", URL: p.url,
		}})
		err := s.Carry(t.Context(), "p", "demo", push(auth.PushAddress{Service: auth.PushAPNs, Token: "0a"}))
		checkGone(t, err, c.gone)
		var e *notify.Error
		if errors.As(err, &e) && e.Permanent() != c.permanent {
			t.Errorf("%d %s: got permanent %v", c.status, c.body, e.Permanent())
		}
	}
}

// google is the two of Google's servers that a push takes: the one that gives access tokens and FCM itself.
func fcmAccount(t *testing.T, tokenURI string) (seal.Secret, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo-1", "private_key_id": "k1", "client_email": "push@demo-1.example", "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewSecret(string(account)), &key.PublicKey
}

func TestFCMArrives(t *testing.T) {
	t.Parallel()
	tokens := servePushes(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"at-1","expires_in":3600,"token_type":"Bearer"}`)
	})
	account, public := fcmAccount(t, tokens.url+"/token")
	p := servePushes(t, answered(200, `{"name":"x"}`))
	roots := p.roots.Clone()
	addRoots(t, roots, tokens)
	s := sender(t, notify.Config{Roots: roots, Now: clock, FCM: &notify.FCM{Account: account, URL: p.url}})
	for range 2 {
		if err := s.Carry(t.Context(), "p1", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "device-1"})); err != nil {
			t.Fatal(err)
		}
	}
	if len(tokens.calls) != 1 {
		t.Errorf("got %d token requests, want 1", len(tokens.calls))
	}
	form, err := url.ParseQuery(tokens.calls[0].body)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(form.Get("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		jwt.Claims
		Scope string `json:"scope"`
	}
	if err := parsed.Claims(public, &claims); err != nil || claims.Issuer != "push@demo-1.example" ||
		claims.Scope != "https://www.googleapis.com/auth/firebase.messaging" || !slices.Equal(claims.Audience, jwt.Audience{tokens.url + "/token"}) {
		t.Errorf("got %v, %+v", err, claims)
	}
	got := p.calls[0]
	want := `{"message":{"android":{"collapse_key":"` + topicOf(t, got.body) + `","priority":"HIGH","ttl":"120s"},"data":{"challenge":"77","tenant":"demo"},` +
		`"notification":{"body":"Something waits for your approval.","title":"Demo programme"},"token":"device-1"}}`
	if got.uri != "/v1/projects/demo-1/messages:send" || got.header.Get("Authorization") != "Bearer at-1" || got.body != want {
		t.Errorf("got %s %s %s, want %s", got.uri, got.header.Get("Authorization"), got.body, want)
	}
}

func topicOf(t *testing.T, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, `"collapse_key":"`)
	topic, _, _ := strings.Cut(rest, `"`)
	if !ok || len(topic) != 32 {
		t.Fatalf("got collapse_key %q", topic)
	}
	return topic
}

// addRoots has the certificates of another server trusted, too.
func addRoots(t *testing.T, pool *x509.CertPool, p *pushes) {
	t.Helper()
	conn, err := tls.Dial("tcp", p.host(), &tls.Config{RootCAs: p.roots})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chain := conn.ConnectionState().VerifiedChains[0]
	pool.AddCert(chain[len(chain)-1])
}

func TestFCMAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status          int
		body            string
		gone, permanent bool
		tokens          int // requests for two pushes
	}{
		{404, `{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}`, true, true, 1},
		{403, `{"error":{"details":[{"@type":"x"},{"errorCode":"SENDER_ID_MISMATCH"}]}}`, false, true, 1},
		{404, `{"error":{"status":"NOT_FOUND"}}`, false, true, 1},
		{400, `{"error":{"details":[{"errorCode":"INVALID_ARGUMENT"}]}}`, false, true, 1},
		{401, `{}`, false, false, 2}, {429, `{}`, false, false, 1}, {503, `x`, false, false, 1},
	} {
		tokens := servePushes(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"at-1","expires_in":3600,"token_type":"Bearer"}`)
		})
		account, _ := fcmAccount(t, tokens.url)
		p := servePushes(t, answered(c.status, c.body))
		roots := p.roots.Clone()
		addRoots(t, roots, tokens)
		s := sender(t, notify.Config{Roots: roots, FCM: &notify.FCM{Account: account, URL: p.url}})
		for range 2 {
			err := s.Carry(t.Context(), "p", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"}))
			checkGone(t, err, c.gone)
			var e *notify.Error
			if errors.As(err, &e) && (e.Permanent() != c.permanent || strings.Contains(e.Error(), "at-1")) {
				t.Errorf("%d %s: got permanent %v, %v", c.status, c.body, e.Permanent(), e)
			}
		}
		if len(tokens.calls) != c.tokens {
			t.Errorf("%d: got %d token requests, want %d", c.status, len(tokens.calls), c.tokens)
		}
	}
	refused := servePushes(t, answered(400, `{"error":"invalid_grant","error_description":"secret-of-google"}`))
	account, _ := fcmAccount(t, refused.url)
	s := sender(t, notify.Config{Roots: refused.roots, FCM: &notify.FCM{Account: account}})
	err := s.Carry(t.Context(), "p", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"}))
	want{false, "push.fcm: no access token was given"}.check(t, err)
}

// TestFCMTokensHoldNobodyUp: an end of a try ends its wait for an access token, its own and another's, so that it ends before its lease does and a
// server that stops does not wait for Google.
func TestFCMTokensHoldNobodyUp(t *testing.T) {
	t.Parallel()
	asked, end := make(chan struct{}, 8), make(chan struct{})
	tokens := servePushes(t, func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-end
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"at-1","expires_in":3600,"token_type":"Bearer"}`)
	})
	account, _ := fcmAccount(t, tokens.url)
	p := servePushes(t, status(200))
	addRoots(t, p.roots, tokens)
	s := sender(t, notify.Config{Roots: p.roots, FCM: &notify.FCM{Account: account, URL: p.url, Limit: notify.LongestTry}})
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make(chan error, 3)
	for range 3 {
		go func() {
			outcomes <- s.Carry(ctx, "p", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"}))
		}()
	}
	<-asked
	cancel()
	for range 3 {
		if err := <-outcomes; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was ended", err)
		}
	}
	close(end) // the token that came late serves the next
	if err := s.Carry(t.Context(), "p", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"})); err != nil {
		t.Error(err)
	}
	if len(asked) != 0 {
		t.Errorf("%d more tokens were asked for", len(asked))
	}
}

func TestSignedArrives(t *testing.T) {
	t.Parallel()
	p := servePushes(t, status(204))
	key := bytes.Repeat([]byte{7}, 24)
	secret := seal.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(key))
	s := sender(t, notify.Config{Roots: p.roots, Now: clock, Signed: &notify.Signed{URL: p.url + "/push", Secret: secret}})
	if err := s.Carry(t.Context(), "p1", "demo", push(auth.PushAddress{Service: auth.PushApp, Token: "device-1"})); err != nil {
		t.Fatal(err)
	}
	got := p.calls[0]
	want := `{"challenge":"77","tenant":"demo","title":"Demo programme","body":"Something waits for your approval.","service":"app","token":"device-1",` +
		`"template":"confirm","expires_at":"2027-01-15T08:02:00Z"}`
	if got.uri != "/push" || got.body != want {
		t.Errorf("got %s %s, want %s", got.uri, got.body, want)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("p1.1800000000." + got.body))
	signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for name, want := range map[string]string{"webhook-id": "p1", "webhook-timestamp": "1800000000", "webhook-signature": signature} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	p.answer = status(410)
	checkGone(t, s.Carry(t.Context(), "p1", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"})), true)
	p.answer = status(500)
	checkGone(t, s.Carry(t.Context(), "p1", "demo", push(auth.PushAddress{Service: auth.PushApp, Token: "d"})), false)
}

// TestPushProblems names each setting that keeps a sender from being made.
func TestPushProblems(t *testing.T) {
	t.Parallel()
	_, err := notify.New(notify.Config{
		Web:    &notify.WebPush{Key: seal.NewSecret("x"), Contact: "me", Hosts: []string{"a/b"}, Limit: -1},
		FCM:    &notify.FCM{Account: seal.NewSecret("{}"), URL: "ftp://x", Limit: -1},
		APNs:   &notify.APNs{Key: seal.NewSecret("x"), URL: "http://127.0.0.1", Limit: -1},
		Signed: &notify.Signed{URL: "http://example.com", Secret: seal.NewSecret("whsec_AAAA"), Limit: -1},
	})
	if err == nil {
		t.Fatal("got no problem")
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		setting, _, _ := strings.Cut(strings.TrimPrefix(line, "messages.push."), ":")
		got = append(got, setting)
	}
	want := []string{
		"web.key", "web.contact", "web.hosts", "web.timeout", "fcm.account_file", "fcm.url", "fcm.timeout", "apns.key_file", "apns.key_id", "apns.team",
		"apns.topic", "apns.url", "apns.timeout", "signed.url", "signed.secret", "signed.timeout",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	account := `{"type":"service_account","project_id":"p","client_email":"e","token_uri":"https://t.test","private_key":"PRIVATE KEY"}`
	for _, c := range []struct {
		config notify.Config
		want   string
	}{
		{notify.Config{FCM: &notify.FCM{Account: seal.NewSecret(account)}}, "messages.push.fcm.account_file: lacks private_key, or it is no RSA key"},
		{notify.Config{From: "a@b.ch", SMTP: &notify.SMTP{Host: "h", Limit: time.Minute}}, "messages.smtp.timeout: is beyond 30s"},
	} {
		if _, err := notify.New(c.config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	s := sender(t, notify.Config{})
	checkGone(t, s.Carry(t.Context(), "p", "demo", push(auth.PushAddress{Service: auth.PushFCM, Token: "d"})), false)
}
