package apitest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// aviary is a server to which canaries are sent, with the ways to be let in.
type aviary struct {
	*canaries
	t        *testing.T
	base     string
	mu       sync.Mutex
	hooked   []byte            // what the webhook was told
	refusals map[string][]byte // by what was sent
	calls    int
	device   *deviceclient.Client
	key      *jose.Key
	headers  map[string][]string // by what an operation asks for
}

// canarySeed is the demo with a webhook, no limits, and PINs that the server keeps.
func canarySeed(t *testing.T, hook string) string {
	return writeSeed(t, fmt.Sprintf(`tenants:
  - id: demo
    mode: sandbox
    settings: {rate_limits: false, push: {pin: server, limit: {count: 100, window: 1m}}}
    webhook: {url: %q}
    api_keys: [{name: backend, key: sk_demo}]
    programme_keys: [pk_demo]
    clients:
      - {id: demo-client, secret: demo-secret, kind: application, redirect_uris: ["http://127.0.0.1:9/complete"]}
      - {id: demo-admin, secret: demo-admin-secret, kind: management}
    identities: [{type: CONSUMER, id: "1001", name: Ada Lovelace}]
    users:
      - {id: "1001", email: ada@example.com, email_verified: true, username: ada, phone: "+35699111111", phone_verified: true,
         password: {value: "Pa55word!"}, root_of: ["CONSUMER:1001"], authenticators: [{kind: sms}]}
`, hook))
}

// TestCanaries is B-58: whatever is sent, in whatever place of whatever operation, well-formed or not, stands neither in the
// log nor in a refusal; and what is sent where a secret belongs stands neither in the database, nor in a message, nor in a webhook's news. The
// program has one level of logging; there is no other to turn on.
func TestCanaries(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "test.db")
	proveCanaries(t, data, map[string]func() []byte{"the database": func() []byte { return files(t, data) }})
}

// proveCanaries sends canaries to a server on a database, and looks for them in its log, in what it answers and tells, and in what is kept.
func proveCanaries(t *testing.T, data string, kept map[string]func() []byte) {
	a := &aviary{
		canaries: &canaries{sent: make(map[string]canary), rand: rand.New(rand.NewPCG(58, 131))}, t: t, refusals: make(map[string][]byte),
	}
	a.checkSpellings()
	hooks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hooked = append(a.hooked, body...)
	}))
	t.Cleanup(hooks.Close)
	s := Start(t, Options{Data: data, Seed: canarySeed(t, hooks.URL)})
	a.base = s.URL
	operations := a.releaseAll()
	t.Logf("%d calls of %d operations with %d canaries", a.calls, operations, len(a.sent))
	if operations < 200 || a.calls < 2500 || len(a.hooked) == 0 {
		t.Errorf("%d calls of %d operations, %d bytes of news: no run to speak of", a.calls, operations, len(a.hooked))
	}
	inbox := a.get("/sandbox/inbox")
	for sink, text := range map[string][]byte{"a message": inbox, "a webhook's news": a.hooked} {
		for _, where := range a.found(text, true) {
			t.Errorf("%s holds what was sent in %s", sink, where)
		}
	}
	for call, body := range a.refusals {
		for _, where := range a.found(body, false) {
			t.Errorf("the refusal of %s repeats %s: %s", call, where, body)
		}
	}
	if err := s.Stop(t); err != nil {
		t.Fatal(err)
	}
	for sink, text := range kept {
		for _, where := range a.found(text(), true) {
			t.Errorf("%s holds what was sent in %s", sink, where)
		}
	}
	for line := range strings.Lines(s.Log()) {
		for _, where := range a.found([]byte(line), false) {
			t.Errorf("the log holds what was sent in %s: %s", where, line)
		}
	}
	if !bytes.Contains([]byte(s.Log()), []byte(`"route":"/multi/login_with_password"`)) || strings.Contains(s.Log(), `"stack"`) {
		t.Error("the log is not what it should be")
	}
}

// releaseAll sends canaries to every operation, and returns how many there are.
func (a *aviary) releaseAll() (operations int) {
	a.t.Helper()
	for _, path := range []string{multiDoc, cisDoc, deviceDoc} {
		doc, err := openapi3.NewLoader().LoadFromData(a.get(path))
		if err != nil {
			a.t.Fatal(err)
		}
		for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
			for method, op := range doc.Paths.Value(path).Operations() {
				a.prepare()
				a.release(doc, method, path, op)
				operations++
			}
		}
	}
	return operations
}

func (a *aviary) get(path string) []byte {
	a.t.Helper()
	got, err := http.Get(a.base + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s, %v", path, got.Status, err)
	}
	return text
}

