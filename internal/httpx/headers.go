package httpx

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Credentials returns what an Authorization header carries under a scheme, such as "Bearer"; empty when there is no such header. The
// scheme is compared without regard to case (RFC 9110 §11.1).
func Credentials(r *http.Request, scheme string) string {
	have, value, _ := strings.Cut(Single(r, "Authorization"), " ")
	if !strings.EqualFold(have, scheme) {
		return ""
	}
	return value
}

// AccessToken returns the token that a request comes with, under the scheme Bearer (RFC 6750 §2.1) or DPoP (RFC 9449 §7.1).
func AccessToken(r *http.Request) string {
	if token := Credentials(r, "DPoP"); token != "" {
		return token
	}
	return Credentials(r, "Bearer")
}

// Proof returns the header by which a request proves a key, and whether its access token is under the scheme DPoP. Of several such headers it
// makes one that proves nothing (RFC 9449 §4.3).
func Proof(r *http.Request) (text string, scheme bool) {
	return strings.Join(r.Header.Values("DPoP"), ","), Credentials(r, "DPoP") != ""
}

// Single returns the value of a header that stands there once, and "" otherwise: of two values, a proxy before us may have looked at the
// other one.
func Single(r *http.Request, name string) string {
	if lines := r.Header.Values(name); len(lines) == 1 {
		return lines[0]
	}
	return ""
}

// credentialInQuery finds a parameter that carries what belongs in a header or a body (RFC 9700 §4.3.2, security A-044).
func credentialInQuery(r *http.Request) (string, bool) {
	if r.URL.RawQuery == "" {
		return "", false
	}
	query := r.URL.Query()
	for _, name := range []string{"token", "access_token", "refresh_token", "api-key", "client_secret", "password"} {
		if query.Has(name) {
			return name, true
		}
	}
	return "", false
}

// A Limit is one rate limit in force: at most Count in Window.
type Limit struct {
	Count  int
	Window time.Duration
}

// RetryAfter says when another try makes sense, in whole seconds, rounded up so that who waits that long does not come too early.
func RetryAfter(h http.Header, after time.Duration) { h.Set("Retry-After", seconds(after)) }

// RateLimit says which limits hold, the exceeded one first and then all of them, and when the exceeded one lets a call through again.
func RateLimit(h http.Header, after time.Duration, limits ...Limit) {
	parts := make([]string, len(limits))
	for i, l := range limits {
		parts[i] = fmt.Sprintf("%d;w=%s", l.Count, seconds(l.Window))
		if i == 0 {
			parts[i] = strconv.Itoa(l.Count)
		}
	}
	h.Set("x-ratelimit-limit", strings.Join(parts, ", "))
	h.Set("x-ratelimit-reset", seconds(after))
}

const year = 365 * 24 * time.Hour

// Refused sets what the headers of a refusal say about another try: when it makes sense, in a minute for a 503 that does not know, and
// for a 429 under which limits, the exceeded one first.
func Refused[L ~struct {
	Count  int
	Window time.Duration
}](h http.Header, status int, after time.Duration, limits []L) {
	switch {
	case after > 0:
		RetryAfter(h, min(after, year)) // of a lock that has no end, too
	case status == http.StatusServiceUnavailable:
		RetryAfter(h, time.Minute)
	}
	if status == http.StatusTooManyRequests {
		own := make([]Limit, len(limits))
		for i, l := range limits {
			own[i] = Limit(l)
		}
		RateLimit(h, after, own...)
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
