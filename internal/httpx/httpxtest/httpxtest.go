// Package httpxtest holds what the tests of the dialects share: calls, golden replies, the check of a reply against an OpenAPI document,
// and the requests that break each constraint of a document.
//
// It knows no dialect.
package httpxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// Call is a request of a test.
type Call struct {
	Method, Path string
	Header       map[string]string
	Body         string // with a content type of JSON unless Header names one
}

// Do serves the call.
func (c Call) Do(h http.Handler) *httptest.ResponseRecorder {
	var body io.Reader
	if c.Body != "" {
		body = strings.NewReader(c.Body)
	}
	r := httptest.NewRequest(c.Method, c.Path, body)
	if c.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.Header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// Text is a reply as golden files have it: the status, the headers that say something, and the body as indented JSON. The values of the
// members named in mask, which are new in every run, are replaced by the member's name in capitals.
func Text(r *httptest.ResponseRecorder, mask ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", r.Code, http.StatusText(r.Code))
	var names []string
	for name := range r.Header() {
		if !slices.Contains([]string{"Content-Length", "Request-Ref", "X-Content-Type-Options"}, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header()[name], " | "))
	}
	var v any
	switch err := json.Unmarshal(r.Body.Bytes(), &v); {
	case r.Body.Len() == 0:
		b.WriteString("(no body)\n")
	case err != nil:
		b.WriteString(r.Body.String() + "\n")
	default:
		masked(v, mask)
		text, _ := json.MarshalIndent(v, "", "  ") // what was JSON is JSON again
		b.Write(append(text, '\n'))
	}
	return b.String()
}

func masked(v any, mask []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if slices.Contains(mask, name) && member != "" {
				v[name] = strings.ToUpper(name)
				continue
			}
			masked(member, mask)
		}
	case []any:
		for _, item := range v {
			masked(item, mask)
		}
	}
}

// Golden compares a text with testdata/name.golden, or writes it there.
func Golden(t testing.TB, name, got string, update bool) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Load reads a document for tests.
func Load(t testing.TB, data []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Conforms checks a reply against what a document says of an operation: status, required headers, and body.
func Conforms(doc *openapi3.T, method, template string, r *httptest.ResponseRecorder) error {
	op := doc.Paths.Value(template).GetOperation(method)
	response := op.Responses.Status(r.Code)
	if response == nil {
		response = op.Responses.Default()
	}
	if response == nil {
		return fmt.Errorf("status %d is not documented", r.Code)
	}
	for name, h := range response.Value.Headers {
		if h.Value.Required && r.Header().Get(name) == "" {
			return fmt.Errorf("no header %s", name)
		}
	}
	media := response.Value.Content.Get("application/json")
	if media == nil {
		if r.Body.Len() > 0 {
			return fmt.Errorf("status %d has a body: %s", r.Code, r.Body)
		}
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body.Bytes()))
	var v any
	if err := decoder.Decode(&v); err != nil {
		return fmt.Errorf("status %d: %w in %q", r.Code, err, r.Body)
	}
	return media.Schema.Value.VisitJSON(v, openapi3.MultiErrors(), openapi3.VisitAsResponse())
}
