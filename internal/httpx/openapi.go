package httpx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// defaultMaxBody is the limit of a body, in bytes, where the document does not
// set another with x-max-body on the operation.
const defaultMaxBody = 8192

// A Doc is the OpenAPI document of one dialect: its contract, which is served
// as it is and which its requests are checked against.
type Doc struct {
	raw        []byte
	operations []*Operation
}

// An Operation is what the document says of one method on one path.
type Operation struct {
	Method  string
	Path    string // the template, as in the document: /users/{user_id}
	ID      string // its operationId
	MaxBody int64  // bytes

	params       []param
	hasBody      bool             // the document describes a body
	body         *openapi3.Schema // of the JSON body; nil if there is none
	bodyRequired bool
	check        []openapi3.SchemaValidationOption
}

type param struct {
	in, name string
	required bool
	schema   *openapi3.Schema
	explode  bool // a list is repeated parameters rather than one with commas
}

// LoadDoc reads an OpenAPI 3.0 document in YAML or JSON, without references
// to other files. It refuses an invalid document, and one that asks for a check
// that [Operation.Decode] would not make: an unknown format, a parameter that
// is an object or a cookie or has a style other than the default. (3.1 is
// refused because kin-openapi then checks in some 60 times the time and with
// less telling errors.)
func LoadDoc(yaml []byte) (*Doc, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true // the order of properties
	t, err := loader.LoadFromData(yaml)
	if err != nil {
		return nil, fmt.Errorf("load OpenAPI document: %w", err)
	}
	if !t.IsOpenAPI30() {
		return nil, fmt.Errorf("load OpenAPI document: version %q is not 3.0", t.OpenAPI)
	}
	if err := t.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate OpenAPI document: %w", err)
	}
	d := &Doc{raw: slices.Clone(yaml)}
	known := formats()
	check := schemaOptions(known)
	for path, item := range t.Paths.Map() {
		for method, op := range item.Operations() {
			o := &Operation{Method: method, Path: path, ID: op.OperationID, MaxBody: defaultMaxBody, check: check}
			if err := o.compile(item.Parameters, op, known); err != nil {
				return nil, fmt.Errorf("OpenAPI document: %s %s: %w", method, path, err)
			}
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, func(a, b *Operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return d, nil
}

// Raw returns the document as it was loaded.
func (d *Doc) Raw() []byte { return slices.Clone(d.raw) }

// Operations returns all operations, sorted by path and method.
func (d *Doc) Operations() []*Operation { return slices.Clone(d.operations) }

// Operation returns the operation of a method on a path template, both as
// they stand in the document. It is for start-up, not for requests.
func (d *Doc) Operation(method, path string) (*Operation, error) {
	for _, o := range d.operations {
		if o.Method == method && o.Path == path {
			return o, nil
		}
	}
	return nil, fmt.Errorf("the OpenAPI document does not describe %s %s", method, path)
}

func schemaOptions(known formatSet) []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{
		openapi3.MultiErrors(),
		openapi3.VisitAsRequest(), // what is readOnly is not required
		openapi3.DisableReadOnlyValidation(),
		openapi3.DisableSchemaErrorDetails(),
		openapi3.WithStringFormatValidators(known),
	}
}

func (o *Operation) compile(shared openapi3.Parameters, op *openapi3.Operation, known formatSet) error {
	if x, ok := op.Extensions["x-max-body"]; ok {
		n, ok := x.(float64)
		if !ok || n < 1 || n != float64(int64(n)) {
			return errors.New("x-max-body is not a number of bytes")
		}
		o.MaxBody = int64(n)
	}
	all := slices.Clone(op.Parameters)
	for _, p := range shared {
		if op.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
			all = append(all, p)
		}
	}
	for _, ref := range all {
		if err := o.addParam(ref.Value, known); err != nil {
			return fmt.Errorf("%s parameter %s: %w", ref.Value.In, ref.Value.Name, err)
		}
	}
	place := []string{"path", "query", "header"}
	slices.SortStableFunc(o.params, func(a, b param) int {
		return cmp.Compare(slices.Index(place, a.in), slices.Index(place, b.in))
	})
	if op.RequestBody == nil {
		return nil
	}
	o.hasBody = true
	o.bodyRequired = op.RequestBody.Value.Required
	media := op.RequestBody.Value.Content[mediaJSON]
	if media == nil || media.Schema == nil {
		return nil
	}
	o.body = media.Schema.Value
	return checkable(o.body, known)
}

func (o *Operation) addParam(p *openapi3.Parameter, known formatSet) error {
	if p.In == openapi3.ParameterInHeader {
		switch http.CanonicalHeaderKey(p.Name) {
		case "Accept", "Content-Type", "Authorization":
			return nil // to be ignored: OpenAPI 3.0.3 §4.7.12.1
		}
	}
	if p.Schema == nil || p.In == openapi3.ParameterInCookie {
		return errors.New("only path, query and header parameters with a schema are checked")
	}
	method, err := p.SerializationMethod()
	if err != nil {
		return err
	}
	if method.Style != openapi3.SerializationSimple && method.Style != openapi3.SerializationForm {
		return fmt.Errorf("style %q is not checked", p.Style)
	}
	if p.Schema.Value.Type.Includes(openapi3.TypeObject) {
		return errors.New("objects are not checked in parameters")
	}
	o.params = append(o.params, param{
		in:       p.In,
		name:     p.Name,
		required: p.Required,
		schema:   p.Schema.Value,
		explode:  method.Explode && p.In == openapi3.ParameterInQuery,
	})
	return checkable(p.Schema.Value, known)
}

// checkable refuses formats that would be accepted in silence, everywhere in
// a schema, and compiles the patterns on the way.
func checkable(root *openapi3.Schema, known formatSet) error {
	seen := make(map[*openapi3.Schema]bool)
	var visit func(s *openapi3.Schema) error
	visit = func(s *openapi3.Schema) error {
		if seen[s] {
			return nil
		}
		seen[s] = true
		if s.Format != "" && s.Type.Includes(openapi3.TypeString) && known[s.Format] == nil {
			return fmt.Errorf("format %q is not checked", s.Format)
		}
		if s.Pattern != "" {
			// kin-openapi compiles a pattern on its first use and keeps it.
			_ = s.VisitJSON("")
		}
		for _, sub := range children(s) {
			if err := visit(sub); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(root)
}

// children returns the schemas that a schema is made of.
func children(s *openapi3.Schema) []*openapi3.Schema {
	refs := slices.Concat(s.AllOf, s.OneOf, s.AnyOf, openapi3.SchemaRefs{s.Not, s.Items, s.AdditionalProperties.Schema})
	for _, p := range s.Properties {
		refs = append(refs, p)
	}
	var out []*openapi3.Schema
	for _, ref := range refs {
		if ref != nil && ref.Value != nil {
			out = append(out, ref.Value)
		}
	}
	return out
}

// number writes a bound or an enumerated number as JSON would.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
