package httpx

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// A formatSet holds the check of each string format by its name.
type formatSet = map[string]openapi3.StringFormatValidator

// formats are the string formats that a document may use in requests. They
// are handed to each check, so that kin-openapi's registry, which is shared by
// the whole program, is left alone.
func formats() formatSet {
	f := make(formatSet)
	for name, ok := range map[string]func(string) bool{
		"date":      func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
		"date-time": func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil },
		"email":     isEmail,
		"ip":        func(s string) bool { _, err := netip.ParseAddr(s); return err == nil },
		"password":  func(string) bool { return true }, // a hint for forms: OpenAPI 3.0.3 §4.4
		"uri":       isURI,
		"uuid":      regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`).MatchString,
	} {
		f[name] = openapi3.NewCallbackValidator(func(s string) error {
			if !ok(s) {
				return errors.New("wrong form")
			}
			return nil
		})
	}
	return f
}

// isEmail takes one address without a display name, comments, quotes or an
// address literal (the dot-atom of RFC 5322 §3.2.3, with the letters of other
// scripts: RFC 6531 §3.3), of at most 254 bytes (RFC 5321 §4.5.3.1).
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 254 || len(local) > 64 || !utf8.ValidString(s) {
		return false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(c rune) bool {
			return !wordRune(c) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", c)
		}) {
			return false
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(c rune) bool { return !wordRune(c) && c != '-' }) {
			return false
		}
	}
	return true
}

// wordRune reports whether c is a letter, digit or mark of any script. Marks
// belong to words in many; spaces, controls and format characters do not.
func wordRune(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c)
}

// isURI takes absolute URIs (RFC 3986 §4.3) without spaces or controls.
func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "") &&
		!strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}
