package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// failure is a try that did not deliver. Its text is for the operator and holds no URL, address, body or secret.
type failure struct {
	reason    string
	permanent bool
	after     time.Duration
}

func (f *failure) Error() string { return f.reason }

// Permanent reports whether another try is of no use.
func (f *failure) Permanent() bool { return f.permanent }

// RetryAfter is how long the receiver asked to be left alone; zero: it did not.
func (f *failure) RetryAfter() time.Duration { return f.after }

// longestAfter bounds what a receiver may ask for.
const longestAfter = 6 * time.Hour

// answered judges the status of an answer: nil if it is delivered. Another try is made after 408, 409, 425 and 5xx (contract/multi §4.1),
// and after 429, which says nothing but "later" (security A-124). A redirect is a failure and is not followed.
func answered(r *http.Response, now time.Time) error {
	if r.StatusCode >= 200 && r.StatusCode <= 299 {
		return nil
	}
	f := &failure{reason: "answered " + strconv.Itoa(r.StatusCode), permanent: true}
	switch r.StatusCode {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		f.permanent = false
	default:
		f.permanent = r.StatusCode < 500 || r.StatusCode > 599
	}
	f.after = retryAfter(r.Header.Get("Retry-After"), now)
	return f
}

// retryAfter reads a Retry-After header (RFC 9110 §10.2.3); zero where it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), longestAfter)
}

// broken puts what kept a request from being answered into words. Nothing of the error's own text is kept, for it has the URL in it.
func broken(err error) error {
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		timeout     net.Error
	)
	switch {
	case errors.Is(err, errLiteral), errors.Is(err, errPlain):
		return &failure{reason: firstOf(err, errLiteral, errPlain).Error(), permanent: true}
	case errors.Is(err, errName), errors.Is(err, errNowhere):
		return &failure{reason: firstOf(err, errName, errNowhere).Error()}
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return &failure{reason: "the name was not found"}
	case errors.As(err, &lookup):
		return &failure{reason: "the name could not be looked up"}
	case errors.As(err, &certificate):
		return &failure{reason: "the receiver's certificate did not verify"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{reason: "the connection was refused"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &failure{reason: "no answer in time"}
	}
	return &failure{reason: "the connection broke"}
}

// firstOf returns the first of the targets that an error is.
func firstOf(err error, targets ...error) error {
	for _, t := range targets {
		if errors.Is(err, t) {
			return t
		}
	}
	return err
}
