package httpx

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schemaPrefix is where the schemas that have names stand.
const schemaPrefix = "#/components/schemas/"

// extOrder is the extension by which the requests of a document keep the order
// of an object's members, where it is not that of the alphabet.
const extOrder = "x-order"

// Requests reads an OpenAPI 3.0 document in YAML or JSON, without references to
// other files, and returns what its requests are checked by, for [OpenDoc]: the
// operations with their parameters and bodies, and the schemas of these, in
// JSON, a line each. Answers, words and examples are left out.
//
// It refuses an invalid document, and one that asks for a check that
// [Operation.Decode] would not make: an unknown format, a parameter that is an
// object or a cookie or has a style other than the default. (3.1 is refused
// because kin-openapi then checks in some 60 times the time and with less
// telling errors.) It takes a hundred times as long as OpenDoc, and is not for
// the start of a server.
func Requests(yaml []byte) ([]byte, error) {
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
	e := extract{used: make(map[string]*openapi3.Schema)}
	out, err := e.document(t)
	if err != nil {
		return nil, err
	}
	d, err := OpenDoc(out)
	if err != nil {
		return nil, err
	}
	for _, o := range d.operations {
		if err := o.ready(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// An extract takes of a document what requests are checked by.
type extract struct {
	used map[string]*openapi3.Schema // by name: those that were met
	err  error
}

// requests is the form that [Requests] writes and [OpenDoc] reads.
type requests struct {
	Paths   map[string]map[string]jsontext.Value `json:"paths"` // by path and method: operations
	Schemas map[string]jsontext.Value            `json:"schemas"`
}

func (e *extract) document(t *openapi3.T) ([]byte, error) {
	out := requests{make(map[string]map[string]jsontext.Value), make(map[string]jsontext.Value)}
	for path, item := range t.Paths.Map() {
		out.Paths[path] = make(map[string]jsontext.Value)
		for method, op := range item.Operations() {
			text, err := e.operation(item.Parameters, op).MarshalJSON()
			if err != nil {
				return nil, fmt.Errorf("OpenAPI document: %s %s: %w", method, path, err)
			}
			out.Paths[path][method] = text
		}
	}
	for len(out.Schemas) < len(e.used) { // a schema may use others
		for name, s := range maps.Clone(e.used) {
			if _, ok := out.Schemas[name]; ok {
				continue
			}
			text, err := e.schema(s).MarshalJSON()
			if err != nil {
				return nil, fmt.Errorf("OpenAPI document: schema %s: %w", name, err)
			}
			out.Schemas[name] = text
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	return out.lines()
}

// lines writes the form with a line for each operation and each schema, in
// order, so that two changes of a document meet only where they touch the same.
func (r requests) lines() ([]byte, error) {
	b := []byte("{\"paths\": {")
	member := func(before, name string, value jsontext.Value) (err error) {
		if b, err = jsontext.AppendQuote(append(b, before...), name); err == nil {
			b = append(append(b, ": "...), value...)
		}
		return err
	}
	comma := "\n"
	for _, path := range slices.Sorted(maps.Keys(r.Paths)) {
		if err := member(comma, path, jsontext.Value("{")); err != nil {
			return nil, err
		}
		comma = "\n  "
		for _, method := range slices.Sorted(maps.Keys(r.Paths[path])) {
			if err := member(comma, method, r.Paths[path][method]); err != nil {
				return nil, err
			}
			comma = ",\n  "
		}
		b = append(b, '}')
		comma = ",\n"
	}
	b = append(b, "\n}, \"schemas\": {"...)
	comma = "\n"
	for _, name := range slices.Sorted(maps.Keys(r.Schemas)) {
		if err := member(comma, name, r.Schemas[name]); err != nil {
			return nil, err
		}
		comma = ",\n"
	}
	return append(b, "\n}}\n"...), nil
}

func (e *extract) operation(shared openapi3.Parameters, op *openapi3.Operation) *openapi3.Operation {
	out := &openapi3.Operation{OperationID: op.OperationID, Extensions: make(map[string]any)}
	if n, ok := op.Extensions[extMaxBody]; ok {
		out.Extensions[extMaxBody] = n
	}
	all := slices.Clone(op.Parameters)
	for _, p := range shared {
		if op.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
			all = append(all, p)
		}
	}
	for _, ref := range all {
		p := *ref.Value
		p.Origin, p.Extensions, p.Description, p.Example, p.Examples = nil, nil, "", nil, nil
		p.Schema = e.ref(p.Schema)
		out.Parameters = append(out.Parameters, &openapi3.ParameterRef{Value: &p})
	}
	if op.RequestBody == nil {
		return out
	}
	body := &openapi3.RequestBody{Required: op.RequestBody.Value.Required, Content: make(openapi3.Content)}
	if media := op.RequestBody.Value.Content[mediaJSON]; media != nil {
		body.Content[mediaJSON] = &openapi3.MediaType{Schema: e.ref(media.Schema)}
	}
	out.RequestBody = &openapi3.RequestBodyRef{Value: body}
	return out
}

func (e *extract) ref(ref *openapi3.SchemaRef) *openapi3.SchemaRef {
	if ref == nil {
		return nil
	}
	if ref.Ref == "" {
		return &openapi3.SchemaRef{Value: e.schema(ref.Value)}
	}
	name, ok := strings.CutPrefix(ref.Ref, schemaPrefix)
	if !ok || strings.Contains(name, "/") {
		e.err = fmt.Errorf("OpenAPI document: %s is not below %s", ref.Ref, schemaPrefix)
	}
	e.used[name] = ref.Value
	return &openapi3.SchemaRef{Ref: ref.Ref}
}

func (e *extract) schema(s *openapi3.Schema) *openapi3.Schema {
	out := *s
	out.Origin, out.Extensions, out.ExternalDocs, out.XML = nil, nil, nil, nil
	out.Title, out.Description, out.Example, out.Default, out.Deprecated = "", "", nil, nil, false
	out.OneOf, out.AnyOf, out.AllOf = e.refs(s.OneOf), e.refs(s.AnyOf), e.refs(s.AllOf)
	out.Not, out.Items = e.ref(s.Not), e.ref(s.Items)
	out.AdditionalProperties.Schema = e.ref(s.AdditionalProperties.Schema)
	if len(s.Properties) > 0 {
		out.Properties = make(openapi3.Schemas)
		for name, ref := range s.Properties {
			out.Properties[name] = e.ref(ref)
		}
		names := slices.Sorted(maps.Keys(s.Properties)) // those of one place, by an alias in YAML, stay so
		slices.SortStableFunc(names, func(a, b string) int { return compareKeys(s.Properties[a].Origin.Key, s.Properties[b].Origin.Key) })
		if !slices.IsSorted(names) {
			out.Extensions = map[string]any{extOrder: names}
		}
	}
	return &out
}

func (e *extract) refs(list openapi3.SchemaRefs) openapi3.SchemaRefs {
	var out openapi3.SchemaRefs
	for _, ref := range list {
		out = append(out, e.ref(ref))
	}
	return out
}

func compareKeys(a, b *openapi3.Location) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// OpenDoc reads what [Requests] wrote. It looks into an operation when the
// first request for it comes, since most servers never see most of them.
func OpenDoc(data []byte) (*Doc, error) {
	var r requests
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("open OpenAPI document: %w", err)
	}
	d := &Doc{raw: r.Schemas, schemas: make(map[string]*openapi3.Schema), known: formats()}
	check := schemaOptions(d.known)
	for path, methods := range r.Paths {
		for method, raw := range methods {
			o, err := d.operation(method, path, raw)
			if err != nil {
				return nil, fmt.Errorf("OpenAPI document: %s %s: %w", method, path, err)
			}
			o.check = check
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, byPath)
	return d, nil
}
