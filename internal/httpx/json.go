package httpx

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deeply arrays and objects of a body may nest.
const maxDepth = 16

// DecodeJSON decodes a body into dst. It is strict wherever two readers of one
// text could come to see different things (RFC 8259 §4, §8, §9; RFC 7493 §2):
// it takes exactly one value in UTF-8 without a byte order mark, no lone
// surrogates, no NUL in names or strings, no number beyond a float64, no member
// twice, no two members that differ in case alone, and at most 16 levels.
//
// Member names are matched by case. Members that dst does not know are
// ignored, and null leaves the zero value, as if the member were absent.
// It returns [*Invalid].
func DecodeJSON(body []byte, dst any) error {
	if _, err := parseJSON(body); err != nil {
		return err
	}
	return fill(body, dst)
}

// fill decodes a body that parseJSON has accepted.
func fill(body []byte, dst any) error {
	err := json.Unmarshal(body, dst)
	if err == nil {
		return nil
	}
	e := invalid(http.StatusBadRequest, "the body does not have the expected form")
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		var path []string
		for name := range semantic.JSONPointer.Tokens() {
			path = append(path, name)
		}
		e.Fields = []Field{wrongType("body", tame(path), "")}
	}
	return e
}

// tame returns a dotted path, without names that look like more than that.
func tame(path []string) string {
	for i, name := range path {
		if len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool {
			return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '-'
		}) {
			path[i] = "*"
		}
	}
	return strings.Join(path, ".")
}

// A document is a parsed body: nil, bool, float64, string, []any and
// map[string]any, as kin-openapi wants them.
type document struct {
	value any
	nulls bool // whether there is a null in it
}

func parseJSON(body []byte) (document, error) {
	p := parser{dec: jsontext.NewDecoder(bytes.NewBuffer(body))}
	v, err := p.value(0)
	if err == nil {
		if _, end := p.dec.ReadToken(); end != io.EOF {
			err = invalid(http.StatusBadRequest, "there is more after the JSON value of the body")
		}
	}
	if err != nil {
		return document{}, err
	}
	return document{value: v, nulls: p.nulls}, nil
}

type parser struct {
	dec   *jsontext.Decoder
	nulls bool
}

func (p *parser) value(depth int) (any, error) {
	tok, err := p.token()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case 'n':
		p.nulls = true
		return nil, nil
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		return text(tok)
	case '0':
		f, err := tok.Float()
		if err != nil {
			return nil, invalid(http.StatusBadRequest, "the body holds a number that is out of range")
		}
		return f, nil
	}
	if depth == maxDepth {
		return nil, invalid(http.StatusBadRequest, "the body is nested too deeply")
	}
	if tok.Kind() == '[' {
		return p.array(depth + 1)
	}
	return p.object(depth + 1)
}

func (p *parser) array(depth int) (any, error) {
	a := []any{}
	for p.dec.PeekKind() != ']' {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := p.token()
	return a, err
}

func (p *parser) object(depth int) (any, error) {
	o := make(map[string]any)
	var names nameSet
	for p.dec.PeekKind() != '}' {
		tok, err := p.token()
		if err != nil {
			return nil, err
		}
		name, err := text(tok)
		if err != nil {
			return nil, err
		}
		if !names.add(name) {
			return nil, invalid(http.StatusBadRequest, "the body has members whose names differ in case alone")
		}
		if o[name], err = p.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := p.token()
	return o, err
}

func (p *parser) token() (jsontext.Token, error) {
	tok, err := p.dec.ReadToken()
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return tok, invalid(http.StatusBadRequest, "the body has a member twice")
	}
	// The decoder's own words quote the body.
	return tok, invalid(http.StatusBadRequest, "the body is not valid JSON in UTF-8")
}

func text(tok jsontext.Token) (string, error) {
	s := tok.String()
	if strings.IndexByte(s, 0) >= 0 {
		return "", invalid(http.StatusBadRequest, "the body holds a NUL character")
	}
	return s, nil
}

// A nameSet holds the names of one object's members, of which no two may be
// equal under Unicode case folding. Few are compared, many are hashed.
type nameSet struct {
	few  []string
	many map[string]struct{}
}

func (s *nameSet) add(name string) bool {
	const fewest = 8
	if s.many == nil && len(s.few) < fewest {
		for _, n := range s.few {
			if strings.EqualFold(n, name) {
				return false
			}
		}
		s.few = append(s.few, name)
		return true
	}
	if s.many == nil {
		s.many = make(map[string]struct{}, 2*fewest)
		for _, n := range s.few {
			s.many[strings.Map(fold, n)] = struct{}{}
		}
	}
	folded := strings.Map(fold, name)
	_, seen := s.many[folded]
	s.many[folded] = struct{}{}
	return !seen
}

// fold returns the least of the runes that strings.EqualFold takes for r.
func fold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
