package multi_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/multi"
	"countersign/internal/seal"
)

var update = flag.Bool("update", false, "write the golden files")

// server is the dialect over a domain in the starting state.
type server struct {
	*authtest.Env
	http.Handler
	mux *httpx.Mux
	log strings.Builder
}

func serve(t *testing.T, change ...func(*auth.Setup)) *server {
	t.Helper()
	s := &server{Env: authtest.New(t, change...), mux: &httpx.Mux{}}
	dialect, err := multi.New(s.Service)
	if err != nil {
		t.Fatal(err)
	}
	if err := dialect.Mount(s.mux); err != nil {
		t.Fatal(err)
	}
	s.Handler = s.mux.Handler(httpx.Config{Logger: slog.New(slog.NewTextHandler(&s.log, nil))})
	return s
}

const key = "test key of demo"

// post makes a call with the API key and, if there is one, a token.
func post(path, token, body string) httpxtest.Call { return call("POST", path, token, body) }

func call(method, path, token, body string) httpxtest.Call {
	c := httpxtest.Call{Method: method, Path: path, Body: body, Header: map[string]string{"api-key": key}}
	if token != "" {
		c.Header["Authorization"] = "Bearer " + token
	}
	return c
}

func loginBody(name, password string) string {
	return `{"email":"` + name + `@example.com","password":{"value":"` + password + `"}}`
}

func tokenIn(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct{ Token string }
	if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil || body.Token == "" {
		t.Fatalf("no token in %d %s", r.Code, r.Body)
	}
	return body.Token
}

func (s *server) login(t *testing.T, name string) string {
	t.Helper()
	return tokenIn(t, post("/multi/login_with_password", "", loginBody(name, authtest.Password)).Do(s))
}

// transcript collects the golden text of a scenario, and holds every reply against the document.
type transcript struct {
	t    *testing.T
	s    *server
	text strings.Builder
}

func (tr *transcript) do(title string, c httpxtest.Call) *httptest.ResponseRecorder {
	tr.t.Helper()
	r := c.Do(tr.s)
	tr.text.WriteString("# " + title + "\n" + c.Method + " " + c.Path + "\n" + httpxtest.Text(r, "token") + "\n")
	path, _, _ := strings.Cut(c.Path, "?")
	if err := httpxtest.Conforms(httpxtest.Load(tr.t, api.Multi()), c.Method, path, r); err != nil {
		tr.t.Errorf("%s: %v", title, err)
	}
	return r
}

