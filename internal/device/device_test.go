package device_test

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/device"
	"countersign/internal/device/deviceclient"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/jose"
	"countersign/internal/seal"
)

var update = flag.Bool("update", false, "write the golden files")

// server is the dialect over a domain, with a device that is bound to Ada.
type server struct {
	*authtest.Env
	http.Handler
	api *device.API
	mux *httpx.Mux
	key *jose.Key
}

func serve(t *testing.T, change ...func(*auth.Setup)) *server {
	t.Helper()
	s := &server{Env: authtest.New(t, change...), mux: &httpx.Mux{}}
	var err error
	if s.api, err = device.New(device.Config{Auth: s.Service, Now: s.Clock.Now, Stopping: t.Context()}); err != nil {
		t.Fatal(err)
	}
	if err := s.api.Mount(s.mux); err != nil {
		t.Fatal(err)
	}
	s.Handler = s.mux.Handler(httpx.Config{})
	if s.key, err = jose.Generate(jose.ES256); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) told() deviceclient.Configuration {
	return deviceclient.Configuration{Issuer: s.Issuer(), Now: s.Clock.Now().Unix()}
}

// bind binds the server's key by a session of two methods.
func (s *server) bind(t *testing.T) {
	t.Helper()
	set, err := s.AuthenticatePassword(t.Context(), s.App(), auth.BackendLogin{
		PasswordLogin: auth.PasswordLogin{Kind: auth.ByUsername, Identifier: "ada", Password: seal.NewSecret(authtest.Password)},
	})
	if err != nil {
		t.Fatal(err)
	}
	by, live, err := s.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	live.Session.Methods = append(live.Session.Methods, auth.MethodSMS)
	ticket, err := s.IssueUserTicket(t.Context(), by, live)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := s.told().Proof(s.key, deviceclient.Binding{Ticket: ticket.Text, Name: "Phone"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.BindKey(t.Context(), auth.KeyBinding{Key: s.key.Public().String(), Proof: proof}, auth.Via{}); err != nil {
		t.Fatal(err)
	}
}

func (s *server) call(t *testing.T, method, path, body string) httpxtest.Call {
	t.Helper()
	token, err := s.told().Token(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return httpxtest.Call{Method: method, Path: path, Body: body, Header: map[string]string{"Authorization": "Bearer " + token}}
}

func TestDocumentAndRoutesAgree(t *testing.T) {
	t.Parallel()
	s := serve(t)
	described := map[httpx.Route]bool{}
	for _, op := range s.api.Doc().Operations() {
		described[httpx.Route{Method: op.Method, Path: op.Path}] = true
	}
	for _, route := range s.mux.Routes() {
		if !described[route] {
			t.Errorf("%s %s is served and not described", route.Method, route.Path)
		}
		delete(described, route)
	}
	for route := range described {
		t.Errorf("%s %s is described and not served", route.Method, route.Path)
	}
}

// TestEveryCallNeedsItsToken: but for what a device asks before it is bound, nobody is let in without a token, whatever else is wrong.
func TestEveryCallNeedsItsToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	open := map[string]bool{"/device/v1/configuration": true, "/device/v1/devices": true, "/device/v1/tickets": true}
	closed := 0
	for _, op := range s.api.Doc().Operations() {
		if open[op.Path] {
			continue
		}
		closed++
		for _, bearer := range []string{"", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi"} {
			c := httpxtest.Call{Method: op.Method, Path: op.Path, Body: "nonsense", Header: map[string]string{"Authorization": bearer}}
			if r := c.Do(s); r.Code != http.StatusUnauthorized || r.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with %q: got %s", op.Method, op.Path, bearer, httpxtest.Text(r))
			}
		}
	}
	if closed < 8 {
		t.Errorf("got %d operations that need a token", closed)
	}
}

// TestEveryConstraintOfTheDocument breaks each constraint of each field of each request; the problem names the field.
func TestEveryConstraintOfTheDocument(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.bind(t)
	n := 0
	check := func(name string, c httpxtest.Call, field string) {
		t.Helper()
		n++
		r := c.Do(s)
		var body struct{ Code, Detail string }
		last := field[strings.LastIndexByte(field, '.')+1:]
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil || r.Code != http.StatusBadRequest || body.Code != "invalid_request" ||
			!strings.Contains(body.Detail, last) {
			t.Errorf("%s: got %d %s, want an invalid_request of %s", name, r.Code, r.Body, field)
		}
	}
	doc := httpxtest.Load(t, api.Device())
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range httpxtest.BrokenParams(op.Parameters) {
				at := filled(path, op)
				switch p.In {
				case "path":
					at = strings.ReplaceAll(path, "{"+p.Field+"}", p.Value)
				case "query":
					at += "?" + p.Field + "=" + p.Value
				}
				check(path+" "+p.Field+"="+p.Value, s.call(t, method, at, ""), p.Field)
			}
			if op.RequestBody == nil {
				continue
			}
			for _, b := range httpxtest.BrokenBodies(t, op.RequestBody.Value.Content.Get("application/json").Schema) {
				check(path+" "+b.Name, s.call(t, method, filled(path, op), b.Body), b.Field)
			}
		}
	}
	if n < 40 {
		t.Errorf("got %d broken requests, want all constraints of the document", n)
	}
}

// filled puts the examples of its parameters into a path.
func filled(path string, op *openapi3.Operation) string {
	for _, p := range op.Parameters {
		if text, ok := p.Value.Example.(string); ok && p.Value.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", text)
		}
	}
	return path
}

// TestErrorTable writes the reply to every code of the domain.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, c := range auth.Codes() {
		if status := device.StatusOf(c); status < 400 || status > 599 {
			t.Errorf("%s: got status %d", c, status)
		}
		r := httptest.NewRecorder()
		device.WriteProblem(&httpx.Response{ResponseWriter: r}, &auth.Error{Code: c, RetryAfter: 1500 * time.Millisecond})
		if device.StatusOf(c) != http.StatusInternalServerError { // which is of a code that no call of a device meets
			text.WriteString("# " + c.String() + "\n" + httpxtest.Text(r) + "\n")
		} else if strings.Contains(r.Body.String(), c.String()) && c != auth.CodeInternal {
			t.Errorf("%s: its name is told, and it is a fault: %s", c, r.Body)
		}
	}
	httpxtest.Golden(t, "errors", text.String(), *update)
}

// TestCausesStayPrivate: what went wrong inside is for the log.
func TestCausesStayPrivate(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.1.2.3: secret cause")
	for _, err := range []error{secret, &auth.Error{Code: auth.CodeKeyInvalid, Cause: secret}, &auth.Error{Code: auth.CodeInternal, Cause: secret}} {
		r := httptest.NewRecorder()
		w := &httpx.Response{ResponseWriter: r}
		device.WriteProblem(w, err)
		if strings.Contains(r.Body.String(), "secret") || !errors.Is(w.Cause, secret) {
			t.Errorf("%v: got %s, and for the log %v", err, r.Body, w.Cause)
		}
	}
}
