package httpx

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// variants returns a schema and all that apply to the same value with it.
func variants(s *openapi3.Schema) []*openapi3.Schema {
	out := []*openapi3.Schema{s}
	for i := 0; i < len(out); i++ {
		for _, refs := range []openapi3.SchemaRefs{out[i].AllOf, out[i].OneOf, out[i].AnyOf} {
			for _, ref := range refs {
				if !slices.Contains(out, ref.Value) {
					out = append(out, ref.Value)
				}
			}
		}
	}
	return out
}

// properties returns what a schema says of one member of an object.
func properties(s *openapi3.Schema, name string) []*openapi3.SchemaRef {
	var out []*openapi3.SchemaRef
	for _, v := range variants(s) {
		if ref := v.Properties[name]; ref != nil {
			out = append(out, ref)
		}
	}
	return out
}

// dropNulls removes the members of v that are null and must not be: an
// optional one then counts as absent and a required one as missing.
func dropNulls(s *openapi3.Schema, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			refs := properties(s, name)
			if member == nil && len(refs) > 0 && !slices.ContainsFunc(refs, takesNull) {
				delete(v, name)
				continue
			}
			for _, ref := range refs {
				dropNulls(ref.Value, member)
			}
		}
	case []any:
		for _, variant := range variants(s) {
			if variant.Items == nil {
				continue
			}
			for _, item := range v {
				dropNulls(variant.Items.Value, item)
			}
		}
	}
}

func takesNull(ref *openapi3.SchemaRef) bool { return ref.Value.VisitJSON(nil) == nil }

// A place is where the document declares what a step of a path leads to: the
// number of the schema, of those that apply, and the rank of the property in
// it; or the index of an item.
type place [2]int

func comparePlaces(a, b []place) int {
	return slices.CompareFunc(a, b, func(a, b place) int { return slices.Compare(a[:], b[:]) })
}

// locate returns the dotted name of a path below a schema, and its places, by
// which fields are put into the order of the document. A name that only the
// request knows, such as the key of a map, becomes an asterisk.
func locate(root *openapi3.Schema, path []string) (string, []place) {
	names := make([]string, len(path))
	places := make([]place, len(path))
	at := []*openapi3.Schema{root}
	for i, step := range path {
		names[i], places[i], at = follow(at, step)
	}
	return strings.Join(names, "."), places
}

func follow(at []*openapi3.Schema, step string) (name string, where place, next []*openapi3.Schema) {
	name, where = "*", place{math.MaxInt}
	which := 0
	for _, s := range at {
		for _, v := range variants(s) {
			which++
			if ref := v.Properties[step]; ref != nil {
				if len(next) == 0 {
					where = place{which, ref.Origin.Key.Line}
				}
				name = step
				next = append(next, ref.Value)
			}
			if slices.Contains(v.Required, step) {
				name = step
			}
		}
	}
	if name != "*" {
		return name, where, next
	}
	for _, s := range at {
		for _, v := range variants(s) {
			if ref := v.AdditionalProperties.Schema; ref != nil {
				next = append(next, ref.Value)
			}
			index, err := strconv.Atoi(step)
			if v.Items != nil && err == nil {
				name, where = step, place{index}
				next = append(next, v.Items.Value)
			}
		}
	}
	return name, where, next
}

// rank numbers the properties of a schema that has just been read, where
// kin-openapi would keep their lines in the document.
func rank(s *openapi3.Schema) {
	names := slices.Sorted(maps.Keys(s.Properties))
	if order, ok := s.Extensions[extOrder].([]any); ok {
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(slices.Index(order, any(a)), slices.Index(order, any(b))) })
	}
	for i, name := range names {
		s.Properties[name].Origin = &openapi3.Origin{Key: &openapi3.Location{Line: i}}
	}
}
