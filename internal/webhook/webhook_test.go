package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/seal"
	"countersign/internal/webhook"
)

const key = "key of tests+/=="

// loopback is where the receivers of tests listen.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// clock gives each attempt a time of its own.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func carrier(t *testing.T, change ...func(*webhook.Config)) *webhook.Carrier {
	t.Helper()
	c := webhook.Config{Now: (&clock{now: time.UnixMilli(1_800_000_000_000)}).Now, Allow: loopback()}
	for _, f := range change {
		f(&c)
	}
	w := webhook.New(c)
	t.Cleanup(w.Close)
	return w
}

func login() *auth.News {
	return &auth.News{
		Kind: auth.NewsLogin, At: time.UnixMilli(1_700_000_000_123), User: "1001", Credential: auth.Root,
		Identity: auth.IdentityRef{Type: auth.Consumer, ID: "2001"}, Method: "PASSWORD", Status: "VERIFIED",
	}
}

func delivery(url string, n *auth.News) auth.Delivery {
	return auth.Delivery{
		Parcel: auth.Parcel{ID: "parcel1", Kind: auth.ParcelWebhook}, News: n, Webhook: auth.Webhook{URL: url}, Key: seal.NewSecret(key),
	}
}

// got is a request as it arrived.
type got struct {
	method, uri, proto string
	header             http.Header
	body               string
}

// receiver answers each request as the next of the answers says, and keeps the requests.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	seen []got
}

func (r *receiver) requests() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func receive(t *testing.T, tls bool, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.seen = append(r.seen, got{q.Method, q.RequestURI, q.Proto, q.Header.Clone(), string(body)})
		r.mu.Unlock()
		answer(w, q)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		r.EnableHTTP2 = true
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(r.Close)
	return r
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// mac is written from contract/multi §4.1 and shares nothing with the code.
func mac(message string) string {
	h := hmac.New(sha256.New, []byte(key))
	io.WriteString(h, message)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestAttemptsShareAnIDAndNotATime: three tries fail, the fourth is taken; each is signed for itself.
func TestAttemptsShareAnIDAndNotATime(t *testing.T) {
	t.Parallel()
	failures := 0
	r := receive(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if failures++; failures <= 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := carrier(t)
	for try := range 4 {
		err := w.Deliver(t.Context(), delivery(r.URL+"/hooks/", login()))
		if got, want := err == nil, try == 3; got != want {
			t.Errorf("try %d: got delivered %t (%v), want %t", try, got, err, want)
		}
	}
	seen := r.requests()
	if len(seen) != 4 {
		t.Fatalf("got %d requests, want 4", len(seen))
	}
	times := map[string]bool{}
	for _, q := range seen {
		id, published := q.header.Get("call-ref"), q.header.Get("published-timestamp")
		times[published] = true
		if id != "parcel1" || q.body != seen[0].body {
			t.Errorf("got id %q and body %s, want the same on every try", id, q.body)
		}
		if q.method != "POST" || q.uri != "/hooks/login/watch" || q.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s of %s", q.method, q.uri, q.header.Get("Content-Type"))
		}
		if got, want := q.header.Get("signature"), mac(published); got != want {
			t.Errorf("signature: got %s, want %s", got, want)
		}
		if got, want := q.header.Get("signature-v2"), mac(id+q.body+published); got != want {
			t.Errorf("signature-v2: got %s, want %s", got, want)
		}
		if ms, err := strconv.ParseInt(published, 10, 64); err != nil || ms < 1_800_000_000_000 {
			t.Errorf("published-timestamp: got %q, want the time of the attempt in milliseconds", published)
		}
		if q.header.Get("Idempotency-Key") != "" {
			t.Error("Idempotency-Key was sent")
		}
	}
	if len(times) != 4 {
		t.Errorf("got %d timestamps, want 4", len(times))
	}
}

// outcome of a try, as the domain sees it.
func outcome(err error) string {
	var f interface {
		Permanent() bool
		RetryAfter() time.Duration
	}
	switch {
	case err == nil:
		return "delivered"
	case !errors.As(err, &f):
		return "unknown error " + err.Error()
	case f.Permanent():
		return "failed"
	case f.RetryAfter() > 0:
		return "again in " + f.RetryAfter().String()
	}
	return "again"
}

// TestStatuses (A-124, contract/multi §4.1).
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		codes []int
		want  string
	}{
		{[]int{200, 201, 202, 204, 206, 299}, "delivered"},
		{[]int{408, 409, 425, 429, 500, 501, 502, 503, 504, 599}, "again"},
		{[]int{300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 410, 413, 418, 422, 499, 600, 999}, "failed"},
	} {
		for _, code := range test.codes {
			t.Run(strconv.Itoa(code), func(t *testing.T) {
				t.Parallel()
				r := receive(t, false, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(code)
					if code >= 400 {
						io.WriteString(w, "the receiver's own secret")
					}
				})
				err := carrier(t).Deliver(t.Context(), delivery(r.URL, login()))
				if got := outcome(err); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if err != nil && err.Error() != fmt.Sprintf("answered %d", code) {
					t.Errorf("got text %q, want the status and no more", err)
				}
				if n := len(r.requests()); n != 1 {
					t.Errorf("got %d requests, want 1: a redirect is not followed", n)
				}
			})
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"120": "again in 2m0s", "0": "again", "-5": "again", "soon": "again", "": "again", "1.5": "again",
		"99999999": "again in 6h0m0s", "99999999999999999999": "again",
		time.UnixMilli(1_000_000_000_000).UTC().Format(http.TimeFormat): "again",
		time.UnixMilli(1_900_000_000_000).UTC().Format(http.TimeFormat): "again in 6h0m0s",
	} {
		r := receive(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", text)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if got := outcome(carrier(t).Deliver(t.Context(), delivery(r.URL, login()))); got != want {
			t.Errorf("Retry-After %q: got %s, want %s", text, got, want)
		}
	}
}

