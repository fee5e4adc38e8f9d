package httpx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What a constraint of the document becomes in a [Field]. The codes are the
// finest set that any dialect's contract draws, and the parameters are those
// of the constraint. This table is the one place where they are chosen.
//
//	constraint                             Code         Params
//	required; null where it must not be    REQUIRED
//	minLength, on empty text               HAS_TEXT
//	minLength, maxLength                   SIZE         min, max ("" if there is no max)
//	minItems, maxItems                     SIZE         min, max ("" if there is no max)
//	minimum, maximum, also exclusive       RANGE        min, max ("" if there is none)
//	range of an integer format             RANGE        min, max
//	enum                                   IN           the values
//	pattern                                REGEX        the pattern
//	format                                 REGEX        the name of the format
//	type                                   REGEX        the name of the type
//	multipleOf                             REGEX        the number
//	minProperties                          AT_LEAST     number
//	maxProperties                          AT_MOST      number
//	uniqueItems                            AT_MOST      1 (each item)
//	oneOf, where several match             EXACTLY      1
//	oneOf, anyOf, where none matches       those of the alternative that is closest
//	not                                    NOT_IN       the values of its enum
//	additionalProperties: false            NOT_IN
//	discriminator, absent or unknown       REQUIRED, IN its values
//	a parameter given twice                EXACTLY      1
//
// The contract's enumeration has no code for a wrong type. REGEX says what is
// true of it, that the form is wrong, and its parameter names the right one.
// REQUIRES and ALL_OR_NONE are rules between members, which OpenAPI 3.0 cannot
// state; handlers raise them.
func (c *checker) leaf(e *openapi3.SchemaError, path []string) violation {
	s := e.Schema
	if e.SchemaField == "discriminator" {
		path = append(slices.Clone(path), s.Discriminator.PropertyName)
	}
	f, places := c.field(path)
	switch e.SchemaField {
	case "required", "nullable":
		f = required(f.In, f.Name)
	case "minLength", "maxLength":
		if text, _ := e.Value.(string); text == "" {
			f.Code, f.Detail = "HAS_TEXT", f.Detail+" must not be empty"
			break
		}
		f.size("characters", s.MinLength, s.MaxLength)
	case "minItems", "maxItems":
		f.size("items", s.MinItems, s.MaxItems)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		f.bounds(bound(s.Min), bound(s.Max))
	case "enum":
		f.oneOf(s.Enum)
	case "pattern":
		f.Code, f.Params, f.Detail = "REGEX", []string{s.Pattern}, f.Detail+" does not have the required form"
	case "format":
		f.format(s)
	case "multipleOf":
		f.Code, f.Params, f.Detail = "REGEX", []string{number(*s.MultipleOf)}, f.Detail+" must be a multiple of "+number(*s.MultipleOf)
	case "minProperties":
		n := strconv.FormatUint(s.MinProps, 10)
		f.Code, f.Params, f.Detail = "AT_LEAST", []string{n}, f.Detail+" must have at least "+n+" members"
	case "maxProperties":
		n := bound(s.MaxProps)
		f.Code, f.Params, f.Detail = "AT_MOST", []string{n}, f.Detail+" must have at most "+n+" members"
	case "uniqueItems":
		f.Code, f.Params, f.Detail = "AT_MOST", []string{"1"}, f.Detail+" must not hold an item twice"
	case "oneOf":
		f.Code, f.Params, f.Detail = "EXACTLY", []string{"1"}, f.Detail+" must match exactly one alternative"
	case "not":
		f.Code, f.Detail = "NOT_IN", f.Detail+" is not allowed"
		f.Params = values(s.Not.Value.Enum)
	case "properties":
		f.Code, f.Detail = "NOT_IN", f.Detail+" has an unknown member"
	case "discriminator":
		f.discriminator(e)
	default:
		f = wrongType(f.In, f.Name, strings.Join(s.Type.Slice(), "|"))
	}
	return violation{f, places}
}

