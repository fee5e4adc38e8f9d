package apitest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

var errNoAnswer = errors.New("there is no answer yet")

func (s *script) status(_ bool, args []string) error {
	if s.last == nil {
		return errNoAnswer
	}
	if err := arity(args, 1, 1); err != nil {
		return err
	}
	if strconv.Itoa(s.last.status) != args[0] {
		return fmt.Errorf("is %d, want %s\n%s", s.last.status, args[0], s.last.body)
	}
	return nil
}

func (s *script) header(denied bool, args []string) error {
	if s.last == nil {
		return errNoAnswer
	}
	if err := arity(args, 1, 2); err != nil {
		return err
	}
	values := s.last.header.Values(args[0])
	switch {
	case denied && len(values) > 0:
		return fmt.Errorf("is %q", values)
	case denied:
		return nil
	case len(values) == 0:
		return fmt.Errorf("%s is not there", args[0])
	case len(args) == 2:
		return match(args[0], args[1], strings.Join(values, ", "))
	}
	return nil
}

func (s *script) body(_ bool, args []string) error {
	if s.last == nil {
		return errNoAnswer
	}
	if err := arity(args, 1, 1); err != nil {
		return err
	}
	return match("the body", args[0], string(s.last.body))
}

// at follows a dotted path into a JSON value.
func at(v any, path string) (any, bool) {
	if path == "." {
		return v, true
	}
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			if name == "len" {
				v = json.Number(strconv.Itoa(len(in)))
				continue
			}
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// shown is how a script writes a value: a string as it is, anything else as JSON with its members in order.
func shown(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// answer returns what the last answer has at a path.
func (s *script) answer(path string) (any, bool, error) {
	if s.last == nil {
		return nil, false, errNoAnswer
	}
	v, err := parse(s.last.body)
	if err != nil {
		return nil, false, fmt.Errorf("the answer is no JSON: %q", s.last.body)
	}
	got, ok := at(v, path)
	return got, ok, nil
}

// expectAt compares what is at a path with the rest of a command.
func expectAt(denied bool, got any, ok bool, args []string) error {
	switch {
	case denied && len(args) == 1 && ok:
		return fmt.Errorf("%s is %s", args[0], shown(got))
	case denied && len(args) == 1:
		return nil
	case !ok:
		return fmt.Errorf("%s is not there", args[0])
	case len(args) == 1:
		return nil
	}
	want := args[1]
	if _, text := got.(string); !text {
		v, err := parse([]byte(want))
		if err != nil {
			return fmt.Errorf("%s is %s, want %s", args[0], shown(got), want)
		}
		want = shown(v)
	}
	if (shown(got) == want) == denied {
		return fmt.Errorf("%s is %s, want %s", args[0], shown(got), want)
	}
	return nil
}

func (s *script) json(denied bool, args []string) error {
	if err := arity(args, 1, 2); err != nil {
		return err
	}
	got, ok, err := s.answer(args[0])
	if err != nil {
		return err
	}
	return expectAt(denied, got, ok, args)
}

func (s *script) jsonLike(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	got, ok, err := s.answer(args[0])
	if err != nil || !ok {
		return errors.Join(err, expectAt(false, got, ok, args[:1]))
	}
	return match(args[0], args[1], shown(got))
}

func (s *script) save(_ bool, args []string) error {
	if err := arity(args, 1, 2); err != nil {
		return err
	}
	if len(args) == 1 && s.last != nil {
		s.ts.Setenv(args[0], strings.TrimSpace(string(s.last.body)))
		return nil
	}
	got, ok, err := s.answer(args[len(args)-1])
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s is not there", args[1])
	}
	s.ts.Setenv(args[0], shown(got))
	return nil
}

// find saves what a pattern finds in the headers or the body of the last answer: what only a page or a redirect holds.
func (s *script) find(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	if s.last == nil {
		return errNoAnswer
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	var text strings.Builder
	for name, values := range s.last.header {
		for _, v := range values {
			text.WriteString(name + ": " + v + "\n")
		}
	}
	text.Write(s.last.body)
	m := pattern.FindStringSubmatch(text.String())
	if len(m) != 2 {
		return fmt.Errorf("%s is not there", args[1])
	}
	s.ts.Setenv(args[0], m[1])
	s.secrets.add(m[1], fromPage)
	return nil
}

func (s *script) keep(_ bool, args []string) error {
	if s.last == nil {
		return errNoAnswer
	}
	if err := arity(args, 1, 1); err != nil {
		return err
	}
	s.kept[args[0]] = s.last
	return nil
}

// same compares two answers as somebody would who wants to tell them apart.
func (s *script) same(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	a, b := s.kept[args[0]], s.kept[args[1]]
	if a == nil || b == nil {
		return errors.New("no answer is kept under that name")
	}
	if diff := cmp.Diff(comparable(a), comparable(b)); diff != "" {
		return fmt.Errorf("they differ (-%s +%s):\n%s", args[0], args[1], diff)
	}
	return nil
}

type comparison struct {
	Status int
	Header map[string][]string
	Body   string
}

func comparable(r *reply) comparison {
	h := maps.Clone(map[string][]string(r.header))
	for _, name := range []string{"Request-Ref", "Date"} {
		delete(h, name)
	}
	for _, name := range []string{"Retry-After", "X-Ratelimit-Reset"} {
		if h[name] != nil {
			h[name] = []string{"seconds"} // they follow the clock
		}
	}
	return comparison{r.status, h, string(r.body)}
}

func (s *script) equal(denied bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	if (args[0] == args[1]) == denied {
		return fmt.Errorf("%q and %q", args[0], args[1])
	}
	return nil
}

// claim looks into a JWT without checking it.
func (s *script) claim(denied bool, args []string) error {
	part := 1
	if len(args) > 0 && args[0] == "-header" {
		part, args = 0, args[1:]
	}
	if err := arity(args, 2, 3); err != nil {
		return err
	}
	parts := strings.Split(s.ts.Getenv(args[0]), ".")
	if len(parts) != 3 {
		return fmt.Errorf("%s is no JWT", args[0])
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		return err
	}
	v, err := parse(raw)
	if err != nil {
		return err
	}
	got, ok := at(v, args[1])
	return expectAt(denied, got, ok, args[1:])
}

// verify checks a JWT as a stranger would: by discovery, the key set and the kid.
func (s *script) verify(_ bool, args []string) error {
	if err := errors.Join(arity(args, 1, 1), s.need()); err != nil {
		return err
	}
	discovery, err := s.wire.send(request{method: "GET", path: "/cis/oidc/.well-known/openid-configuration"})
	if err != nil {
		return err
	}
	var config struct{ Issuer string }
	if err := json.Unmarshal(discovery.body, &config); err != nil {
		return err
	}
	served, err := s.wire.send(request{method: "GET", path: "/cis/oidc/jwks"})
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(served.body, &keys); err != nil {
		return err
	}
	token, err := jose.ParseSignedCompact(s.ts.Getenv(args[0]), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return err
	}
	named := keys.Key(token.Signatures[0].Header.KeyID)
	if len(named) != 1 {
		return fmt.Errorf("%d keys are called %q", len(named), token.Signatures[0].Header.KeyID)
	}
	if named[0].Algorithm != token.Signatures[0].Header.Algorithm {
		return fmt.Errorf("the key is for %s, the token says %s", named[0].Algorithm, token.Signatures[0].Header.Algorithm)
	}
	payload, err := token.Verify(named[0])
	if err != nil {
		return err
	}
	var claims struct{ Iss string }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Iss != config.Issuer || claims.Iss == "" {
		return fmt.Errorf("the issuer is %q, discovery says %q: %v", claims.Iss, config.Issuer, err)
	}
	return nil
}
