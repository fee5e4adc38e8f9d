package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/oidc"
	"countersign/internal/seal"
)

var update = flag.Bool("update", false, "write the golden files")

type server struct {
	*authtest.Env
	http.Handler
	doc *openapi3.T
}

func serve(t *testing.T, change ...func(*auth.Setup)) *server {
	t.Helper()
	s := &server{Env: authtest.New(t, change...), doc: httpxtest.Load(t, api.CIS())}
	mux := &httpx.Mux{}
	oidc.New(s.Service, "https://auth.example/").Mount(mux)
	s.Handler = mux.Handler(httpx.Config{})
	return s
}

const secret = "test secret of app"

// form is a token request with a form for a body.
func form(body string) httpxtest.Call {
	return httpxtest.Call{Method: "POST", Path: "/oidc/token", Body: body, Header: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded",
	}}
}

func basic(user, password, body string) httpxtest.Call {
	c := form(body)
	c.Header["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	return c
}

func with(c httpxtest.Call, name, value string) httpxtest.Call {
	c.Header[name] = value
	return c
}

const asApp = "client_id=app&client_secret=test+secret+of+app&"

// TestTokenRequests is the corpus of ways to ask for a token, right and wrong (RFC 6749 §2.3, §3.2, §4.4, §6; security A-114).
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	login, err := s.AuthenticatePassword(t.Context(), s.App(), auth.BackendLogin{PasswordLogin: auth.PasswordLogin{
		Kind: auth.ByUserID, Identifier: "1001", Password: seal.NewSecret(authtest.Password),
	}})
	if err != nil {
		t.Fatal(err)
	}
	const grant = "grant_type=client_credentials"
	resource := url.QueryEscape(authtest.Resource)
	var text strings.Builder
	for _, tt := range []struct {
		title string
		call  httpxtest.Call
	}{
		{"secret in the body", form(asApp + grant)},
		{"secret by Basic", basic("app", "test+secret+of+app", grant)},
		{"secret by Basic, percent-encoded", basic("app", "test%20secret%20of%20app", grant)},
		{"secret by Basic, with the same id in the body", basic("app", "test+secret+of+app", grant+"&client_id=app")},
		{"scheme in other letters", with(form(grant), "Authorization", "bASIC "+base64.StdEncoding.EncodeToString([]byte("app:"+secret)))},
		{"a resource", form(asApp + grant + "&resource=" + resource)},
		{"parameters nobody knows", form(asApp + grant + "&x=y&scope=openid")},
		{"an empty parameter counts as absent", form(asApp + grant + "&resource=")},
		{"with a charset", with(form(asApp+grant), "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")},
		{"refresh", form(asApp + "grant_type=refresh_token&refresh_token=" + login.RefreshToken)},

		{"both ways", basic("app", "test+secret+of+app", asApp+grant)},
		{"Basic with another id in the body", basic("app", "test+secret+of+app", grant+"&client_id=other")},
		{"wrong secret", form("client_id=app&client_secret=wrong&" + grant)},
		{"wrong secret by Basic", basic("app", "wrong", grant)},
		{"unknown client", form("client_id=stranger&client_secret=wrong&" + grant)},
		{"no client", form(grant)},
		{"no secret", form("client_id=app&" + grant)},
		{"Basic that is no base64", with(form(grant), "Authorization", "Basic !!!")},
		{"Basic without a colon", with(form(grant), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("app")))},
		{"Basic with a broken encoding", basic("app", "test%2", grant)},
		{"a bearer token for a client", with(form(asApp+grant), "Authorization", "Bearer x")},
		{"no grant", form(asApp)},
		{"another grant", form(asApp + "grant_type=urn:ietf:params:oauth:grant-type:device_code")},
		{"the password grant", form(asApp + "grant_type=password&username=ada&password=Pa55word%21")},
		{"a grant in other letters", form(asApp + "grant_type=Client_Credentials")},
		{"a foreign resource", form(asApp + grant + "&resource=https%3A%2F%2Fother.example")},
		{"two resources", form(asApp + grant + "&resource=" + resource + "&resource=" + resource)},
		{"a parameter twice", form(asApp + grant + "&" + grant)},
		{"a parameter twice, once empty", form(asApp + grant + "&grant_type=")},
		{"a client twice", form(asApp + "client_id=other&" + grant)},
		{"a broken encoding", form(asApp + grant + "&x=%zz")},
		{"NUL", form(asApp + grant + "&x=%00")},
		{"no UTF-8", form(asApp + grant + "&x=%ff")},
		{"no refresh token", form(asApp + "grant_type=refresh_token")},
		{"a made-up refresh token", form(asApp + "grant_type=refresh_token&refresh_token=made-up")},
		{"another client's refresh token", form("client_id=other&client_secret=test+secret+of+other&grant_type=refresh_token&refresh_token=" + login.RefreshToken)},
		{"JSON", with(form(`{"grant_type":"client_credentials","client_id":"app","client_secret":"test secret of app"}`), "Content-Type", "application/json")},
		{"multipart", with(form("x"), "Content-Type", "multipart/form-data; boundary=x")},
		{"another charset", with(form(asApp+grant), "Content-Type", "application/x-www-form-urlencoded; charset=latin1")},
		{"compressed", with(form("x"), "Content-Encoding", "gzip")},
		{"no body", httpxtest.Call{Method: "POST", Path: "/oidc/token"}},
		{"too long", form(asApp + grant + "&x=" + strings.Repeat("x", 8192))},
		{"in the query", httpxtest.Call{Method: "POST", Path: "/oidc/token?" + asApp + grant}},
		{"GET", httpxtest.Call{Method: "GET", Path: "/oidc/token?" + asApp + grant}},
	} {
		r := tt.call.Do(s)
		text.WriteString("# " + tt.title + "\n" + httpxtest.Text(r, "access_token", "id_token", "refresh_token") + "\n")
		if err := httpxtest.Conforms(s.doc, "POST", "/oidc/token", r); err != nil {
			t.Errorf("%s: %v", tt.title, err)
		}
		again := tt.call
		again.Path = "/cis" + again.Path
		if tt.title == "another client's refresh token" || tt.title == "refresh" {
			continue
		}
		if got, want := httpxtest.Text(again.Do(s), "access_token"), httpxtest.Text(r, "access_token"); got != want {
			t.Errorf("%s, below /cis: got\n%s, want\n%s", tt.title, got, want)
		}
	}
	httpxtest.Golden(t, "token", text.String(), *update)
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(func(s *auth.Settings) { s.Maintenance = true }))
	r := form(asApp + "grant_type=client_credentials").Do(s)
	if r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" {
		t.Errorf("got %s", httpxtest.Text(r))
	}
	if err := httpxtest.Conforms(s.doc, "POST", "/oidc/token", r); err != nil {
		t.Error(err)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const path = "/cis/oidc/.well-known/openid-configuration"
	r := httpxtest.Call{Method: "GET", Path: path, Header: map[string]string{"Host": "evil.example", "X-Forwarded-Host": "evil.example"}}.Do(s)
	if err := httpxtest.Conforms(s.doc, "GET", path, r); err != nil {
		t.Error(err)
	}
	httpxtest.Golden(t, "configuration", httpxtest.Text(r), *update)
}