func required(in, name string) Field {
	return Field{In: in, Name: name, Code: "REQUIRED", Detail: subject(in, name) + " is required"}
}

// wrongType is the field for a value of the wrong type; want may be unknown.
func wrongType(in, name, want string) Field {
	f := Field{In: in, Name: name, Code: "REGEX", Detail: subject(in, name) + " has the wrong type"}
	if want != "" {
		f.Params = []string{want}
		f.Detail = subject(in, name) + " must be of type " + want
	}
	return f
}

// subject is how a sentence names a field.
func subject(in, name string) string {
	if name == "" {
		return "the " + in
	}
	return name
}

func (f *Field) size(what string, least uint64, most *uint64) {
	lo, hi := strconv.FormatUint(least, 10), bound(most)
	f.Code, f.Params = "SIZE", []string{lo, hi}
	switch {
	case hi == "":
		f.Detail += fmt.Sprintf(" must have at least %s %s", lo, what)
	case least == 0:
		f.Detail += fmt.Sprintf(" must have at most %s %s", hi, what)
	default:
		f.Detail += fmt.Sprintf(" must have %s to %s %s", lo, hi, what)
	}
}

func (f *Field) bounds(lo, hi string) {
	f.Code, f.Params = "RANGE", []string{lo, hi}
	switch {
	case hi == "":
		f.Detail += " is less than the minimum of " + lo
	case lo == "":
		f.Detail += " is more than the maximum of " + hi
	default:
		f.Detail += " must be between " + lo + " and " + hi
	}
}

func (f *Field) oneOf(enum []any) {
	f.Code, f.Params = "IN", values(enum)
	f.Detail += " must be one of " + strings.Join(f.Params, ", ")
}

func (f *Field) format(s *openapi3.Schema) {
	switch s.Format {
	case "int32":
		f.bounds("-2147483648", "2147483647")
	case "int64":
		f.bounds("-9223372036854775808", "9223372036854775807")
	default:
		f.Code, f.Params, f.Detail = "REGEX", []string{s.Format}, f.Detail+" must be of the form "+s.Format
	}
}