// TestReplies is one scenario over every operation with every kind of answer that it can give.
func TestReplies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	tr := &transcript{t: t, s: s}
	const login, access, identities = "/multi/login_with_password", "/multi/access_token", "/multi/identities"
	const logout, passwords = "/multi/logout", "/multi/passwords/update"
	change := func(old, fresh string) string {
		return `{"oldPassword":{"value":"` + old + `"},"newPassword":{"value":"` + fresh + `"}}`
	}
	one := tokenIn(t, tr.do("one identity", post(login, "", loginBody("ada", authtest.Password))))
	many := tokenIn(t, tr.do("two identities", post(login, "", loginBody("charles", authtest.Password))))
	none := tokenIn(t, tr.do("no identity", post(login, "", loginBody("nobody", authtest.Password))))
	tr.do("wrong password", post(login, "", loginBody("ada", "wrong")))
	tr.do("unknown user", post(login, "", loginBody("stranger", "wrong")))
	temporary := tokenIn(t, tr.do("temporary password", post(login, "", loginBody("alan", authtest.Password))))
	tr.do("expired password", post(login, "", loginBody("grace", authtest.Password)))
	tr.do("malformed", post(login, "", `{"email":"nonsense","password":{}}`))
	tr.do("not JSON", post(login, "", `{"email":`))
	tr.do("no body", post(login, "", ""))
	stranger := post(login, "", loginBody("ada", authtest.Password))
	stranger.Header["api-key"] = "wrong"
	tr.do("wrong key", stranger)
	delete(stranger.Header, "api-key")
	tr.do("no key", stranger)

	tr.do("identities", call("GET", identities, many, ""))
	tr.do("a part of them", call("GET", identities+"?offset=1&limit=1", many, ""))
	tr.do("beyond them", call("GET", identities+"?offset=7", many, ""))
	tr.do("of nobody", call("GET", identities, none, ""))
	tr.do("malformed page", call("GET", identities+"?offset=-1&limit=x", many, ""))
	tr.do("no token", call("GET", identities, "", ""))
	tr.do("made-up token", call("GET", identities, "made-up", ""))
	tr.do("token of another kind", call("GET", identities, temporary, ""))

	tr.do("access token", post(access, many, `{"identity":{"type":"CORPORATE","id":"2002"}}`))
	tr.do("for the only identity", post(access, one, ""))
	tr.do("for the only identity, said with nothing", post(access, one, "{}"))
	tr.do("for which of them", post(access, many, "{}"))
	tr.do("for somebody else's", post(access, many, `{"identity":{"type":"CONSUMER","id":"1001"}}`))
	tr.do("for nobody's", post(access, many, `{"identity":{"type":"CONSUMER","id":"9"}}`))
	tr.do("malformed identity", post(access, many, `{"identity":{"type":"PERSON"}}`))
	tr.do("delegated", post(access, many, `{"clientAssertion":"x"}`))
	tr.do("with a token of another kind", post(access, temporary, "{}"))
	tr.do("without a token", post(access, "", "{}"))

	tr.do("wrong old password", post(passwords, one, change("wrong", "N3w-Pa55word!")))
	tr.do("too short", post(passwords, one, change(authtest.Password, "N3w!")))
	tr.do("too long", post(passwords, one, change(authtest.Password, "N3w-Pa55word!"+strings.Repeat("x", 20))))
	tr.do("too simple", post(passwords, one, change(authtest.Password, "newpassword")))
	tr.do("used", post(passwords, one, change(authtest.Password, authtest.Password)))
	one = tokenIn(t, tr.do("changed", post(passwords, one, change(authtest.Password, "N3w-Pa55word!"))))
	tr.do("with the temporary token", post(passwords, temporary, change(authtest.Password, "N3w-Pa55word!")))
	tr.do("with the temporary token again", post(passwords, temporary, change("N3w-Pa55word!", "N3wer-Pa55word!")))

	tr.do("logout", post(logout, one, ""))
	tr.do("logout again", post(logout, one, ""))
	for range 5 {
		post(login, "", loginBody("charles", "wrong")).Do(s)
	}
	s.Clock.Advance(90*time.Second + time.Millisecond)
	tr.do("locked", post(login, "", loginBody("charles", authtest.Password)))
	tr.do("locked, for access", post(access, many, `{"identity":{"type":"CORPORATE","id":"2001"}}`))
	tr.do("locked, for a change", post(passwords, many, change(authtest.Password, "N3w-Pa55word!")))
	httpxtest.Golden(t, "replies", tr.text.String(), *update)
}

func TestIdentitiesAsAPage(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(func(s *auth.Settings) { s.IdentitiesReply = auth.IdentitiesPage }))
	tr := &transcript{t: t, s: s}
	token := s.login(t, "charles")
	tr.do("all", call("GET", "/multi/identities", token, ""))
	tr.do("the second", call("GET", "/multi/identities?offset=1&limit=1", token, ""))
	tr.do("none", call("GET", "/multi/identities", s.login(t, "nobody"), ""))
	httpxtest.Golden(t, "page", tr.text.String(), *update)
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(func(s *auth.Settings) { s.Maintenance = true }))
	for _, op := range httpxOperations(t, s) {
		r := call(op.Method, op.Path, "any", "{}").Do(s)
		if r.Code != http.StatusServiceUnavailable || r.Body.Len() > 0 || r.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: got %s", op.Method, op.Path, httpxtest.Text(r))
		}
	}
}

func httpxOperations(t *testing.T, s *server) []*httpx.Operation {
	t.Helper()
	dialect, err := multi.New(s.Service)
	if err != nil {
		t.Fatal(err)
	}
	return dialect.Doc().Operations()
}

// TestEveryCallNeedsTheKey: the key comes first, whatever else is wrong.
func TestEveryCallNeedsTheKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, op := range httpxOperations(t, s) {
		r := httpxtest.Call{Method: op.Method, Path: op.Path, Body: "nonsense"}.Do(s)
		if r.Code != http.StatusUnauthorized {
			t.Errorf("%s %s: got %d", op.Method, op.Path, r.Code)
		}
	}
	if log := s.log.String(); strings.Contains(log, "operator") {
		t.Errorf("a caller without a key is logged as an operator:\n%s", log)
	}
}