// TestKeys: what is published holds no private member and verifies what is signed.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const path = "/cis/oidc/jwks"
	keys := func() []map[string]any {
		t.Helper()
		r := httpxtest.Call{Method: "GET", Path: path}.Do(s)
		if err := httpxtest.Conforms(s.doc, "GET", path, r); err != nil {
			t.Error(err)
		}
		if got := r.Header().Get("Cache-Control"); got != "public, max-age=300" {
			t.Errorf("Cache-Control: got %q", got)
		}
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(r.Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		return set.Keys
	}
	if err := s.EnsureKeys(t.Context(), "ES256"); err != nil {
		t.Fatal(err)
	}
	before := keys()
	if _, err := s.Another(t, nil).RotateSigningKey(t.Context(), "ES256"); err != nil { // another server
		t.Fatal(err)
	}
	after := keys()
	if len(before) != 1 || len(after) != 2 {
		t.Fatalf("got %d and %d keys, want a rotation to be published at once", len(before), len(after))
	}
	for _, k := range after {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, ok := k[private]; ok {
				t.Errorf("a published key has the member %s", private)
			}
		}
	}
}

// refused is the reply to a refusal in full dress.
func refused(c auth.Code) string {
	e := &auth.Error{Code: c, Field: "password", Token: "token"}
	switch c {
	case auth.CodeLocked, auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded:
		e.RetryAfter = 1500 * time.Millisecond
	}
	rec := httptest.NewRecorder()
	oidc.WriteError(&httpx.Response{ResponseWriter: rec}, e)
	return httpxtest.Text(rec)
}

// TestErrorTable writes the reply to every code of the domain, and proves that the table has one for each.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var text strings.Builder
	for _, c := range auth.Codes() {
		if status := oidc.StatusOf(c); status < 400 || status > 599 {
			t.Errorf("%s: got status %d", c, status)
		}
		reply := refused(c)
		if strings.Contains(reply, `"token"`) {
			t.Errorf("%s: a token in an OAuth error:\n%s", c, reply)
		}
		text.WriteString("# " + c.String() + "\n" + reply + "\n")
		rec := httptest.NewRecorder()
		rec.Header().Set("request-ref", "x")
		oidc.WriteError(&httpx.Response{ResponseWriter: rec}, &auth.Error{Code: c})
		if err := httpxtest.Conforms(s.doc, "POST", "/oidc/token", rec); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	httpxtest.Golden(t, "errors", text.String(), *update)
}

func TestWhatMustNotBeToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []auth.Code{
		auth.CodeReusedRefresh, auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended,
	} {
		if got, want := refused(c), refused(auth.CodeInvalidRefresh); got != want {
			t.Errorf("%s: got\n%s, want\n%s", c, got, want)
		}
	}
}

func TestCausesStayPrivate(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	oidc.WriteError(&httpx.Response{ResponseWriter: rec}, http.ErrHijacked)
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "hijacked") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/oidc/nothing", 404}, {"POST", "/oidc/authorize", 404}, {"PUT", "/oidc/token", 405}, {"POST", "/cis/oidc/jwks", 405},
		{"GET", "/cis/oidc/jwks/", 200}, {"HEAD", "/cis/oidc/jwks", 200},
	} {
		r := httpxtest.Call{Method: tt.method, Path: tt.path}.Do(s)
		if r.Code != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.path, r.Code, tt.want)
		}
		if tt.want >= 400 && !strings.Contains(r.Body.String(), `"error":"invalid_request"`) {
			t.Errorf("%s %s: got %s", tt.method, tt.path, r.Body)
		}
	}
}
