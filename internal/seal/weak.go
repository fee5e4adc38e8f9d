package seal

import (
	"bytes"
	"errors"
	"fmt"
)

// MinKeySize is the least number of bytes in a master key and in a MAC's root.
const MinKeySize = 32

// checkKey refuses keys that were plainly not drawn at random: what a person
// types to get past a length check, or copies from an example. It cannot tell
// that a key is good, only that it is bad; a random key fails with a
// probability below 2^-20 even if it is written in hexadecimal digits.
func checkKey(key []byte) error {
	switch {
	case len(key) < MinKeySize:
		return fmt.Errorf("%d bytes long, want at least %d", len(key), MinKeySize)
	case repeats(key):
		return errors.New("one pattern repeated, want random bytes")
	case counts(key):
		return errors.New("bytes in sequence, want random bytes")
	case distinct(key) < 8:
		return errors.New("fewer than 8 different bytes, want random bytes")
	}
	lower := bytes.ToLower(key)
	for _, word := range []string{"changeme", "change-me", "change_me", "replaceme", "password", "secret", "example", "default", "insecure", "countersign"} {
		if bytes.Contains(lower, []byte(word)) {
			return fmt.Errorf("contains %q: a default left in place? want random bytes", word)
		}
	}
	return nil
}

// repeats reports whether key is some pattern written at least twice, the last
// time perhaps cut short.
func repeats(key []byte) bool {
	for period := 1; period <= len(key)/2; period++ {
		if bytes.Equal(key[period:], key[:len(key)-period]) {
			return true
		}
	}
	return false
}

// counts reports whether each byte differs from the one before by the same step.
func counts(key []byte) bool {
	for i := 2; i < len(key); i++ {
		if key[i]-key[i-1] != key[1]-key[0] {
			return false
		}
	}
	return true
}

func distinct(key []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range key {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}