// post makes a call that is to succeed, and returns a member of its answer.
func (a *aviary) post(path, body, member string, headers ...string) (string, bool) {
	a.t.Helper()
	out, err := http.NewRequestWithContext(a.t.Context(), "POST", a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	out.Header.Set("Content-Type", jsonType)
	for i := 0; i < len(headers); i += 2 {
		out.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(out)
	if err != nil {
		a.t.Fatal(err)
	}
	defer got.Body.Close()
	var all map[string]any
	text, _ := io.ReadAll(got.Body)
	_ = json.Unmarshal(text, &all) // many an answer is empty
	value, _ := all[member].(string)
	return value, got.StatusCode/100 == 2
}

// prepare makes sure that what lets callers in is good: a call may have ended it, or have changed its user.
func (a *aviary) prepare() {
	a.t.Helper()
	if a.headers != nil && a.letIn() {
		return
	}
	for range 2 {
		if a.enter() {
			return
		}
		if _, ok := a.post("/sandbox/reset", "{}", ""); !ok {
			a.t.Fatal("the sandbox was not reset")
		}
		a.device = nil
	}
	a.t.Fatal("nobody is let in")
}

// letIn reports whether the tokens are still good.
func (a *aviary) letIn() bool {
	for scheme, path := range map[string]string{"bearerToken": "/multi/identities", "UserAccessToken": "/cis/v1/users/me/totp"} {
		out, err := http.NewRequestWithContext(a.t.Context(), "GET", a.base+path, nil)
		if err != nil {
			a.t.Fatal(err)
		}
		for i := 0; i < len(a.headers[scheme]); i += 2 {
			out.Header.Set(a.headers[scheme][i], a.headers[scheme][i+1])
		}
		got, err := http.DefaultClient.Do(out)
		if err != nil {
			a.t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode == http.StatusUnauthorized || got.StatusCode == http.StatusLocked || got.StatusCode == http.StatusForbidden {
			return false
		}
	}
	return true
}

// enter logs Ada in on both contracts, steps her up, and binds a device.
func (a *aviary) enter() bool {
	a.t.Helper()
	if _, ok := a.post("/sandbox/clock", `{"advance":"1h"}`, ""); !ok {
		return false
	}
	key := []string{"api-key", "sk_demo"}
	token, ok := a.post("/multi/login_with_password", `{"email":"ada@example.com","password":{"value":"Pa55word!"}}`, "token", key...)
	user := append(slices.Clone(key), "Authorization", "Bearer "+token)
	if !ok {
		return false
	}
	a.post("/multi/stepup/challenges/otp/SMS", "", "", user...)
	if _, ok := a.post("/multi/stepup/challenges/otp/SMS/verify", `{"verificationCode":"123456"}`, "", user...); !ok {
		return false
	}
	form := "grant_type=client_credentials&client_id=demo-admin&client_secret=demo-admin-secret"
	admin, ok1 := a.post("/oidc/token", form, "access_token", "Content-Type", formType)
	form = strings.ReplaceAll(form, "demo-admin", "demo-client")
	client, ok2 := a.post("/oidc/token", strings.Replace(form, "demo-client-secret", "demo-secret", 1), "access_token", "Content-Type", formType)
	access, ok3 := a.post("/cis/v1/auth/password/authenticate", `{"username":"ada","password":"Pa55word!"}`, "access_token", "Authorization", "Bearer "+client)
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	a.headers = map[string][]string{
		"bearerToken": user, "apiKey": key, "": {"Authorization", "Bearer " + admin}, "client": {"Authorization", "Bearer " + client},
		"UserAccessToken": {"Authorization", "Bearer " + access},
	}
	return a.bind(user)
}

func (a *aviary) bind(user []string) bool {
	a.t.Helper()
	if a.device != nil {
		if _, err := a.device.Device(a.t.Context()); err == nil {
			return true
		}
	}
	ticket, ok := a.post("/device/v1/tickets", "", "ticket", user...)
	if !ok {
		return false
	}
	a.key = newKey(a.t, jose.ES256)
	a.device = deviceclient.New(a.base, a.key)
	_, err := a.device.Bind(a.t.Context(), deviceclient.Binding{Ticket: ticket, Name: "Phone", PIN: "271828"})
	return err == nil
}

// credentials are what lets a call of an operation in.
func (a *aviary) credentials(doc *openapi3.T, path string, op *openapi3.Operation) []string {
	switch {
	case takes(doc, op, "deviceToken"):
		told, err := a.device.Configuration(a.t.Context())
		if err != nil {
			a.t.Fatal(err)
		}
		token, err := told.Token(a.key)
		if err != nil {
			a.t.Fatal(err)
		}
		return []string{"Authorization", "Bearer " + token}
	case takes(doc, op, "UserAccessToken"):
		return a.headers["UserAccessToken"]
	case strings.HasPrefix(path, "/cis/v1/auth"):
		return a.headers["client"]
	case strings.HasPrefix(path, "/cis"):
		return a.headers[""]
	}
	return a.headers["bearerToken"]
}

// release sends canaries in every place of an operation.
func (a *aviary) release(doc *openapi3.T, method, path string, op *openapi3.Operation) {
	a.t.Helper()
	where := method + " " + path
	let := a.credentials(doc, path, op)
	var body []byte
	typ := ""
	if op.RequestBody != nil {
		if body, typ = example(a.t, op), jsonType; body == nil {
			typ = formType
		}
	}
	send := func(path string, body []byte, headers ...string) {
		a.send(where, method, path, typ, body, append(slices.Clone(let), headers...)...)
	}
	good := fillPath(path, op)
	for _, one := range a.bodies(where, body) {
		send(good, one)
	}
	for _, one := range a.beside(where, body, op) {
		send(good, one)
	}
	for _, p := range op.Parameters {
		value := a.at(where, p.Value.Name)
		switch p.Value.In {
		case "path":
			send(fillPath(strings.ReplaceAll(path, "{"+p.Value.Name+"}", value), op), body)
		case "query":
			send(good+"?"+p.Value.Name+"="+value, body)
		case "header":
			send(good, body, p.Value.Name, value)
		}
	}
	if typ == formType {
		for name := range op.RequestBody.Value.Content.Get(formType).Schema.Value.Properties {
			send(good, []byte("grant_type=password&"+url.Values{name: {a.at(where, name)}}.Encode()))
		}
	}
	send(good+"?"+a.at(where, "name of a parameter")+"="+a.at(where, "value of a parameter"), body)
	send(good+"?%zz="+a.at(where, "behind a broken escape"), body)
	send(good+"/"+a.at(where, "longer path"), body)
	var along []string
	for _, name := range []string{
		"Cookie", "User-Agent", "Referer", "X-Forwarded-For", "X-Request-Id", "request-ref", "idempotency-ref", "Origin", "Accept-Language",
	} {
		along = append(along, name, a.at(where, name))
	}
	send(good, body, along...)
	for _, name := range []string{"api-key", "Authorization", "Content-Type"} {
		send(good, body, name, a.at(where, name))
	}
	send(good, body, "Authorization", "Bearer "+a.at(where, "Authorization")+"."+a.at(where, "Authorization")+"."+a.at(where, "Authorization"))
	send(good, body, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.at(where, "id")+":"+a.at(where, "secret"))))
}

// beside are a body with each member that its example leaves out.
func (a *aviary) beside(where string, body []byte, op *openapi3.Operation) [][]byte {
	var example map[string]any
	if json.Unmarshal(body, &example) != nil {
		return nil
	}
	var all [][]byte
	for name, of := range op.RequestBody.Value.Content.Get(jsonType).Schema.Value.Properties {
		if _, ok := example[name]; ok {
			continue
		}
		more := maps.Clone(example)
		more[name] = a.at(where, name)
		if of.Value.Type.Is("array") {
			more[name] = []any{more[name]}
		}
		text, err := json.Marshal(more)
		if err != nil {
			a.t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

// send makes one call and keeps what it was refused with.
func (a *aviary) send(where, method, path, typ string, body []byte, headers ...string) {
	a.t.Helper()
	out, err := http.NewRequestWithContext(a.t.Context(), method, a.base, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	raw, query, _ := strings.Cut(path, "?")
	out.URL.Path, out.URL.RawQuery = raw, query
	if typ != "" {
		out.Header.Set("Content-Type", typ)
	}
	for i := 0; i < len(headers); i += 2 {
		out.Header.Set(headers[i], headers[i+1])
	}
	if strings.HasSuffix(path, "/events") { // it would go on for minutes
		return
	}
	got, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		a.t.Errorf("%s: %v", where, err)
		return
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		a.t.Errorf("%s: %v", where, err)
	}
	a.calls++
	if got.StatusCode >= http.StatusInternalServerError && got.StatusCode != http.StatusServiceUnavailable {
		a.t.Errorf("%s: got %s for %s", where, got.Status, body)
	}
	if got.StatusCode >= http.StatusBadRequest {
		a.refusals[fmt.Sprintf("%s (%d, %d)", where, got.StatusCode, a.calls)] = text
	}
}
