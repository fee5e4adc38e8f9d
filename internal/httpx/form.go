package httpx

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// DecodeForm decodes an application/x-www-form-urlencoded body, as OAuth has
// it (RFC 6749 §3.2): a parameter must not come twice, unless it is one of
// repeatable (RFC 8707 §2), and one without a value counts as absent. The
// percent-encoding must be complete and the text valid UTF-8 without NUL.
// It returns [*Invalid].
func DecodeForm(body []byte, repeatable ...string) (url.Values, error) {
	values := make(url.Values)
	if len(body) == 0 {
		return values, nil
	}
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(string(body), "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, okName := unescapeForm(rawName)
		value, okValue := unescapeForm(rawValue)
		switch {
		case !okName || !okValue || name == "":
			return nil, invalid(http.StatusBadRequest, "the body is not a valid form in UTF-8")
		case seen[name] && !slices.Contains(repeatable, name):
			return nil, invalid(http.StatusBadRequest, "the body has a parameter twice")
		}
		seen[name] = true
		if value != "" {
			values.Add(name, value)
		}
	}
	return values, nil
}

func unescapeForm(s string) (string, bool) {
	s, err := url.QueryUnescape(s)
	return s, err == nil && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