func TestDocumentAndRoutesAgree(t *testing.T) {
	t.Parallel()
	s := serve(t)
	described := map[httpx.Route]bool{}
	for _, op := range httpxOperations(t, s) {
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

// TestRepetitionIsDescribed: whoever may send the header idempotency-ref finds it in the document, and it is heeded where it stands there.
func TestRepetitionIsDescribed(t *testing.T) {
	t.Parallel()
	heeded := multi.RepeatedRoutes()
	for path, item := range httpxtest.Load(t, api.Multi()).Paths.Map() {
		for method, op := range item.Operations() {
			described := op.Parameters.GetByInAndName("header", "idempotency-ref") != nil
			if got := heeded[httpx.Route{Method: method, Path: path}]; got != described {
				t.Errorf("%s %s: heeds the header: %t, described: %t", method, path, got, described)
			}
		}
	}
}

// TestEveryConstraintOfTheDocument breaks each constraint of each field of each request and looks for its field error.
func TestEveryConstraintOfTheDocument(t *testing.T) {
	t.Parallel()
	s := serve(t)
	token, doc, n := s.login(t, "charles"), httpxtest.Load(t, api.Multi()), 0
	check := func(name string, c httpxtest.Call, field, code string) {
		t.Helper()
		n++
		r := c.Do(s)
		var body struct {
			SyntaxErrors struct {
				InvalidFields []struct{ FieldName, Error string }
			}
		}
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil || r.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d %s", name, r.Code, r.Body)
			return
		}
		for _, f := range body.SyntaxErrors.InvalidFields {
			if f.FieldName == field && f.Error == code {
				return
			}
		}
		t.Errorf("%s: got %s, want %s %s", name, r.Body, field, code)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range httpxtest.BrokenParams(op.Parameters) {
				check(path+" "+p.Field+"="+p.Value, broken(method, path, token, op, p), p.Field, p.Code)
			}
			if op.RequestBody == nil {
				continue
			}
			for _, b := range httpxtest.BrokenBodies(t, op.RequestBody.Value.Content.Get("application/json").Schema) {
				check(path+" "+b.Name, call(method, filled(path, op, ""), token, b.Body), b.Field, b.Code)
			}
		}
	}
	if n < 40 {
		t.Errorf("got %d broken requests, want all constraints of the document", n)
	}
}

// broken is a call of an operation with one parameter that breaks the document.
func broken(method, path, token string, op *openapi3.Operation, p httpxtest.BrokenParam) httpxtest.Call {
	c := call(method, filled(path, op, p.Field), token, "")
	switch p.In {
	case "path":
		c.Path = strings.ReplaceAll(c.Path, "{"+p.Field+"}", p.Value)
	case "header":
		c.Header[p.Field] = p.Value
	default:
		c.Path += "?" + p.Field + "=" + p.Value
	}
	return c
}

// filled puts the examples of its parameters into a path, but for one.
func filled(path string, op *openapi3.Operation, but string) string {
	for _, p := range op.Parameters {
		if text, ok := p.Value.Example.(string); ok && p.Value.In == "path" && p.Value.Name != but {
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", text)
		}
	}
	return path
}

// TestErrorTable writes the reply to every code of the domain, and proves that the table has one for each.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, c := range auth.Codes() {
		if status := multi.StatusOf(c); status < 400 || status > 599 {
			t.Errorf("%s: got status %d", c, status)
		}
		text.WriteString("# " + c.String() + "\n" + refused(c, false) + "\n")
	}
	httpxtest.Golden(t, "errors", text.String(), *update)
}

// refused is the reply to a refusal in full dress.
func refused(c auth.Code, bare403 bool) string {
	e := &auth.Error{Code: c, Field: "password"}
	switch c {
	case auth.CodeLocked, auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded:
		e.RetryAfter = 1500 * time.Millisecond
	case auth.CodePasswordExpired, auth.CodePasswordTemp:
		e.Token = "token"
	}
	if c == auth.CodeBusy || c == auth.CodeThrottled {
		l := auth.Limit{Count: 5, Window: time.Minute}
		e.Limits = []auth.Limit{l, l, {Count: 600, Window: time.Hour}}
	}
	rec := httptest.NewRecorder()
	multi.WriteError(&httpx.Response{ResponseWriter: rec}, e, bare403)
	return httpxtest.Text(rec)
}

