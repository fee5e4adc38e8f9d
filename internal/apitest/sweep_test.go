package apitest

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// The sweep gives every operation of a document the requests that each must refuse alike, so that no new one can be without: no API key,
// a malformed query, another method, a token of the wrong kind, a tenant in maintenance, a caller who comes too often.

// sweeper sends requests to one server and holds the answers against one document.
type sweeper struct {
	t     *testing.T
	base  string
	doc   *openapi3.T
	noted *coverage
	token string // temporary: good for no operation but one
}

const multiDoc, cisDoc, deviceDoc = "/docs/multi.yaml", "/docs/cis.yaml", "/docs/device.yaml"

// sweep runs all of it over the Multi contract, and the last over both.
func (s *suite) sweep(t *testing.T) {
	s.sweepDevices(t)
	open := s.sweeper(t, multiDoc, "{}")
	open.token = open.temporary()
	closed := s.sweeper(t, multiDoc, "{maintenance: true}")
	for path, item := range open.doc.Paths.Map() {
		for method, op := range item.Operations() {
			open.want(method, path, op, http.StatusUnauthorized, "api-key", "")
			open.want(method, path+"?%ff=1", op, http.StatusBadRequest)
			open.want(otherMethod(item), path, op, http.StatusMethodNotAllowed)
			closed.want(method, path, op, http.StatusServiceUnavailable)
			if takes(open.doc, op, "bearerToken") && op.Responses.Status(http.StatusForbidden) != nil && op.OperationID != "passwordUpdate" {
				open.want(method, path, op, http.StatusForbidden, "Authorization", "Bearer "+open.token)
			}
		}
	}
	const once = "{limits: {key: [{count: 1, window: 1h}]}}"
	keyed, client := s.sweeper(t, multiDoc, once), s.sweeper(t, cisDoc, once)
	keyed.temporary() // which is what the key may do
	keyed.limited("/multi/")
	token := "Bearer " + client.clientToken()
	client.limited("/cis/v1/", "Authorization", token)
	client.limited("/cis/loginPreferences/", "Authorization", token)
	s.sweeper(t, cisDoc, "{}").unpermitted()
	user := s.sweeper(t, cisDoc, "{limits: {user: [{count: 1, window: 1h}]}}")
	bearer := "Bearer " + user.userToken()
	user.send("POST", "/cis/v1/users/me/totp/revoke", nil, "Authorization", bearer)
	user.limitedUser("Authorization", bearer)
}

// unpermitted wants every operation for clients to refuse one whose role permits something else.
func (w *sweeper) unpermitted() {
	w.t.Helper()
	admin := []string{"Authorization", "Bearer " + w.tokenOf("demo-admin", "demo-admin-secret"), "Content-Type", "application/json"}
	first := func(pattern string, r *reply) string {
		m := regexp.MustCompile(pattern).FindSubmatch(r.body)
		if m == nil {
			w.t.Fatalf("no %s: %d %s", pattern, r.status, r.body)
		}
		return string(m[1])
	}
	role := first(`"role_id":"([^"]+)"`, w.send("POST", "/cis/v1/client-roles", []byte(`{"role_name":"x","permissions":["x:y"]}`), admin...))
	client := w.send("POST", "/cis/v1/applications/demo-client/clients", []byte(`{"name":"x","client_roles":["`+role+`"]}`), admin...)
	token := w.tokenOf(first(`"client_id":"([^"]+)"`, client), first(`"client_secret":"([^"]+)"`, client))
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if strings.HasPrefix(path, "/cis/v1/") && op.Security == nil {
				w.want(method, path, op, http.StatusForbidden, "Authorization", "Bearer "+token)
			}
		}
	}
}

// limitedUser wants every operation that takes a user's token of the CIS contract to refuse one who has used up what they may do.
func (w *sweeper) limitedUser(headers ...string) {
	w.t.Helper()
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if takes(w.doc, op, "UserAccessToken") {
				w.want(method, path, op, http.StatusTooManyRequests, headers...)
			}
		}
	}
}

// limited wants every operation below a prefix to refuse a caller who has used up what they may do. Public ones have no such caller.
func (w *sweeper) limited(prefix string, headers ...string) {
	w.t.Helper()
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			public := op.Security != nil && len(*op.Security) == 0
			if strings.HasPrefix(path, prefix) && !public && !takes(w.doc, op, "UserAccessToken") {
				w.want(method, path, op, http.StatusTooManyRequests, headers...)
			}
		}
	}
}

func (s *suite) sweeper(t *testing.T, doc, settings string) *sweeper {
	server := Start(t, Options{Data: s.data(t), Seed: writeSeed(t, sweepSeed(settings))})
	w := &sweeper{t: t, base: server.URL, noted: s.coverage}
	var err error
	if w.doc, err = s.coverage.document(w.send("GET", doc, nil).body); err != nil {
		t.Fatal(err)
	}
	return w
}

// sweepSeed has two users; the password of the first is temporary.
func sweepSeed(settings string) string {
	return `tenants:
  - id: demo
    mode: sandbox
    settings: ` + settings + `
    api_keys: [{name: backend, key: sk_demo}]
    clients:
      - {id: demo-client, secret: demo-secret, kind: application}
      - {id: demo-admin, secret: demo-admin-secret, kind: management}
    users:
      - {id: "1", email: "ada@example.com", password: {value: "Pa55word!", temporary: true}}
      - {id: "2", email: "bob@example.com", password: {value: "Pa55word!"}}
`
}

