package seal

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// redacted is all that is ever printed of a value of this package.
const redacted = "[redacted]"

// hidden holds a value where fmt cannot print it. Where fmt cannot call Format,
// on an unexported field, it prints what a slice, a map and even a pointer hold,
// but never what a func does.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }

// Secret is a string that does not print: under every verb of fmt, in slog, and
// marshalled as text or JSON it is [redacted]. Only [Secret.Reveal] shows it.
// The zero Secret is the empty one.
//
// It is a struct and not a kind of string for three reasons. fmt cannot call
// methods on an unexported field, and there would print a string but prints
// only the address of a pointer to one; database/sql would store a string in the
// clear but refuses a struct; and == does not compile, so that comparing
// secrets takes [Secret.Equal].
type Secret struct {
	_     [0]func() // makes == a compile error
	value *string
}

// NewSecret returns s as a Secret.
func NewSecret(s string) Secret {
	return Secret{value: &s}
}

// Reveal returns the secret itself. Each call is a place to review.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal reports whether two secrets are the same, in a time that depends on
// their lengths alone. Two empty secrets are equal: where an unset secret must
// not match an empty guess, ask [Secret.IsZero] first.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Format implements [fmt.Formatter].
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler]. It does not show the secret,
// so a Secret does not survive a round trip: it can be read from a request or a
// configuration, never written back.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], so that a Secret can be
// a field of a request or of a configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
