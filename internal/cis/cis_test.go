package cis_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/cis"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/oidc"
	"countersign/internal/seal"
)

var update = flag.Bool("update", false, "write the golden files")

// server is the dialect over a domain in the starting state, with the token endpoint that shares its document.
type server struct {
	*authtest.Env
	http.Handler
	mux *httpx.Mux
	log strings.Builder
	doc *openapi3.T
	t   *testing.T
	app string // a client's own token
}

func serve(t *testing.T, change ...func(*auth.Setup)) *server {
	t.Helper()
	s := &server{Env: authtest.New(t, change...), mux: &httpx.Mux{}, doc: httpxtest.Load(t, api.CIS()), t: t}
	dialect, err := cis.New(s.Service)
	if err != nil {
		t.Fatal(err)
	}
	if err := dialect.Mount(s.mux); err != nil {
		t.Fatal(err)
	}
	oidc.New(s.Service, "https://auth.example/").Mount(s.mux)
	s.Handler = s.mux.Handler(httpx.Config{Logger: slog.New(slog.NewTextHandler(&s.log, nil))})
	s.app = s.newToken()
	return s
}

// newToken is another token of the client's own; empty when the tenant is closed.
func (s *server) newToken() string {
	tok, err := s.ClientToken(s.t.Context(), s.App(), "")
	if err != nil && auth.CodeOf(err) != auth.CodeMaintenance {
		s.t.Fatal(err)
	}
	return tok.AccessToken
}

func (s *server) call(method, path, body string) httpxtest.Call {
	return httpxtest.Call{Method: method, Path: path, Body: body, Header: map[string]string{"Authorization": "Bearer " + s.app}}
}

// bearer is a token that opens an operation: of a user where it needs one, of a client that administers the tenant, or the client's own.
func (s *server) bearer(op *httpx.Operation) string {
	if cis.Managed(op.Path) {
		tok, err := s.ClientToken(s.t.Context(), s.Admin(), "")
		if err != nil {
			s.t.Fatal(err)
		}
		return tok.AccessToken
	}
	security := s.doc.Paths.Value(op.Path).GetOperation(op.Method).Security
	if security == nil || slices.ContainsFunc(*security, func(r openapi3.SecurityRequirement) bool { return r["ClientAccessToken"] != nil }) {
		return s.app
	}
	return s.user().AccessToken
}