func (w *sweeper) temporary() string {
	body := `{"email":"ada@example.com","password":{"value":"Pa55word!"}}`
	r := w.send("POST", "/multi/login_with_password", []byte(body), "api-key", "sk_demo", "Content-Type", "application/json")
	m := regexp.MustCompile(`"token":"([^"]+)"`).FindSubmatch(r.body)
	if m == nil {
		w.t.Fatalf("no temporary token: %d %s", r.status, r.body)
	}
	return string(m[1])
}

func (w *sweeper) clientToken() string { return w.tokenOf("demo-client", "demo-secret") }

func (w *sweeper) tokenOf(id, secret string) string {
	form := "grant_type=client_credentials&client_id=" + id + "&client_secret=" + secret
	r := w.send("POST", "/oidc/token", []byte(form), "Content-Type", "application/x-www-form-urlencoded")
	m := regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(r.body)
	if m == nil {
		w.t.Fatalf("no client token: %d %s", r.status, r.body)
	}
	return string(m[1])
}

// userToken is an access token of a user's on /cis.
func (w *sweeper) userToken() string {
	body := `{"username":"bob@example.com","username_type":"email","password":"Pa55word!"}`
	r := w.send("POST", "/cis/v1/auth/password/authenticate", []byte(body), "Authorization", "Bearer "+w.clientToken(), "Content-Type", "application/json")
	m := regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(r.body)
	if m == nil {
		w.t.Fatalf("no user token: %d %s", r.status, r.body)
	}
	return string(m[1])
}

// takes reports whether an operation needs a credential of a scheme.
func takes(doc *openapi3.T, op *openapi3.Operation, scheme string) bool {
	needs := doc.Security
	if op.Security != nil {
		needs = *op.Security
	}
	for _, all := range needs {
		if _, ok := all[scheme]; ok {
			return true
		}
	}
	return false
}

// otherMethod is one that a path does not have.
func otherMethod(item *openapi3.PathItem) string {
	for _, method := range []string{"PUT", "GET", "TRACE"} {
		if item.GetOperation(method) == nil {
			return method
		}
	}
	return "OPTIONS"
}

// want sends the example of an operation, with an API key unless the headers say otherwise, and wants a status. The headers are names and
// values in turn; an empty value takes one away.
func (w *sweeper) want(method, path string, op *openapi3.Operation, status int, headers ...string) {
	w.t.Helper()
	all := append([]string{"api-key", "sk_demo"}, headers...)
	var body []byte
	if op.RequestBody != nil && method != "TRACE" {
		body = example(w.t, op)
		all = append(all, "Content-Type", "application/json")
	}
	path = fillPath(path, op)
	if got := w.send(method, path, body, all...); got.status != status {
		w.t.Errorf("%s %s (%s): got %d %s, want %d", method, path, op.OperationID, got.status, got.body, status)
	}
}

// example is the example body of an operation; of one that takes a form there is none.
func example(t *testing.T, op *openapi3.Operation) []byte {
	if op.RequestBody.Value.Content.Get("application/json") == nil {
		return nil
	}
	schema := op.RequestBody.Value.Content.Get("application/json").Schema.Value
	text, err := (&openapi3.Schema{Example: schema.Example}).MarshalJSON()
	if err != nil || schema.Example == nil {
		t.Fatalf("%s: its body has no example: %v", op.OperationID, err)
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(text, []byte(`{"example":`)), []byte(`}`))
}

// fillPath puts the examples of its parameters into a path.
func fillPath(path string, op *openapi3.Operation) string {
	for _, p := range op.Parameters {
		if value, ok := p.Value.Example.(string); ok && p.Value.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", value)
		}
	}
	return path
}

// send sends a request and notes what the answer shows.
func (w *sweeper) send(method, path string, body []byte, headers ...string) *reply {
	w.t.Helper()
	out, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if out.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			out.Header.Del(headers[i])
		}
	}
	got, err := http.DefaultClient.Do(out)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &reply{got.StatusCode, got.Header, text}
	if w.doc == nil {
		return r
	}
	operations, code, err := checkExchange(w.doc, out, request{method: method, path: path, body: body, bad: true}, r)
	if err != nil {
		w.t.Errorf("%s %s: %v", method, path, err)
	}
	for _, op := range operations {
		w.noted.note(op, code)
	}
	return r
}

// sweepDevices does the same over the document of devices. What needs a bound device is left to scripts.
func (s *suite) sweepDevices(t *testing.T) {
	w := s.sweeper(t, deviceDoc, "{}")
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !takes(w.doc, op, "deviceToken") { // others are asked for it first
				w.want(method, path+"?%ff=1", op, http.StatusBadRequest)
			}
			w.want(otherMethod(item), path, op, http.StatusMethodNotAllowed)
			if op.Responses.Status(http.StatusUnauthorized) != nil {
				w.want(method, path, op, http.StatusUnauthorized, "api-key", "")
			}
		}
	}
}
