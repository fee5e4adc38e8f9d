package seed

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A field is one key that a mapping may have, and what reads its value.
type field struct {
	key      string
	required bool
	read     func(*yaml.Node)
}

func need(key string, read func(*yaml.Node)) field { return field{key, true, read} }
func may(key string, read func(*yaml.Node)) field  { return field{key, false, read} }

// object reads a mapping. The fields are read in the order given here, not in
// that of the file, so that a field can rely on what an earlier one found. It
// returns the keys that were there.
func (r *reader) object(n *yaml.Node, what string, fields ...field) map[string]*yaml.Node {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	allowed := strings.Join(keys, ", ")
	if n.Kind != yaml.MappingNode {
		r.fail(n.Line, "%s: found %s; allowed: a mapping with the keys %s", what, kindOf(n), allowed)
		return nil
	}
	given := make(map[string]*yaml.Node, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		first, twice := lines[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(keys, key.Value):
			r.fail(key.Line, "%s: found %s; allowed: %s", what, keyName(key, value), allowed)
		case twice:
			r.fail(key.Line, "%s: found the key %s again; it is on line %d already", what, key.Value, first)
		default:
			given[key.Value], lines[key.Value] = value, key.Line
		}
	}
	for _, f := range fields {
		if value := given[f.key]; value != nil {
			f.read(value)
		} else if f.required {
			r.fail(n.Line, "%s: found no %s; it is needed", what, f.key)
		}
	}
	return given
}

// keyName names a key that is not allowed. One without a value is not repeated:
// in {Pa55word!} the secret stands where a key should.
func keyName(key, value *yaml.Node) string {
	switch {
	case key.Kind != yaml.ScalarNode:
		return kindOf(key) + " as a key"
	case value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null":
		return "a key without a value"
	}
	return "the key " + quote(key.Value)
}

// list reads a list into dst.
func list[T any](r *reader, what string, dst *[]T, read func(*yaml.Node) T) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.fail(n.Line, "%s: found %s; allowed: a list", what, kindOf(n))
			return
		}
		for _, c := range n.Content {
			*dst = append(*dst, read(c))
		}
	}
}

// texts reads a list of texts.
func texts(r *reader, what string, dst *[]string) func(*yaml.Node) {
	return list(r, what, dst, func(n *yaml.Node) (s string) {
		text(r, what, &s)(n)
		return s
	})
}

// scalar returns the value of n when it is text.
func (r *reader) scalar(n *yaml.Node, what, allowed string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		r.fail(n.Line, "%s: found %s; allowed: %s", what, kindOf(n), allowed)
		return "", false
	}
	return n.Value, true
}

// text reads text that shows something. It never repeats what it found, so it does for secrets too.
func text[T ~string](r *reader, what string, dst *T) func(*yaml.Node) {
	return func(n *yaml.Node) {
		s, ok := r.scalar(n, what, "text, in quotes where it could be taken for something else")
		switch {
		case !ok:
		case strings.TrimSpace(s) == "":
			r.fail(n.Line, "%s: found empty text; leave the key out or give it a value", what)
		case strings.ContainsFunc(s, unicode.IsControl):
			r.fail(n.Line, "%s: found a control character; allowed: text on one line", what)
		default:
			*dst = T(s)
		}
	}
}

// match reads text of the form re.
func match[T ~string](r *reader, what string, dst *T, re, allowed string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		s, ok := r.scalar(n, what, allowed)
		switch {
		case !ok:
		case !regexp.MustCompile(re).MatchString(s):
			r.fail(n.Line, "%s: found %s; allowed: %s", what, quote(s), allowed)
		default:
			*dst = T(s)
		}
	}
}

// choice reads one of a few words.
func choice[T ~string](r *reader, what string, dst *T, words ...T) func(*yaml.Node) {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	allowed := strings.Join(all, ", ")
	return func(n *yaml.Node) {
		s, ok := r.scalar(n, what, allowed)
		switch {
		case !ok:
		case !slices.Contains(words, T(s)):
			r.fail(n.Line, "%s: found %s; allowed: %s", what, quote(s), allowed)
		default:
			*dst = T(s)
		}
	}
}

// flag reads true or false. YAML 1.1's yes and on are text here.
func (r *reader) flag(what string, dst *bool) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			r.fail(n.Line, "%s: found %s; allowed: true, false", what, kindOf(n))
			return
		}
		*dst = strings.EqualFold(n.Value, "true")
	}
}

// count reads a whole number from least to most.
func (r *reader) count(what string, dst *int, least, most int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		allowed := fmt.Sprintf("%d to %d", least, most)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
			r.fail(n.Line, "%s: found %s; allowed: a number, %s", what, kindOf(n), allowed)
			return
		}
		i, err := strconv.Atoi(n.Value)
		if err != nil || i < least || i > most {
			r.fail(n.Line, "%s: found %s; allowed: %s", what, quote(n.Value), allowed)
			return
		}
		*dst = i
	}
}

// maxDuration, about a century, keeps every sum of a time and a duration far from overflow.
const maxDuration = 36500 * day

const day = 24 * time.Hour

// span reads a duration of at least least.
func (r *reader) span(what string, dst *time.Duration, least time.Duration) func(*yaml.Node) {
	return func(n *yaml.Node) {
		allowed := "a duration such as 90s, 30m, 12h or 14d"
		s, ok := r.scalar(n, what, allowed)
		if !ok {
			return
		}
		d, err := parseDuration(s)
		switch {
		case err != nil:
			r.fail(n.Line, "%s: found %s; allowed: %s", what, quote(s), allowed)
		case d < least || d > maxDuration:
			r.fail(n.Line, "%s: found %s; allowed: %s to 36500d", what, quote(s), short(least))
		default:
			*dst = d
		}
	}
}

// short writes whole hours, minutes or seconds.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// parseDuration is time.ParseDuration, with whole days of 24 hours in front: 14d, 1d12h.
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	if !('0' <= rest[0] && rest[0] <= '9') {
		return 0, strconv.ErrSyntax
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	return d + min(more, maxDuration), nil
}

// uri reads an absolute URI without a fragment, of one of the schemes if any
// are given. It does not repeat what it found, for some carry a token.
func (r *reader) uri(what string, dst *string, schemes ...string) func(*yaml.Node) {
	allowed := "an absolute URI without a fragment"
	if len(schemes) > 0 {
		allowed += " that starts with " + strings.Join(schemes, ": or ") + ":"
	}
	return func(n *yaml.Node) {
		s, ok := r.scalar(n, what, allowed)
		if !ok {
			return
		}
		u, err := url.Parse(s)
		if err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" && u.Path == "" || strings.Contains(s, "#") ||
			len(schemes) > 0 && (!slices.Contains(schemes, u.Scheme) || u.Host == "") {
			r.fail(n.Line, "%s: found text of another form; allowed: %s", what, allowed)
			return
		}
		*dst = s
	}
}

// uris reads a list of URIs.
func (r *reader) uris(what string, dst *[]string) func(*yaml.Node) {
	return list(r, what, dst, func(n *yaml.Node) (s string) {
		r.uri(what, &s)(n)
		return s
	})
}

// kindOf says what n is without repeating it.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return "something else"
}

// quote shows a value that is no secret, shortened.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return strconv.Quote(string([]rune(s)[:most])) + " and more"
	}
	return strconv.Quote(s)
}
