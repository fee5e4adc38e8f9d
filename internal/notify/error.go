package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// Error is why a message was not taken. Its text is for operators and logs: it names no receiver, repeats no text of ours and nothing that
// the other side said, since that may quote both (security A-056).
type Error struct {
	text      string
	permanent bool
	gone      bool
	after     time.Duration
	cause     error // the end of the context, if it was that
}

// Error implements error.
func (e *Error) Error() string { return e.text }

// Permanent reports whether another try is of no use.
func (e *Error) Permanent() bool { return e.permanent }

// Gone reports whether the receiver's address is dead and should be forgotten: what a push service says of a device that is no more.
func (e *Error) Gone() bool { return e.gone }

// RetryAfter is how long the other side asks to be left alone, at most an hour; zero: it did not say.
func (e *Error) RetryAfter() time.Duration { return e.after }

// Unwrap returns [context.Canceled] or [context.DeadlineExceeded] if it was the caller who ended the try.
func (e *Error) Unwrap() error { return e.cause }

func retryable(format string, args ...any) *Error { return &Error{text: fmt.Sprintf(format, args...)} }

func permanent(format string, args ...any) *Error {
	return &Error{text: fmt.Sprintf(format, args...), permanent: true}
}

// gone is a push to a device that its service does not know any more.
func gone(format string, args ...any) *Error {
	return &Error{text: fmt.Sprintf(format, args...), permanent: true, gone: true}
}

// broken is an exchange that came to no answer. ctx is the caller's.
func broken(ctx context.Context, what string, err error) *Error {
	e := retryable("%s: %s", what, kindOf(err))
	if e.cause = ctx.Err(); e.cause != nil {
		e.text = what + ": " + e.cause.Error()
	}
	return e
}

// kindOf names a failure of the network in words of our own: what the libraries say may have the URL or a line of the other side in it.
func kindOf(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		dns         *net.DNSError
		op          *net.OpError
		timeout     interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &hostname):
		return "the server's certificate is not trusted"
	case errors.As(err, &record), errors.As(err, &alert):
		return "TLS failed"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.As(err, &dns):
		return "the server's name was not found"
	case errors.As(err, &op) && op.Op == "dial":
		return "cannot connect"
	}
	return "the connection broke"
}
