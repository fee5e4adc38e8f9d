package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// micros is how a time is stored: Unix microseconds, and 0 for the zero time. The one instant that this leaves no number for becomes
// the next, lest an end in 1970 be read as no end at all.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if us := t.UnixMicro(); us != 0 {
		return us
	}
	return 1
}

// moment is the reverse of micros.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// span is the reverse of time.Duration.Microseconds.
func span(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// encode returns v as JSON: the same text for the same value. Durations are nanoseconds.
func encode(v any) (string, error) {
	b, err := json.Marshal(v, jsonv1.FormatDurationAsNano(true))
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// decode sets what text holds of v and leaves the rest. A member it does not know was written by a newer binary and is passed over.
func decode(text string, v any) error {
	if text == "{}" || text == "[]" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v, jsonv1.FormatDurationAsNano(true)); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// blob never is nil, which would be NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// orNil is the reverse of blob: databases do not tell an empty one from none. Nor do lists in JSON.
func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

// texts returns the names in a list as plain strings.
func texts[T ~string](names []T) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return all
}

// joinSet returns names with a space before and behind each. It is no JSON, so that SQL can look for one and add one.
func joinSet[T ~string](names []T) string { return " " + strings.Join(append(texts(names), ""), " ") }

// splitSet is the reverse of joinSet.
func splitSet[T ~string](s string) []T {
	var names []T
	for n := range strings.FieldsSeq(s) {
		names = append(names, T(n))
	}
	return names
}

// digest reads back a hash of 32 bytes.
func digest[T ~[32]byte](b []byte) (T, error) {
	if len(b) != 32 {
		return T{}, fmt.Errorf("hash of %d bytes", len(b))
	}
	return T(b), nil
}
