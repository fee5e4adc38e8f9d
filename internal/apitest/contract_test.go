package apitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// prefixes are what the documents describe.
var prefixes = map[string]string{
	"multi": "/docs/multi.yaml", "cis": "/docs/cis.yaml", "oidc": "/docs/cis.yaml", "sandbox": "/docs/sandbox.yaml",
	"simulate": "/docs/simulate.yaml", "device": deviceDoc,
}

// everyAnswer are the headers that any answer may have; all others must be in the document.
var everyAnswer = []string{
	"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding", "Cache-Control", "Pragma", "X-Content-Type-Options",
	"Allow", "Vary", "Access-Control-Allow-Origin", "Request-Ref", "Countersign-Mode", faultHeader,
}

// faultHeader is in an answer that a script asked for by a fault of the sandbox.
const faultHeader = "Countersign-Fault"

// restStatuses are what the documents leave to "default".
var restStatuses = []int{
	http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType, http.StatusRequestHeaderFieldsTooLarge,
}

// checkContract checks an exchange against the document of its path.
func (s *script) checkContract(out *http.Request, in request, r *reply) error {
	segments := segmentsOf(out)
	if len(segments) == 0 || prefixes[segments[0]] == "" {
		return nil
	}
	if extra := segments[0] == "sandbox" || segments[0] == "simulate"; extra && s.options.Config != "" {
		return nil // not served there, and so not described
	}
	if out.Method == http.MethodOptions && r.status == http.StatusNoContent {
		return nil // between a browser and us (Fetch §3.2.2); no program calls it
	}
	asked := r.header.Get(faultHeader) != ""
	if r.status == http.StatusInternalServerError && !asked {
		lines := strings.Split(s.logged(), "\n")
		return fmt.Errorf("the server answered 500:\n%s", strings.Join(lines[max(0, len(lines)-4):], "\n"))
	}
	doc, err := s.wire.document(prefixes[segments[0]])
	if err != nil {
		return err
	}
	operations, code, err := checkExchange(doc, out, in, r)
	if asked {
		return err // it has the form, and shows nothing of what the server does by itself
	}
	for _, op := range operations {
		s.suite.coverage.note(op, code)
		s.suite.coverage.noteWord(op, r)
	}
	return err
}

func segmentsOf(r *http.Request) []string {
	return strings.FieldsFunc(r.URL.EscapedPath(), func(c rune) bool { return c == '/' })
}

// checkExchange returns of which operations an exchange shows the answer with which code, and how it differs from the document. A method
// that a path does not have gets the "default" of those it has.
func checkExchange(doc *openapi3.T, out *http.Request, in request, r *reply) (operations []string, code string, err error) {
	segments := segmentsOf(out)
	if r.header.Get("Cache-Control") == "" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		return nil, "", fmt.Errorf("the answer lacks Cache-Control or X-Content-Type-Options: %v", r.header)
	}
	response, code := doc.Components.Responses["Refused"], "default"
	if segments[0] == "oidc" || len(segments) > 1 && segments[1] == "oidc" {
		response = doc.Components.Responses["OAuthError"]
	}
	route, params := find(doc, out.Method, segments)
	switch {
	case route != nil:
		if err := checkRequest(out, in, route, params); err != nil && !in.bad {
			return nil, "", fmt.Errorf("the request breaks the document (-bad, if on purpose): %w", err)
		}
		response, code = responseOf(route.Operation, r.status)
		operations = []string{route.Operation.OperationID}
	case r.status == http.StatusMethodNotAllowed:
		operations = operationsAt(doc, segments)
	}
	if code == "default" && !slices.Contains(restStatuses, r.status) && !(route == nil && r.status == http.StatusBadRequest) {
		return nil, "", fmt.Errorf("%d is not in the document", r.status)
	}
	if out.Method == http.MethodHead {
		return operations, code, nil
	}
	if err := checkResponse(out, route, response, r); err != nil {
		return nil, "", fmt.Errorf("the answer breaks the document: %w\n%v\n%s", err, r.header, r.body)
	}
	return operations, code, nil
}

func operationsAt(doc *openapi3.T, segments []string) []string {
	var all []string
	for template, item := range doc.Paths.Map() {
		if _, ok := fits(template, segments); !ok {
			continue
		}
		for _, op := range item.Operations() {
			all = append(all, op.OperationID)
		}
	}
	return all
}

// document fetches a document from where it is served.
func (w *wire) document(path string) (*openapi3.T, error) {
	if doc := w.docs[path]; doc != nil {
		return doc, nil
	}
	got, err := w.client.Get(w.base + path)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %w", path, got.Status, err)
	}
	w.docs[path], err = w.s.suite.coverage.document(text)
	return w.docs[path], err
}

// find returns the operation of a path; a literal segment wins over a parameter. HEAD follows GET.
func find(doc *openapi3.T, method string, segments []string) (*routers.Route, map[string]string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var best *routers.Route
	var bestParams map[string]string
	for template, item := range doc.Paths.Map() {
		params, ok := fits(template, segments)
		op := item.GetOperation(method)
		if !ok || op == nil || best != nil && len(params) >= len(bestParams) {
			continue
		}
		best = &routers.Route{Spec: doc, Path: template, PathItem: item, Method: method, Operation: op}
		bestParams = params
	}
	return best, bestParams
}