// TestRedirectLeadsNowhere (B-54): neither to a place that may be called nor to one that may not.
func TestRedirectLeadsNowhere(t *testing.T) {
	t.Parallel()
	elsewhere := receive(t, false, status(http.StatusNoContent))
	for _, code := range []int{301, 302, 303, 307, 308} {
		r := receive(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL+"/login/watch")
			w.WriteHeader(code)
		})
		if got := outcome(carrier(t).Deliver(t.Context(), delivery(r.URL, login()))); got != "failed" {
			t.Errorf("%d: got %s, want failed", code, got)
		}
	}
	if n := len(elsewhere.requests()); n != 0 {
		t.Errorf("got %d requests elsewhere, want 0", n)
	}
}

// TestNetworkFaultsAreTriedAgain: none of the texts has an address, a port or the token of the URL in it.
func TestNetworkFaultsAreTriedAgain(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	defer close(end)
	slow := receive(t, false, func(http.ResponseWriter, *http.Request) { <-end })
	reset := receive(t, false, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	header := receive(t, false, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) })
	strange := receive(t, true, status(http.StatusNoContent))
	plain := receive(t, false, status(http.StatusNoContent))
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	for _, test := range []struct{ name, url, want string }{
		{"slow", slow.URL, "no answer in time"},
		{"dead port", "http://" + dead.Addr().String(), "the connection was refused"},
		{"reset", reset.URL, "the connection broke"},
		{"long header", header.URL, "the connection broke"},
		{"unknown certificate", strange.URL, "the receiver's certificate did not verify"},
		{"no TLS", "https" + strings.TrimPrefix(plain.URL, "http"), "the connection broke"},
	} {
		w := carrier(t, func(c *webhook.Config) {
			if test.name == "slow" {
				c.Limit = 50 * time.Millisecond
			}
		})
		err := w.Deliver(t.Context(), delivery(test.url+"/hooks?token=t0ken", login()))
		if got := outcome(err); got != "again" {
			t.Errorf("%s: got %s, want again", test.name, got)
		}
		if err != nil && err.Error() != test.want {
			t.Errorf("%s: got %q, want %q", test.name, err, test.want)
		}
	}
}

