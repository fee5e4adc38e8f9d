package httpx

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// defaultMaxBody is the limit of a body, in bytes, where the document does not
// set another with x-max-body on the operation.
const defaultMaxBody = 8192

// extMaxBody is the extension that sets another.
const extMaxBody = "x-max-body"

// A Doc is what the OpenAPI document of one dialect says of requests: the
// contract that they are checked against.
type Doc struct {
	operations []*Operation
	known      formatSet

	mu      sync.Mutex                  // held while an operation is compiled
	raw     map[string]jsontext.Value   // by name: the schemas of the document
	schemas map[string]*openapi3.Schema // by name: those in use
}

// An Operation is what the document says of one method on one path.
type Operation struct {
	Method  string
	Path    string // the template, as in the document: /users/{user_id}
	ID      string // its operationId
	MaxBody int64  // bytes

	ready func() error // compiles what follows, once
	check []openapi3.SchemaValidationOption

	params       []param
	hasBody      bool             // the document describes a body
	body         *openapi3.Schema // of the JSON body; nil if there is none
	bodyRequired bool
}

type param struct {
	in, name string
	required bool
	schema   *openapi3.Schema
	explode  bool // a list is repeated parameters rather than one with commas
}

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

func byPath(a, b *Operation) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
}

// operation reads the head of an operation.
func (d *Doc) operation(method, path string, raw jsontext.Value) (*Operation, error) {
	var head struct {
		ID      string   `json:"operationId"`
		MaxBody *float64 `json:"x-max-body"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, err
	}
	o := &Operation{Method: method, Path: path, ID: head.ID, MaxBody: defaultMaxBody}
	if n := head.MaxBody; n != nil {
		if *n < 1 || *n != float64(int64(*n)) {
			return nil, errors.New(extMaxBody + " is not a number of bytes")
		}
		o.MaxBody = int64(*n)
	}
	o.ready = sync.OnceValue(func() error {
		if err := d.compile(o, raw); err != nil {
			return fmt.Errorf("OpenAPI document: %s %s: %w", method, path, err)
		}
		return nil
	})
	return o, nil
}

// compile reads the rest of an operation.
func (d *Doc) compile(o *Operation, raw jsontext.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var op openapi3.Operation
	if err := op.UnmarshalJSON(raw); err != nil {
		return err
	}
	for _, ref := range op.Parameters {
		if err := d.addParam(o, ref.Value); err != nil {
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
	if err := d.resolve(media.Schema); err != nil {
		return err
	}
	o.body = media.Schema.Value
	return nil
}

func (d *Doc) addParam(o *Operation, p *openapi3.Parameter) error {
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
	if err := d.resolve(p.Schema); err != nil {
		return err
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
	return nil
}

// resolve finds what a reference means, and makes the schema ready for use.
func (d *Doc) resolve(ref *openapi3.SchemaRef) error {
	if ref.Ref == "" {
		return d.settle(ref.Value)
	}
	name := strings.TrimPrefix(ref.Ref, schemaPrefix)
	if s, ok := d.schemas[name]; ok {
		ref.Value = s
		return nil
	}
	raw, ok := d.raw[name]
	if !ok {
		return fmt.Errorf("there is no schema %s", name)
	}
	ref.Value = new(openapi3.Schema)
	d.schemas[name] = ref.Value // before its members, which may be of the same kind
	if err := ref.Value.UnmarshalJSON(raw); err != nil {
		return err
	}
	return d.settle(ref.Value)
}

// settle refuses a format that would be accepted in silence, compiles the
// pattern, notes the order of the members, and goes on to the schemas that a
// schema is made of.
func (d *Doc) settle(s *openapi3.Schema) error {
	if s.Format != "" && s.Type.Includes(openapi3.TypeString) && d.known[s.Format] == nil {
		return fmt.Errorf("format %q is not checked", s.Format)
	}
	if s.Pattern != "" {
		// kin-openapi compiles a pattern on its first use and keeps it.
		_ = s.VisitJSON("")
	}
	rank(s)
	refs := slices.Concat(s.AllOf, s.OneOf, s.AnyOf, openapi3.SchemaRefs{s.Not, s.Items, s.AdditionalProperties.Schema})
	for _, p := range s.Properties {
		refs = append(refs, p)
	}
	for _, ref := range refs {
		if ref == nil {
			continue
		}
		if err := d.resolve(ref); err != nil {
			return err
		}
	}
	return nil
}

// number writes a bound or an enumerated number as JSON would.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
