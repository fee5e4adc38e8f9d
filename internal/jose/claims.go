package jose

import (
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deeply the JSON of a token may nest.
const maxDepth = 16

// maxTime is the last second of the year 9999, the end of what RFC 3339, and so
// most of what a time is later written to, can express.
const maxTime = 253402300799

// Claims are the claims of a token by name. Those that [Set.Verify] returns hold
// what JSON can: nil, bool, float64, string, []any and map[string]any. Those
// given to [Sign] may hold anything that has a JSON form, and [time.Time].
type Claims map[string]any

// String returns the claim name if it is a string.
func (c Claims) String(name string) (string, bool) {
	s, ok := c[name].(string)
	return s, ok
}

// Time returns the claim name if it is a NumericDate (RFC 7519 §2) from the
// years 1970 to 9999, in UTC and rounded to microseconds.
func (c Claims) Time(name string) (time.Time, bool) {
	seconds, ok := c[name].(float64)
	if !ok || !(seconds >= 0 && seconds <= maxTime) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1e3).UTC(), true
}

// Strings returns the claim name if it is a string or an array of strings. An
// empty array is one of strings.
func (c Claims) Strings(name string) ([]string, bool) {
	switch v := c[name].(type) {
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

// parseObject reads a JSON object strictly: no duplicate names at any level, no
// invalid UTF-8, nothing after it, and no deep nesting.
func parseObject(text []byte) (Claims, bool) {
	if tooDeep(text) {
		return nil, false
	}
	var c Claims
	if err := json.Unmarshal(text, &c); err != nil || c == nil {
		return nil, false
	}
	return c, true
}

// tooDeep reports whether text nests arrays and objects beyond maxDepth. It is
// run before the parser and errs only on text that is not JSON.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			if depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Raw makes a claim of a value that is JSON text already. [Sign] refuses text that is not JSON.
func Raw(text string) any { return jsontext.Value(text) }

// RawFields is [Raw] of an object with only the named members. What is not an object stays as it is.
func RawFields(text string, names ...string) any {
	var all map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return Raw(text)
	}
	kept := make(map[string]jsontext.Value, len(names))
	for _, name := range names {
		if v, ok := all[name]; ok {
			kept[name] = v
		}
	}
	return kept
}