// TestAnswerIsReadToALimit: a receiver that never stops talking is let go, and its status counts.
func TestAnswerIsReadToALimit(t *testing.T) {
	t.Parallel()
	r := receive(t, false, func(w http.ResponseWriter, q *http.Request) {
		for q.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	if err := carrier(t).Deliver(t.Context(), delivery(r.URL, login())); err != nil {
		t.Error(err)
	}
}

// TestTLS: a certificate is verified against the name in the URL, and HTTP/2 is spoken where the receiver does.
func TestTLS(t *testing.T) {
	t.Parallel()
	r := receive(t, true, status(http.StatusNoContent))
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	_, port, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := carrier(t, func(c *webhook.Config) {
		c.Roots, c.Resolver = roots, names{"example.com": {"127.0.0.1"}, "other.test": {"127.0.0.1"}}
	})
	if err := w.Deliver(t.Context(), delivery("https://example.com:"+port, login())); err != nil {
		t.Error(err)
	}
	err = w.Deliver(t.Context(), delivery("https://other.test:"+port, login()))
	if err == nil || err.Error() != "the receiver's certificate did not verify" {
		t.Errorf("another name: got %v", err)
	}
	for _, q := range r.requests() {
		if q.proto != "HTTP/2.0" {
			t.Errorf("got %s, want HTTP/2.0", q.proto)
		}
	}
}

// TestProxyOfTheEnvironmentIsNotBelieved.
func TestProxyOfTheEnvironmentIsNotBelieved(t *testing.T) {
	proxy := receive(t, false, status(http.StatusNoContent))
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	w := carrier(t, func(c *webhook.Config) { c.Resolver = names{} })
	if err := w.Deliver(t.Context(), delivery("http://receiver.test", login())); err == nil || len(proxy.requests()) != 0 {
		t.Errorf("got %v and %d requests at the proxy", err, len(proxy.requests()))
	}
}

// TestWhatCannotBeDelivered gets no request out.
func TestWhatCannotBeDelivered(t *testing.T) {
	t.Parallel()
	r := receive(t, false, status(http.StatusNoContent))
	host := strings.TrimPrefix(r.URL, "http://")
	unsigned := delivery(r.URL, login())
	unsigned.Key = seal.Secret{}
	for name, test := range map[string]struct {
		d    auth.Delivery
		want string
	}{
		"no URL":    {delivery("", login()), "failed"},
		"no scheme": {delivery(host, login()), "failed"},
		"file":      {delivery("file:///etc/passwd", login()), "failed"},
		"user":      {delivery("http://user@"+host, login()), "failed"},
		"no host":   {delivery("http:///hooks", login()), "failed"},
		"no news":   {delivery(r.URL, nil), "failed"},
		"unknown":   {delivery(r.URL, &auth.News{Kind: "weather"}), "failed"},
		"no key":    {unsigned, "again"},
	} {
		if got := outcome(carrier(t).Deliver(t.Context(), test.d)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
	if n := len(r.requests()); n != 0 {
		t.Errorf("got %d requests, want 0", n)
	}
}

// TestDeliverLogout: a logout token goes to the client's own address as a form, under the rules for webhooks.
func TestDeliverLogout(t *testing.T) {
	t.Parallel()
	r := receive(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	d := auth.Delivery{
		Parcel: auth.Parcel{ID: "parcel1", Kind: auth.ParcelLogout}, Logout: &auth.LogoutNotice{Client: "app"}, URI: r.URL + "/out?a=1",
		Token: seal.NewSecret("a.b+c.d"),
	}
	if err := carrier(t).Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if all := r.requests(); len(all) != 1 || all[0].method != "POST" || all[0].uri != "/out?a=1" || all[0].body != "logout_token=a.b%2Bc.d" ||
		all[0].header.Get("Content-Type") != "application/x-www-form-urlencoded" || all[0].header.Get("Signature") != "" {
		t.Errorf("got %+v", all)
	}
	for _, uri := range []string{"http://10.1.2.3/out", "https://169.254.169.254/", "ftp://app.example/", "https://user@app.example/", ""} {
		d.URI = uri
		err := carrier(t).Deliver(t.Context(), d)
		var hopeless interface{ Permanent() bool }
		if !errors.As(err, &hopeless) || !hopeless.Permanent() {
			t.Errorf("%s: got %v", uri, err)
		}
	}
}