// TestWhatMustNotBeToldApart: a person who cannot log in does not learn why.
func TestWhatMustNotBeToldApart(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		want := refused(auth.CodeUnknownUser, bare)
		for _, c := range []auth.Code{auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended} {
			if got := refused(c, bare); got != want {
				t.Errorf("%s: got\n%s, want\n%s", c, got, want)
			}
		}
		if got, want := refused(auth.CodeReusedRefresh, bare), refused(auth.CodeInvalidRefresh, bare); got != want {
			t.Errorf("reuse: got\n%s, want\n%s", got, want)
		}
	}
	s := serve(t)
	first := httpxtest.Text(post("/multi/login_with_password", "", loginBody("stranger", authtest.Password)).Do(s))
	for _, name := range []string{"ada", "mary", "annie", "grace", "alan"} {
		password := "wrong"
		if name == "annie" || name == "mary" {
			password = authtest.Password
		}
		if got := httpxtest.Text(post("/multi/login_with_password", "", loginBody(name, password)).Do(s)); got != first {
			t.Errorf("%s: got\n%s, want\n%s", name, got, first)
		}
	}
}

// TestCausesStayPrivate: what is for the log is not for the caller, and an error nobody foresaw is a 500 without a word.
func TestCausesStayPrivate(t *testing.T) {
	t.Parallel()
	cause := &auth.Error{Code: auth.CodeInvalidToken, Cause: http.ErrHijacked}
	for _, err := range []error{cause, http.ErrHijacked, http.ErrBodyNotAllowed} {
		rec := httptest.NewRecorder()
		w := &httpx.Response{ResponseWriter: rec}
		multi.WriteError(w, err, false)
		if strings.Contains(rec.Body.String(), "http") || w.Cause == nil {
			t.Errorf("%v: got %s, cause %v", err, rec.Body, w.Cause)
		}
		if err != error(cause) && (rec.Code != 500 || rec.Body.Len() > 0) {
			t.Errorf("%v: got %d %s", err, rec.Code, rec.Body)
		}
	}
}

// TestSpellings: what real clients send is taken.
func TestSpellings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	token := s.login(t, "ada")
	for name, c := range map[string]httpxtest.Call{
		"another letter case of Bearer": {Method: "GET", Path: "/multi/identities", Header: map[string]string{"api-key": key, "Authorization": "bearer " + token}},
		"slashes in a row":              call("GET", "//multi///identities", token, ""),
		"a slash at the end":            call("GET", "/multi/identities/", token, ""),
		"members nobody knows":          post("/multi/login_with_password", "", `{"email":"ada@example.com","password":{"value":"Pa55word!","x":1},"y":[]}`),
	} {
		if r := c.Do(s); r.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", name, r.Code, r.Body)
		}
	}
	for name, header := range map[string]string{"no scheme": token, "another scheme": "Basic " + token, "two tokens": "Bearer " + token + " " + token} {
		c := call("GET", "/multi/identities", "", "")
		c.Header["Authorization"] = header
		if r := c.Do(s); r.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d", name, r.Code)
		}
	}
	for name, c := range map[string]httpxtest.Call{
		"no body": post("/multi/logout", token, ""), "an object": post("/multi/logout", token, "{}"),
	} {
		token := s.login(t, "ada")
		c.Header["Authorization"] = "Bearer " + token
		if r := c.Do(s); r.Code != http.StatusNoContent || r.Body.Len() > 0 {
			t.Errorf("logout with %s: got %d %s", name, r.Code, r.Body)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var text strings.Builder
	for _, c := range []httpxtest.Call{
		call("GET", "/multi/nothing", "", ""), call("GET", "/multi/login_with_password", "", ""), call("DELETE", "/multi/identities", "", ""),
		{Method: "POST", Path: "/multi/login_with_password", Body: "email=a", Header: map[string]string{"api-key": key, "Content-Type": "text/plain"}},
		post("/multi/login_with_password", "", `{"email":"`+strings.Repeat("a", 9000)+`"}`),
	} {
		text.WriteString(c.Method + " " + c.Path + "\n" + httpxtest.Text(c.Do(s)) + "\n")
	}
	httpxtest.Golden(t, "faults", text.String(), *update)
}

// TestBothPasswordsTooLong is refused with 400 before any hash, not with 500.
func TestBothPasswordsTooLong(t *testing.T) {
	t.Parallel()
	s := serve(t)
	long := seal.NewSecret(strings.Repeat("a", 1025))
	_, err := s.UpdatePassword(t.Context(), s.Key(), s.login(t, "ada"), long, long)
	rec := httptest.NewRecorder()
	multi.WriteError(&httpx.Response{ResponseWriter: rec}, err, false)
	if rec.Code != http.StatusBadRequest {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}
