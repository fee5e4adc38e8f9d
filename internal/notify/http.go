package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// defaultHTTPLimit is how long one exchange with a gateway may take.
const defaultHTTPLimit = 10 * time.Second

// maxRetryAfter bounds what another server may ask for.
const maxRetryAfter = time.Hour

// client speaks HTTP to one gateway.
type client struct {
	what  string // of its errors
	http  *http.Client
	limit time.Duration
	now   func() time.Time
}

func newClient(what string, limit time.Duration, c Config) *client {
	if limit == 0 {
		limit = defaultHTTPLimit
	}
	return &client{what: what, limit: limit, now: c.Now, http: &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        tlsConfig(c.Roots),
			ForceAttemptHTTP2:      true,
			DialContext:            (&net.Dialer{Timeout: limit}).DialContext,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxAnswer,
		},
		// A redirect would carry the message, and the secret in its headers, to where nobody configured it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
}

// answer is what a gateway said.
type answer struct {
	status int
	header http.Header
	body   []byte // its first maxAnswer bytes
}

func (c *client) exchange(ctx context.Context, req *http.Request) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	res, err := c.http.Do(req.WithContext(limited))
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return answer{}, broken(ctx, c.what, err)
	}
	// The status has said what became of the message, so a body that breaks off changes nothing.
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	_ = res.Body.Close() // nothing of it is needed any more
	return answer{res.StatusCode, res.Header, body}, nil
}

// refusal judges a status that is not one of success.
//
// 401 and 407 are about our credentials and not about the message: when they are mended it goes out. 408, 409, 425 and 429 are about the
// moment. Any other 4xx stays so.
func (c *client) refusal(a answer) *Error {
	e := retryable("%s: the gateway answered %d", c.what, a.status)
	switch a.status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly,
		http.StatusTooManyRequests:
	default:
		e.permanent = a.status/100 == 4
	}
	if !e.permanent {
		e.after = retryAfter(a.header.Get("Retry-After"), c.now())
	}
	return e
}

// retryAfter reads the header of RFC 9110 §10.2.3; zero if there is none or it makes no sense.
func retryAfter(text string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}

// isLoopback reports whether a host is this machine, where plain text may be spoken.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// problemOf returns why a URL is no place to send messages to, or nothing.
func problemOf(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "is not an https URL"
	case u.User != nil:
		return "has a user name; give username and secret"
	case u.Fragment != "":
		return "has a fragment"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "is plain http; only a loopback address may be"
	}
	return ""
}
