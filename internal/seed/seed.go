// Package seed reads the seed file: the YAML that describes the starting state
// of an empty store.
//
// It owns the form of that file and nothing else. It turns text into an
// auth.Setup, or into a list of what is wrong with the text, line by line. It
// opens no file, hashes no password and writes no row; what only the rules can
// tell, such as whether a password is good enough, is for auth to say when the
// Setup is applied.
//
// The reading is strict, since a setting that is silently ignored is worse in
// an authentication server than one that is refused: an unknown key, a key
// given twice, a value of another type, an anchor, an alias, a tag and a second
// document are errors. Text that YAML would take for a number or a date needs
// quotes. No error repeats a secret.
package seed

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

//go:embed demo.yaml
var demo string

// Demo returns the seed file of the built-in demonstration: one sandbox tenant
// with a user for each thing that can happen at a login. The caller owns the bytes.
func Demo() []byte { return []byte(demo) }

// maxProblems is how many problems are told apart; more do not help anybody.
const maxProblems = 20

// Parse reads the seed file data. The error joins one error for each problem,
// each of the form "name:LINE: what was found and what is allowed", in the
// order of the lines, up to twenty.
//
// The digest of the Setup is the SHA-256 of data, in hexadecimal. It is taken
// over the bytes rather than their meaning, so that a later version, which
// understands more, still knows a file that was applied by an earlier one.
func Parse(name string, data []byte) (auth.Setup, error) {
	r := &reader{once: make(map[string]int)}
	var setup auth.Setup
	if root := r.document(data); root != nil {
		setup = r.setup(root)
	}
	if err := r.err(name); err != nil {
		return auth.Setup{}, err
	}
	sum := sha256.Sum256(data)
	setup.Digest = hex.EncodeToString(sum[:])
	return setup, nil
}

// reader collects what is wrong with a file.
type reader struct {
	problems []problem
	once     map[string]int // line of each value that must not occur twice, by what it is
}

type problem struct {
	line int
	text string
}

func (r *reader) fail(line int, format string, args ...any) {
	r.problems = append(r.problems, problem{max(line, 1), fmt.Sprintf(format, args...)})
}

// unique notes a value that may occur only once, and fails on its second
// occurrence. kind and value together say what it is; shown is how the error names it.
func (r *reader) unique(n *yaml.Node, kind, value, shown string) {
	key := kind + "\x00" + value
	if first, ok := r.once[key]; ok {
		r.fail(n.Line, "found %s again; it is on line %d already", shown, first)
		return
	}
	r.once[key] = n.Line
}

// err joins the problems in the order of their lines.
func (r *reader) err(name string) error {
	slices.SortStableFunc(r.problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for i, p := range r.problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s:%d: and %d more from here on", name, p.line, len(r.problems)-i))
			break
		}
		errs = append(errs, fmt.Errorf("%s:%d: %s", name, p.line, p.text))
	}
	return errors.Join(errs...)
}

// document returns the one document of data, or nil when it is not plain YAML.
func (r *reader) document(data []byte) *yaml.Node {
	if line, what := unreadable(data); what != "" {
		r.fail(line, "found %s; allowed: UTF-8 text", what)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.fail(1, "found nothing; allowed: a mapping with the key tenants")
		return nil
	case err != nil:
		r.syntax(data, err)
		return nil
	}
	r.plain(&doc)
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		r.fail(second.Line, "found a second document; allowed: one")
	case !errors.Is(err, io.EOF):
		r.syntax(data, err)
	}
	if len(r.problems) > 0 || len(doc.Content) != 1 {
		return nil
	}
	return doc.Content[0]
}

// unreadable returns the line and name of the first thing in data that no YAML
// text holds. The scanner would find it too, but not say where.
func unreadable(data []byte) (line int, what string) {
	line = 1
	text := bytes.TrimPrefix(data, []byte("\uFEFF"))
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && size == 1:
			return line, "bytes that are not UTF-8"
		case c == '\n':
			line++
		case c == '\uFEFF', c == '\uFFFE', c == '\uFFFF', c == 0x7f, c < 0x20 && c != '\t' && c != '\r', 0x80 <= c && c < 0xa0 && c != 0x85:
			return line, fmt.Sprintf("the character %U", c)
		}
		text = text[size:]
	}
	return 0, ""
}

// lineFromZero matches the errors of the YAML parser proper, which counts lines from zero where the scanner below it counts from one.
const lineFromZero = `^did not find expected (<.*>|node content|key|'-' indicator|',' or '[\]}]')|^found (duplicate|incompatible|undefined)`

// syntax reports an error of the YAML scanner. Its text is not passed on where it quotes the file.
func (r *reader) syntax(data []byte, err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^unknown anchor '(.*)' referenced$`).FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		r.fail(1+bytes.Count(before, []byte("\n")), "found an alias; allowed: plain values, and text that starts with * in quotes")
		return
	}
	line := 1
	if m := regexp.MustCompile(`^line (\d+): (.*)$`).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
		if regexp.MustCompile(lineFromZero).MatchString(text) {
			line++
		}
	}
	r.fail(line, "found no valid YAML: %s", text)
}

// plain refuses what makes a file mean more than it shows. What it lets through is a tree.
func (r *reader) plain(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fail(n.Line, "found an alias; allowed: plain values, and text that starts with * in quotes")
	case n.Anchor != "":
		r.fail(n.Line, "found an anchor; allowed: plain values, and text that starts with & in quotes")
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n.Line, "found a tag; allowed: plain values, and text that starts with ! in quotes")
	}
	for _, c := range n.Content {
		r.plain(c)
	}
}

// ParseSettings reads the settings of one tenant, as they stand below `settings` in a seed file, over those it has. The error is as Parse's.
func ParseSettings(name string, data []byte, over auth.Settings) (auth.Settings, error) {
	r := &reader{once: make(map[string]int)}
	if root := r.document(data); root != nil {
		r.settings(root, &over)
	}
	return over, r.err(name)
}