// user authenticates Ada by her password.
func (s *server) user() auth.TokenSet {
	s.t.Helper()
	set, err := s.AuthenticatePassword(s.t.Context(), s.App(), auth.BackendLogin{PasswordLogin: auth.PasswordLogin{
		Kind: auth.ByUserID, Identifier: "1001", Password: secret(authtest.Password),
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return set
}

func (s *server) post(path, body string) httpxtest.Call { return s.call("POST", path, body) }

const (
	passwordPath = "/cis/v1/auth/password/authenticate"
	sessionPath  = "/cis/v1/auth/session/authenticate"
	logoutPath   = "/cis/v1/auth/session/logout"
	refreshPath  = "/cis/v1/auth/token/refresh"
	usersPath    = "/cis/v1/users"
)

func member(t *testing.T, r *httptest.ResponseRecorder, name string) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %d %s", err, r.Code, r.Body)
	}
	if result, ok := body["result"].(map[string]any); ok {
		body = result
	}
	text, _ := body[name].(string)
	if text == "" {
		t.Fatalf("no %s in %d %s", name, r.Code, r.Body)
	}
	return text
}

// transcript collects the golden text of a scenario, and holds every reply against the document.
type transcript struct {
	*server
	text strings.Builder
}

// do makes a call whose path is as the document has it, with values for the names in braces.
func (tr *transcript) do(title string, c httpxtest.Call, values ...string) *httptest.ResponseRecorder {
	tr.t.Helper()
	template := c.Path
	for i := 0; i < len(values); i += 2 {
		c.Path = strings.ReplaceAll(c.Path, "{"+values[i]+"}", values[i+1])
	}
	r := c.Do(tr.server)
	tr.text.WriteString("# " + title + "\n" + c.Method + " " + template + "\n" +
		httpxtest.Text(r, "access_token", "id_token", "refresh_token", "session_id", "reset_token", "user_id", "secret", "uri") + "\n")
	if err := httpxtest.Conforms(tr.doc, c.Method, template, r); err != nil {
		tr.t.Errorf("%s: %v", title, err)
	}
	return r
}

// TestReplies is one scenario over every operation with every kind of answer that it can give.
func TestReplies(t *testing.T) {
	t.Parallel()
	tr := &transcript{server: serve(t)}
	in := func(members string) string { return `{"password":"Pa55word!",` + members + `}` }
	first := tr.do("by username", tr.post(passwordPath, in(`"username":"ada"`)))
	session, refresh := member(t, first, "session_id"), member(t, first, "refresh_token")
	tr.do("by e-mail address", tr.post(passwordPath, in(`"username":"ada@example.com","username_type":"email"`)))
	tr.do("by identifier", tr.post(passwordPath, in(`"identifier":"+35699111111","identifier_type":"phone_number"`)))
	tr.do("by id, into the session", tr.post(passwordPath, in(`"user_id":"1001","session_id":"`+session+`"`)))
	tr.do("with everything", tr.post(passwordPath,
		in(`"username":"charles","resource":"`+authtest.Resource+`","claims":{"id_token":{"email":null}},"org_id":"2002","device_id":"d","client_attributes":{"user_agent":"x"}`)))
	tr.do("wrong password", tr.post(passwordPath, `{"username":"ada","password":"wrong"}`))
	tr.do("unknown user", tr.post(passwordPath, `{"username":"stranger","password":"wrong"}`))
	tr.do("nobody named", tr.post(passwordPath, `{"password":"x"}`))
	tr.do("named twice", tr.post(passwordPath, in(`"username":"ada","user_id":"1001"`)))
	tr.do("an identifier of no type", tr.post(passwordPath, in(`"identifier":"ada"`)))
	tr.do("a malformed number", tr.post(passwordPath, in(`"username":"99","username_type":"phone_number"`)))
	tr.do("no member", tr.post(passwordPath, in(`"username":"ada","org_id":"2002"`)))
	tr.do("a foreign resource", tr.post(passwordPath, in(`"username":"ada","resource":"https://other.example"`)))
	tr.do("a session that is not there", tr.post(passwordPath, in(`"username":"ada","session_id":"made-up"`)))
	tr.do("somebody else's session", tr.post(passwordPath, in(`"username":"charles","session_id":"`+session+`"`)))
	tr.do("temporary password", tr.post(passwordPath, in(`"username":"alan"`)))
	tr.do("expired password", tr.post(passwordPath, in(`"username":"grace"`)))
	tr.do("not JSON", tr.post(passwordPath, `{`))
	tr.do("malformed", tr.post(passwordPath, `{"username":7}`))

	tr.do("session", tr.post(sessionPath, `{"session_id":"`+session+`","org_id":""}`))
	tr.do("no member by session", tr.post(sessionPath, `{"session_id":"`+session+`","org_id":"2002"}`))
	tr.do("no such session", tr.post(sessionPath, `{"session_id":"made-up"}`))
	tr.do("refresh", tr.post(refreshPath, `{"refresh_token":"`+refresh+`"}`))
	tr.do("made-up refresh token", tr.post(refreshPath, `{"refresh_token":"made-up"}`))
	tr.do("logout", tr.post(logoutPath, `{"session_id":"`+session+`"}`))
	tr.do("logout again", tr.post(logoutPath, `{"session_id":"`+session+`"}`))
	tr.do("logout of nothing", tr.post(logoutPath, `{"session_id":"made-up"}`))
	tr.do("refresh after logout", tr.post(refreshPath, `{"refresh_token":"`+refresh+`"}`))

	eve := member(t, tr.do("create", tr.post(usersPath, `{"email":"Eve@example.com","username":"eve","phone_number":"+35699222222",
		"name":{"first_name":"Eve","last_name":"Online"},"address":{"country":"MT","type":"Home"},"birthday":"2001-02-03","language":"mt",
		"secondary_emails":["e@example.com"],"secondary_phone_numbers":["+35699333333"],"custom_data":{"a":[1,{"b":null}]},"custom_app_data":{},
		"external_user_id":"x1","external_account_id":"x2","picture":"https://example.com/p.png","credentials":{"password":"Pa55word!"}}`)), "user_id")
	tr.do("create the least", tr.post(usersPath, `{"username":"mallory"}`))
	tr.do("create nobody", tr.post(usersPath, `{}`))
	tr.do("create one who is there", tr.post(usersPath, `{"email":"ada@example.com"}`))
	tr.do("create with a weak password", tr.post(usersPath, `{"username":"weak","credentials":{"password":"weak"}}`))
	tr.do("create with a malformed username", tr.post(usersPath, `{"username":"a b"}`))
	tr.do("get", tr.call("GET", usersPath+"/{user_id}", ""), "user_id", eve)
	tr.do("get one who has logged in", tr.call("GET", usersPath+"/{user_id}", ""), "user_id", "1001")
	tr.do("get a suspended one", tr.call("GET", usersPath+"/{user_id}", ""), "user_id", "1006")
	tr.do("get nobody", tr.call("GET", usersPath+"/{user_id}", ""), "user_id", "9")
	tr.do("get by e-mail address", tr.call("GET", usersPath+"/email/{email}", ""), "email", url.PathEscape("NOBODY@example.com"))
	tr.do("get by username", tr.call("GET", usersPath+"/username/{username}", ""), "username", "nobody")
	tr.do("get by number", tr.call("GET", usersPath+"/phone-number/{phone_number}", ""), "phone_number", "+35699222222")
	tr.do("get by number, as of old", tr.call("GET", usersPath+"/phone/{phone_number}", ""), "phone_number", "%2B35699222229")
	tr.do("get by no number", tr.call("GET", usersPath+"/phone-number/{phone_number}", ""), "phone_number", "99")

	password := usersPath + "/{user_id}/password"
	tr.do("add", tr.post(password, `{"password":"Pa55word!","force_replace":false}`), "user_id", "1005")
	tr.do("add another", tr.post(password, `{"password":"Pa55word!"}`), "user_id", "1005")
	tr.do("add to nobody", tr.post(password, `{"password":"Pa55word!"}`), "user_id", "9")
	tr.do("add a weak one", tr.post(password, `{"password":"weak"}`), "user_id", "1005")
	tr.do("add nothing", tr.post(password, `{}`), "user_id", "1005")
	tr.do("replace", tr.call("PUT", password, `{"password":"N3w-Pa55word!","force_replace":false}`), "user_id", "1005")
	tr.do("replace by the same", tr.call("PUT", password, `{"password":"N3w-Pa55word!"}`), "user_id", "1005")
	tr.do("replace a weak one", tr.call("PUT", password, `{"password":"weak"}`), "user_id", "1005")
	tr.do("replace by nothing", tr.call("PUT", password, `{}`), "user_id", "1005")
	tr.do("replace none", tr.call("PUT", password, `{"password":"N3w-Pa55word!"}`), "user_id", member(t, tr.post(usersPath, `{"username":"bare"}`).Do(tr), "user_id"))
	tr.do("replace nobody's", tr.call("PUT", password, `{"password":"N3w-Pa55word!"}`), "user_id", "9")

	for range 5 {
		tr.post(passwordPath, `{"username":"nobody","password":"wrong"}`).Do(tr)
	}
	tr.Clock.Advance(90 * time.Second)
	tr.do("locked", tr.post(passwordPath, in(`"username":"nobody"`)))
	tr.app = "made-up"
	tr.do("no client", tr.post(passwordPath, in(`"username":"ada"`)))
	tr.do("no client, for a password", tr.post(password, `{"password":"x"}`), "user_id", "1001")
	httpxtest.Golden(t, "replies", tr.text.String(), *update)
}

func operations(t *testing.T, s *server) []*httpx.Operation {
	t.Helper()
	dialect, err := cis.New(s.Service)
	if err != nil {
		t.Fatal(err)
	}
	return dialect.Doc().Operations()
}

// TestDocumentAndRoutesAgree holds for this dialect and the token endpoint together, which share the document.
func TestDocumentAndRoutesAgree(t *testing.T) {
	t.Parallel()
	s := serve(t)
	described := map[httpx.Route]bool{}
	for _, op := range operations(t, s) {
		described[httpx.Route{Method: op.Method, Path: op.Path}] = true
	}
	for _, route := range s.mux.Routes() {
		// A preflight is between a browser and us (Fetch §3.2.2); no program calls it.
		if !described[route] && route.Method != http.MethodOptions {
			t.Errorf("%s %s is served and not described", route.Method, route.Path)
		}
		delete(described, route)
	}
	for route := range described {
		t.Errorf("%s %s is described and not served", route.Method, route.Path)
	}
}

// own are the operations of this dialect.
func own(t *testing.T, s *server) []*httpx.Operation {
	var list []*httpx.Operation
	for _, op := range operations(t, s) {
		if strings.HasPrefix(op.Path, "/cis/v1/") || strings.HasPrefix(op.Path, "/cis/loginPreferences/") {
			list = append(list, op)
		}
	}
	return list
}

// guarded are those that need an access token.
func guarded(t *testing.T, s *server) []*httpx.Operation {
	return slices.DeleteFunc(own(t, s), func(op *httpx.Operation) bool {
		security := s.doc.Paths.Value(op.Path).GetOperation(op.Method).Security
		return security != nil && len(*security) == 0
	})
}

// altered changes one character of a token's signature, all bits of which count.
func altered(token string) string {
	i, other := len(token)-9, "A"
	if token[i] == 'A' {
		other = "B"
	}
	return token[:i] + other + token[i+1:]
}

// TestEveryCallNeedsItsToken is A-049: neither nothing nor any other token opens a call, whatever else is wrong with it.
func TestEveryCallNeedsItsToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	set := s.user()
	for _, op := range guarded(t, s) {
		right, other := s.bearer(op), set.AccessToken
		if right != s.app && !cis.Managed(op.Path) {
			other = s.app
		}
		headers := map[string]string{
			"nothing": "", "no scheme": right, "another scheme": "Basic " + right, "the other kind of access token": "Bearer " + other,
			"an ID token": "Bearer " + set.IDToken, "a refresh token": "Bearer " + set.RefreshToken, "altered": "Bearer " + altered(right),
		}
		for name, header := range headers {
			c := httpxtest.Call{Method: op.Method, Path: op.Path, Body: "nonsense", Header: map[string]string{}}
			if header != "" {
				c.Header["Authorization"] = header
			}
			r := c.Do(s)
			if r.Code != http.StatusUnauthorized || r.Header().Get("WWW-Authenticate") == "" || member(t, r, "ts_error_code") != "unauthorized_request" {
				t.Errorf("%s %s with %s: got %s", op.Method, op.Path, name, httpxtest.Text(r))
			}
		}
	}
	if log := s.log.String(); strings.Contains(log, "operator") {
		t.Errorf("a caller without a token is logged as an operator:\n%s", log)
	}
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	s := serve(t)
	bearers := map[*httpx.Operation]string{}
	for _, op := range guarded(t, s) {
		bearers[op] = s.bearer(op)
	}
	if err := s.Store.Write(t.Context(), func(w auth.Writes) error {
		tenant := authtest.Setup().Tenants[0].Tenant
		tenant.Settings.Maintenance = true
		return w.PutTenant(tenant)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for op, bearer := range bearers {
		s.app = bearer
		r := s.call(op.Method, op.Path, "").Do(s)
		if r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" || member(t, r, "ts_error_code") != "system_unavailable" {
			t.Errorf("%s %s: got %s", op.Method, op.Path, httpxtest.Text(r))
		}
	}
}

// TestEveryConstraintOfTheDocument breaks each constraint of each field of each request and looks for a message on the field.
func TestEveryConstraintOfTheDocument(t *testing.T) {
	t.Parallel()
	s, n := serve(t), 0
	check := func(name string, c httpxtest.Call, field string) {
		t.Helper()
		n++
		r := c.Do(s)
		malformed := strings.Contains(r.Body.String(), "system_invalid_input") || strings.Contains(r.Body.String(), `"error_code":"400"`) ||
			strings.Contains(r.Body.String(), `"error_code":"invalid_request","message":"Invalid request: `)
		if r.Code != http.StatusBadRequest || !malformed {
			t.Errorf("%s: got %d %s", name, r.Code, r.Body)
			return
		}
		var body struct{ Message any }
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		list, ok := body.Message.([]any)
		if !ok {
			list = nil
			for _, text := range strings.Split(strings.TrimPrefix(body.Message.(string), "Invalid request: "), "; ") {
				list = append(list, text)
			}
		}
		for _, text := range list {
			if strings.HasPrefix(text.(string), field+" ") {
				return
			}
		}
		t.Errorf("%s: got %s, want a message on %s", name, r.Body, field)
	}
	client := s.app
	for _, op := range own(t, s) {
		s.app = client
		s.app = s.bearer(op)
		item := s.doc.Paths.Value(op.Path)
		about := item.GetOperation(op.Method)
		for _, p := range httpxtest.BrokenParams(append(append(openapi3.Parameters{}, item.Parameters...), about.Parameters...)) {
			path := strings.ReplaceAll(op.Path, "{"+p.Field+"}", p.Value)
			if p.In == "query" {
				path += "?" + p.Field + "=" + p.Value
			}
			check(op.Path+" "+p.Field, s.call(op.Method, path, ""), p.Field)
		}
		if about.RequestBody == nil {
			continue
		}
		for _, b := range httpxtest.BrokenBodies(t, about.RequestBody.Value.Content.Get("application/json").Schema) {
			check(op.Path+" "+b.Name, s.call(op.Method, strings.ReplaceAll(op.Path, "{user_id}", "1001"), b.Body), b.Field)
		}
	}
	if n < 150 {
		t.Errorf("got %d broken requests, want all constraints of the document", n)
	}
}

// refused is the reply to a refusal in full dress.
func refused(c auth.Code, symbolic bool) string {
	e := &auth.Error{Code: c}
	switch c {
	case auth.CodeLocked, auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded:
		e.RetryAfter = 1500 * time.Millisecond
	case auth.CodePasswordExpired, auth.CodePasswordTemp:
		e.Token = "token"
	case auth.CodeInputTooLong, auth.CodeIdentifierInvalid:
		e.Field = "phone"
	}
	if c == auth.CodeBusy || c == auth.CodeThrottled {
		l := auth.Limit{Count: 5, Window: time.Minute}
		e.Limits = []auth.Limit{l, l, {Count: 600, Window: time.Hour}}
	}
	rec := httptest.NewRecorder()
	cis.WriteError(&httpx.Response{ResponseWriter: rec}, e, symbolic)
	return httpxtest.Text(rec)
}

// TestErrorTable writes the reply to every code of the domain, and proves that the table has one for each.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	for name, symbolic := range map[string]bool{"errors": false, "errors-of-passwords": true} {
		var text strings.Builder
		for _, c := range auth.Codes() {
			if status := cis.StatusOf(c); status < 400 || status > 599 || cis.MessageOf(c) == "" {
				t.Errorf("%s: got status %d", c, status)
			}
			text.WriteString("# " + c.String() + "\n" + refused(c, symbolic) + "\n")
		}
		httpxtest.Golden(t, name, text.String(), *update)
	}
}