func (f *Field) discriminator(e *openapi3.SchemaError) {
	if e.Value == nil {
		*f = required(f.In, f.Name)
		return
	}
	var known []any
	for name := range e.Schema.Discriminator.Mapping {
		known = append(known, name)
	}
	slices.SortFunc(known, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	f.oneOf(known)
}

func bound[T uint64 | float64](n *T) string {
	if n == nil {
		return ""
	}
	return number(float64(*n))
}

func values(enum []any) []string {
	var out []string
	for _, v := range enum {
		switch v := v.(type) {
		case nil:
		case float64:
			out = append(out, number(v))
		default:
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}

// A checker checks one value of a request: the body or a parameter.
type checker struct {
	in, name string // what Field.In and Field.Name begin with
	root     *openapi3.Schema
	options  []openapi3.SchemaValidationOption
}

// A violation is a field and where the document declares it.
type violation struct {
	Field
	places []place
}

// check returns what is wrong with a value, in the order of the document.
func (c *checker) check(value any) []Field {
	err := c.root.VisitJSON(value, c.options...)
	if err == nil {
		return nil
	}
	all := c.walk(err, nil, 0)
	slices.SortStableFunc(all, func(a, b violation) int { return comparePlaces(a.places, b.places) })
	var fields []Field
	for _, v := range all {
		if len(fields) == maxFields {
			break
		}
		fields = admit(fields, v.Field)
	}
	return fields
}

// admit appends a field, unless it says nothing new: the same twice, or more
// than HAS_TEXT of an empty text.
func admit(fields []Field, f Field) []Field {
	for _, g := range fields {
		if g.Name == f.Name && (g.Code == f.Code && slices.Equal(g.Params, f.Params) || g.Code == "HAS_TEXT") {
			return fields
		}
	}
	return append(fields, f)
}

// field returns a field that has a name, and in Detail the subject.
func (c *checker) field(path []string) (Field, []place) {
	name, places := locate(c.root, path)
	name = strings.Trim(c.name+"."+name, ".")
	return Field{In: c.in, Name: name, Detail: subject(c.in, name)}, places
}

// maxFields bounds the answer to a request with thousands of violations, and
// maxViolations the work on it.
const (
	maxFields     = 64
	maxViolations = 256
)

// maxWalk bounds the descent into alternatives, in case a document's schemas
// are alternatives of themselves.
const maxWalk = 32

func (c *checker) walk(err error, prefix []string, depth int) []violation {
	switch e := err.(type) {
	case openapi3.MultiError:
		var out []violation
		for _, each := range e {
			if len(out) >= maxViolations {
				break
			}
			out = append(out, c.walk(each, prefix, depth)...)
		}
		return out
	case *openapi3.SchemaError:
		path := slices.Concat(prefix, e.JSONPointer())
		conflict := errors.Is(e.Origin, openapi3.ErrOneOfConflict)
		composed := e.SchemaField == "oneOf" || e.SchemaField == "anyOf" || e.SchemaField == "allOf"
		if composed && !conflict && depth < maxWalk {
			return c.compose(e, path, depth+1)
		}
		return []violation{c.leaf(e, path)}
	}
	f, places := c.field(prefix)
	return []violation{{wrongType(f.In, f.Name, ""), places}}
}

// compose looks again at a value that failed a composed schema, because
// kin-openapi says little of its parts and stops at the first that fails.
func (c *checker) compose(e *openapi3.SchemaError, path []string, depth int) []violation {
	var out []violation
	rest := *e.Schema
	switch e.SchemaField {
	case "allOf":
		for _, ref := range rest.AllOf {
			out = append(out, c.again(ref.Value, e.Value, path, depth)...)
		}
		rest.AllOf = nil
	case "oneOf":
		out = c.closest(e.Schema, rest.OneOf, e.Value, path, depth)
		rest.OneOf = nil
	case "anyOf":
		out = c.closest(e.Schema, rest.AnyOf, e.Value, path, depth)
		rest.AnyOf = nil
	}
	return append(out, c.again(&rest, e.Value, path, depth)...)
}

func (c *checker) again(s *openapi3.Schema, value any, path []string, depth int) []violation {
	err := s.VisitJSON(value, c.options...)
	if err == nil {
		return nil
	}
	return c.walk(err, path, depth)
}

// closest returns the violations of the alternative that the discriminator
// names or, without one, of the first that has the right type and fewest.
func (c *checker) closest(s *openapi3.Schema, refs openapi3.SchemaRefs, value any, path []string, depth int) []violation {
	var best []violation
	fewest := 0
	for _, ref := range refs {
		if d := discriminated(s, value); d != "" && d != ref.Ref {
			continue
		}
		found := c.again(ref.Value, value, path, depth)
		n := len(found)
		if !permits(ref.Value, value) {
			n += 1000
		}
		if best == nil || n < fewest {
			best, fewest = found, n
		}
	}
	return best
}

// discriminated returns the reference that a value's discriminator names.
func discriminated(s *openapi3.Schema, value any) string {
	object, _ := value.(map[string]any)
	if s.Discriminator == nil || object == nil {
		return ""
	}
	name, _ := object[s.Discriminator.PropertyName].(string)
	ref := s.Discriminator.Mapping[name].Ref
	if ref != "" && !strings.Contains(ref, "/") {
		ref = "#/components/schemas/" + ref
	}
	return ref
}

// permits reports whether a schema takes values of the type of v.
func permits(s *openapi3.Schema, v any) bool {
	switch v.(type) {
	case string:
		return s.Type.Permits(openapi3.TypeString)
	case bool:
		return s.Type.Permits(openapi3.TypeBoolean)
	case float64:
		return s.Type.Permits(openapi3.TypeNumber) || s.Type.Permits(openapi3.TypeInteger)
	case []any:
		return s.Type.Permits(openapi3.TypeArray)
	}
	return s.Type.Permits(openapi3.TypeObject)
}