func fits(template string, segments []string) (map[string]string, bool) {
	parts := strings.Split(strings.Trim(template, "/"), "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	params := make(map[string]string)
	for i, p := range parts {
		text, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, false
		}
		if strings.HasPrefix(p, "{") {
			params[strings.Trim(p, "{}")] = text
		} else if p != text {
			return nil, false
		}
	}
	return params, true
}

func responseOf(op *openapi3.Operation, status int) (*openapi3.ResponseRef, string) {
	if r := op.Responses.Status(status); r != nil {
		return r, strconv.Itoa(status)
	}
	return op.Responses.Default(), "default"
}

func filterOptions() *openapi3filter.Options {
	formats := map[string]openapi3.StringFormatValidator{
		"date-time": openapi3.NewCallbackValidator(func(s string) error { _, err := time.Parse(time.RFC3339, s); return err }),
	}
	return &openapi3filter.Options{
		IncludeResponseStatus: true, SkipSettingDefaults: true, MultiError: true,
		AuthenticationFunc:      present,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(formats), openapi3.DisableSchemaErrorDetails()},
	}
}

// present is satisfied by a credential of the right kind, whatever its value.
func present(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	r, scheme := in.RequestValidationInput.Request, in.SecurityScheme
	name := "Authorization"
	if scheme.Type == "apiKey" {
		name = scheme.Name
	}
	if r.Header.Get(name) == "" {
		return errors.New("no " + name)
	}
	return nil
}

func checkRequest(out *http.Request, in request, route *routers.Route, params map[string]string) error {
	r := out.Clone(out.Context())
	r.Body = http.NoBody // that of out may still be on its way
	if len(in.body) > 0 && route.Operation.RequestBody != nil {
		r.Body = io.NopCloser(bytes.NewReader(in.body))
	}
	return openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, Options: filterOptions(),
	})
}

// checkResponse checks what an answer holds, and that it holds no more than the document says.
func checkResponse(out *http.Request, route *routers.Route, response *openapi3.ResponseRef, r *reply) error {
	if response == nil || response.Value == nil {
		return errors.New("it is not described")
	}
	for name := range r.header {
		if !slices.Contains(everyAnswer, name) && !slices.ContainsFunc(keys(response.Value.Headers), func(k string) bool {
			return strings.EqualFold(k, name)
		}) {
			return fmt.Errorf("the header %s is not described", name)
		}
	}
	if r.status == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
		return errors.New("there is no Allow")
	}
	if len(response.Value.Content) == 0 && len(r.body) > 0 {
		return errors.New("it has a body, and none is described")
	}
	options := filterOptions()
	// A page is for people, where the document describes one.
	media := r.header.Get("Content-Type")
	options.ExcludeResponseBody = (strings.HasPrefix(media, "text/html") || strings.HasPrefix(media, "image/")) && response.Value.Content.Get(media) != nil
	// The answer alone, as the only one of an operation: kin-openapi looks for it by its status.
	alone := &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(r.status, response))}
	one := &routers.Route{Operation: alone, Spec: &openapi3.T{OpenAPI: "3.0.3"}}
	if route != nil {
		one.Spec, one.Path, one.PathItem, one.Method = route.Spec, route.Path, route.PathItem, route.Method
	}
	return openapi3filter.ValidateResponse(out.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: out, Route: one, Options: filterOptions()},
		Status:                 r.status, Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body)), Options: options,
	})
}

func keys[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// coverage remembers which answers of the documents were seen.
type coverage struct {
	mu   sync.Mutex
	docs map[string]*openapi3.T // by their bytes
	seen map[string]bool        // operation and code
}

func newCoverage() *coverage {
	return &coverage{docs: make(map[string]*openapi3.T), seen: make(map[string]bool)}
}

// document reads a document, once for all servers that serve the same.
func (c *coverage) document(text []byte) (*openapi3.T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if doc := c.docs[string(text)]; doc != nil {
		return doc, nil
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err == nil {
		c.docs[string(text)] = doc
	}
	return doc, err
}

func (c *coverage) note(operation, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[operation+" "+code] = true
}

// unreached are the answers that no script can bring about, and why.
func unreached() map[string]string {
	const (
		fault  = "a fault of ours; no script can ask for one"
		mailed = "the link comes by e-mail, which no script of a live server reads"
		public = "what is public is served in maintenance too, and costs nothing that could run short"
	)
	return map[string]string{
		"* 500":                       fault,
		"userIdentities 409":          "every type is listed; the contract has the code for tenants that we do not have",
		"showVerificationLink 503":    mailed,
		"confirmVerificationLink 503": mailed,
		"getKeys 503":                 public,
		"getConfiguration 503":        public,
		"authorizePost 503":           public,
		"endSessionPost 503":          public,
	}
}

// judge fails for each declared answer that no script has seen, and for each exemption that is not needed.
func (c *coverage) judge(t *testing.T) {
	exempt, used := unreached(), make(map[string]bool)
	for _, doc := range c.docs {
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				for code := range op.Responses.Map() {
					name := op.OperationID + " " + code
					general := "* " + code
					switch {
					case exempt[name] != "" || exempt[general] != "":
						used[name], used[general] = true, true
						if c.seen[name] {
							t.Errorf("%s is exempt and was seen", name)
						}
					case !c.seen[name]:
						t.Errorf("no script sees %s of %s %s (%s)", code, method, path, name)
					}
				}
			}
		}
	}
	for name := range exempt {
		if !used[name] {
			t.Errorf("%s is exempt and not declared", name)
		}
	}
}