// TestWhatMustNotBeToldApart: a person who cannot log in does not learn why, nor a client whose session it was.
func TestWhatMustNotBeToldApart(t *testing.T) {
	t.Parallel()
	for _, same := range [][]auth.Code{
		{auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended},
		{auth.CodeSessionNotFound, auth.CodeSessionForeign}, {auth.CodeInvalidRefresh, auth.CodeReusedRefresh},
		{auth.CodeInvalidToken, auth.CodeUnknownClient},
	} {
		for _, c := range same[1:] {
			for _, symbolic := range []bool{false, true} {
				if got, want := refused(c, symbolic), refused(same[0], symbolic); got != want {
					t.Errorf("%s: got\n%s, want as %s\n%s", c, got, same[0], want)
				}
			}
		}
	}
	s := serve(t)
	first := httpxtest.Text(s.post(passwordPath, `{"username":"stranger","password":"Pa55word!"}`).Do(s))
	for name, password := range map[string]string{"ada": "wrong", "mary": "Pa55word!", "annie": "Pa55word!", "grace": "wrong", "alan": "wrong"} {
		if got := httpxtest.Text(s.post(passwordPath, `{"username":"`+name+`","password":"`+password+`"}`).Do(s)); got != first {
			t.Errorf("%s: got\n%s, want\n%s", name, got, first)
		}
	}
}

func TestCausesStayPrivate(t *testing.T) {
	t.Parallel()
	for _, symbolic := range []bool{false, true} {
		rec := httptest.NewRecorder()
		w := &httpx.Response{ResponseWriter: rec}
		cis.WriteError(w, http.ErrHijacked, symbolic)
		if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "hijacked") || w.Cause == nil {
			t.Errorf("got %d %s, cause %v", rec.Code, rec.Body, w.Cause)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var text strings.Builder
	plain := s.post(passwordPath, "x")
	plain.Header["Content-Type"] = "text/plain"
	for _, c := range []httpxtest.Call{
		s.call("GET", "/cis/v1/nothing", ""), s.call("GET", passwordPath, ""), s.call("DELETE", usersPath+"/1001", ""), plain,
		s.post(passwordPath, `{"username":"`+strings.Repeat("a", 9000)+`"}`),
	} {
		text.WriteString(c.Method + " " + c.Path + "\n" + httpxtest.Text(c.Do(s)) + "\n")
	}
	httpxtest.Golden(t, "faults", text.String(), *update)
}

func secret(s string) seal.Secret { return seal.NewSecret(s) }
