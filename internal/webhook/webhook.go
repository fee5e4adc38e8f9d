// Package webhook carries news to the tenants' webhooks: it renders what happened as the Multi contract has it, signs it, and posts it,
// once a call. When and how often is decided by the domain; see package outbox for who calls.
//
// A receiver's URL is a tenant's and the network around us is not, so that nothing is called but public addresses, and those of our own
// networks that are allowed; see guard.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"countersign/internal/auth"
)

// answerLimit bounds what is read of an answer, in bytes. Its body is thrown away.
const answerLimit = 64 << 10

// Config is what a Carrier is made of.
type Config struct {
	Now func() time.Time // stamps the attempts
	// Allow are networks that are not public and may be called, also by plain HTTP, which no public address may be.
	Allow    []netip.Prefix
	Resolver Resolver       // nil: the system's
	Roots    *x509.CertPool // that receivers' certificates verify against; nil: the system's
	Limit    time.Duration  // of a delivery, from the look-up of the name to the end of the answer; zero: 15 s
}

// Carrier delivers news. It is safe for concurrent use.
type Carrier struct {
	now    func() time.Time
	limit  time.Duration
	secure *http.Client
	plain  *http.Client
}

// New makes a Carrier.
func New(c Config) *Carrier {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Limit == 0 {
		c.Limit = 15 * time.Second
	}
	g := newGuard(c.Resolver, c.Allow)
	secure := newClient(g, c.Roots)
	g.plain = true
	return &Carrier{now: c.Now, limit: c.Limit, secure: secure, plain: newClient(g, nil)}
}

// newClient makes a client that follows no redirect, believes no proxy variable, keeps no cookie and verifies certificates.
func newClient(g guard, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            g.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: answerLimit,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close ends the connections that are kept open.
func (c *Carrier) Close() {
	c.secure.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

// Deliver posts the news of a delivery to the tenant's webhook, once; contract/multi §4.1. A logout goes to its client. It returns nil when the receiver answered 2xx.
// An error says by Permanent() whether another try is of no use and by RetryAfter() how long the receiver asked for.
func (c *Carrier) Deliver(ctx context.Context, d auth.Delivery) error {
	if d.Logout != nil {
		return c.logOut(ctx, d)
	}
	if d.News == nil {
		return &failure{reason: "there is no news in it", permanent: true}
	}
	target, err := targetOf(d.Webhook.URL, *d.News)
	if err != nil {
		return err
	}
	if d.Key.IsZero() {
		return &failure{reason: "the tenant has no live API key to sign with"}
	}
	body, err := render(*d.News)
	if err != nil {
		return &failure{reason: err.Error(), permanent: true}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return &failure{reason: "the URL is not one", permanent: true}
	}
	r.Header = headers(string(d.Parcel.ID), body, d.Key.Reveal(), millis(c.now()))
	return c.post(r)
}

func (c *Carrier) post(r *http.Request) error {
	client := c.secure
	if r.URL.Scheme == "http" {
		client = c.plain
	}
	answer, err := client.Do(r)
	if err != nil {
		return broken(err)
	}
	// What follows the status changes nothing; it is read so that the connection can be used again.
	io.CopyN(io.Discard, answer.Body, answerLimit)
	answer.Body.Close()
	return answered(answer, c.now())
}

// headers are those of one attempt. The same id comes with every attempt, and a new time with each (security A-122).
func headers(id string, body []byte, key, published string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Countersign")
	h.Set("call-ref", id)
	h.Set("published-timestamp", published)
	h.Set("signature", sign(key, []byte(published)))
	h.Set("signature-v2", sign(key, []byte(id), body, []byte(published)))
	// Empty, it is not sent: it lets the client use a fresh connection where a kept one turns out to be closed.
	h["Idempotency-Key"] = []string{}
	return h
}

// sign is base64(HMAC-SHA256) over the parts, one behind the other; contract/multi §4.1. The key is used as the text that it is.
func sign(key string, parts ...[]byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		mac.Write(p)
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// targetOf puts the path of the news behind that of the tenant's URL, whose query stays.
func targetOf(base string, n auth.News) (*url.URL, error) {
	if base == "" {
		return nil, &failure{reason: "the tenant has no webhook", permanent: true}
	}
	u, err := receiver(base)
	if err != nil {
		return nil, err
	}
	path := Path(n)
	if path == "" {
		return nil, &failure{reason: "the news has no path", permanent: true}
	}
	u = u.JoinPath(path)
	u.Fragment = ""
	return u, nil
}

// receiver reads the URL of one.
func receiver(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &failure{reason: "the URL is not one of https or http", permanent: true}
	}
	if u.User != nil {
		return nil, &failure{reason: "the URL has a user in it", permanent: true}
	}
	return u, nil
}
