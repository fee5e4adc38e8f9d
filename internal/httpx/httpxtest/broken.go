package httpxtest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Broken is a body that breaks one constraint of its schema.
type Broken struct {
	Name  string // says what was done
	Body  string
	Field string // dotted, as httpx.Field has it
	Code  string // of the table in httpx
}

// BrokenBodies takes the valid example of a request's schema and returns a body for each constraint of each field, optional and nested
// ones too.
func BrokenBodies(t testing.TB, schema *openapi3.SchemaRef) []Broken {
	t.Helper()
	if schema.Value.Example == nil {
		t.Fatal("the request has no example")
	}
	b := breaker{t: t, root: schema.Value, example: schema.Value.Example}
	b.object(schema.Value, nil)
	return b.out
}

type breaker struct {
	t       testing.TB
	root    *openapi3.Schema
	example any
	out     []Broken
}

// object breaks what a schema says of its members, and goes on below.
func (b *breaker) object(s *openapi3.Schema, path []string) {
	for _, name := range s.Required {
		at := append(slices.Clone(path), name)
		b.add("without", at, missing{}, "REQUIRED")
		b.add("null", at, nil, "REQUIRED")
	}
	for name, ref := range s.Properties {
		b.field(ref.Value, append(slices.Clone(path), name))
	}
}

// missing stands for a member that is not there.
type missing struct{}

func (b *breaker) field(s *openapi3.Schema, path []string) {
	switch {
	case s.Type.Is("object"):
		b.add("a text for an object", path, "x", "REGEX")
		b.object(s, path)
	case s.Type.Is("array"):
		b.add("a text for an array", path, "x", "REGEX")
		if s.MaxItems != nil {
			b.add("too many items", path, slices.Repeat([]any{valid(s.Items.Value)}, int(*s.MaxItems)+1), "SIZE")
		}
		for _, broken := range brokenValues(s.Items.Value) {
			b.add(broken.name+" as an item", path, []any{broken.value}, broken.code, "0")
		}
	default:
		for _, broken := range brokenValues(s) {
			b.add(broken.name, path, broken.value, broken.code)
		}
	}
}

type brokenValue struct {
	name  string
	value any
	code  string
}

// brokenValues are values that break one constraint of a plain type each.
func brokenValues(s *openapi3.Schema) []brokenValue {
	if len(s.OneOf) > 0 {
		return []brokenValue{{"neither of the forms", "!", "REGEX"}, {"a list for either of them", []any{}, "REGEX"}}
	}
	if !s.Type.Is("string") {
		all := []brokenValue{{"a text for " + s.Type.Slice()[0], "x", "REGEX"}, {"a list for " + s.Type.Slice()[0], []any{}, "REGEX"}}
		if s.Min != nil {
			all = append(all, brokenValue{"too small", *s.Min - 1, "RANGE"})
		}
		if s.Max != nil {
			all = append(all, brokenValue{"too large", *s.Max + 1, "RANGE"})
		}
		return all
	}
	wrongType := "REGEX"
	if len(s.Enum) > 0 {
		wrongType = "IN" // says more
	}
	all := []brokenValue{{"a number for a text", 7, wrongType}, {"an object for a text", map[string]any{}, wrongType}}
	if s.MinLength > 0 {
		all = append(all, brokenValue{"empty", "", "HAS_TEXT"})
	}
	if s.MaxLength != nil {
		all = append(all, brokenValue{"too long", longer(s), "SIZE"})
	}
	if len(s.Enum) > 0 {
		all = append(all, brokenValue{"none of the values", "nonsense", "IN"})
	}
	if s.Pattern != "" {
		all = append(all, brokenValue{"not of the pattern", "!", "REGEX"})
	}
	if s.Format == "email" {
		all = append(all, brokenValue{"no address", "nonsense", "REGEX"})
	}
	return all
}

// longer is a text of the right form but for its length.
func longer(s *openapi3.Schema) string { return strings.Repeat("1", int(*s.MaxLength)+1) }

// valid makes the least value that a schema takes.
func valid(s *openapi3.Schema) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type.Is("object"):
		v := map[string]any{}
		for _, name := range s.Required {
			v[name] = valid(s.Properties[name].Value)
		}
		return v
	case s.Type.Is("array"):
		return []any{}
	case s.Type.Is("boolean"):
		return true
	case s.Format == "email":
		return "a@example.com"
	}
	return "1"
}

// add puts a value at a path of the example, making the objects on the way.
func (b *breaker) add(name string, path []string, value any, code string, below ...string) {
	b.t.Helper()
	body := b.copy()
	at, s := body, b.root
	for _, step := range path[:len(path)-1] {
		s = s.Properties[step].Value
		next, ok := at[step].(map[string]any)
		if !ok {
			next = valid(s).(map[string]any)
			at[step] = next
		}
		at = next
	}
	last := path[len(path)-1]
	if _, gone := value.(missing); gone {
		delete(at, last)
	} else {
		at[last] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	field := strings.Join(append(slices.Clone(path), below...), ".")
	b.out = append(b.out, Broken{field + " " + name, string(text), field, code})
}

func (b *breaker) copy() map[string]any {
	text, err := json.Marshal(b.example)
	if err != nil {
		b.t.Fatal(err)
	}
	body := map[string]any{}
	if err := json.Unmarshal(text, &body); err != nil {
		b.t.Fatal(err)
	}
	return body
}

// BrokenParam is a value of a path or query parameter that breaks one constraint.
type BrokenParam struct {
	In, Field, Value, Code string
}

// BrokenParams returns a value for each constraint of each parameter of an operation.
func BrokenParams(params openapi3.Parameters) []BrokenParam {
	var all []BrokenParam
	for _, ref := range params {
		p, s := ref.Value, ref.Value.Schema.Value
		add := func(value, code string) { all = append(all, BrokenParam{p.In, p.Name, value, code}) }
		if s.Type.Is("integer") {
			add("x", "REGEX")
			add("1.5", "REGEX")
			if s.Min != nil {
				add(strconv.Itoa(int(*s.Min)-1), "RANGE")
			}
			if s.Max != nil {
				add(strconv.Itoa(int(*s.Max)+1), "RANGE")
			}
			continue
		}
		if s.MaxLength != nil {
			add(longer(s), "SIZE")
		}
	}
	return all
}
