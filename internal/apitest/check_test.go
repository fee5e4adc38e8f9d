package apitest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
)

// The tests of this file are of the checks that the scripts rest on: each finds what it is there to find.

func TestContractCheckFindsDepartures(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Multi())
	if err != nil {
		t.Fatal(err)
	}
	const (
		login = `{"email":"ada@example.com","password":{"value":"Pa55word!"}}`
		good  = `{"token":"t","tokenType":"ACCESS","identity":{"type":"CONSUMER","id":"1"},"credentials":{"type":"ROOT","id":"1"}}`
	)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		header, reply            string // header: NAME=VALUE beyond the usual, -NAME to leave one out
		want                     string // part of the error; empty: none
	}{
		{"as documented", "POST", "/multi/login_with_password", login, 200, "", good, ""},
		{"with more slashes", "POST", "//multi/login_with_password/", login, 200, "", good, ""},
		{"a member too many", "POST", "/multi/login_with_password", login, 200, "", strings.Replace(good, "{", `{"secret":1,`, 1), "secret"},
		{"a member too few", "POST", "/multi/login_with_password", login, 200, "", `{"token":"t"}`, "tokenType"},
		{"a value of another kind", "POST", "/multi/login_with_password", login, 200, "", strings.Replace(good, "ACCESS", "MASTER", 1), "tokenType"},
		{"no JSON", "POST", "/multi/login_with_password", login, 200, "", "fine", "decode"},
		{"another content type", "POST", "/multi/login_with_password", login, 200, "Content-Type=text/html", good, "text/html"},
		{"a status that is not there", "POST", "/multi/login_with_password", login, 402, "", "{}", "402 is not in the document"},
		{"a redirect", "POST", "/multi/login_with_password", login, 301, "", "", "301 is not in the document"},
		{"a header that is not there", "POST", "/multi/login_with_password", login, 200, "Set-Cookie=a=b", good, "Set-Cookie"},
		{"no request-ref", "POST", "/multi/login_with_password", login, 200, "-Request-Ref", good, "request-ref"},
		{"no Cache-Control", "POST", "/multi/login_with_password", login, 200, "-Cache-Control", good, "Cache-Control"},
		{"a body where there is none", "POST", "/multi/login_with_password", login, 403, "", "{}", "none is described"},
		{"a lock without its end", "POST", "/multi/login_with_password", login, 423, "", "", "Retry-After"},
		{"a lock", "POST", "/multi/login_with_password", login, 423, "Retry-After=5", "", ""},
		{"a malformed request", "POST", "/multi/login_with_password", `{"email":5}`, 400, "", `{"message":"m"}`, "-bad"},
		{"a request without its key", "GET", "/multi/identities", "", 200, "", "[]", "no api-key"},
		{"a path that is not there", "GET", "/multi/nothing", "", 404, "", `{"code":"NOT_FOUND","message":"m"}`, ""},
		{"in another form", "GET", "/multi/nothing", "", 404, "", `{"error":"m"}`, "error"},
		{"a method that is not there", "GET", "/multi/logout", "", 405, "Allow=POST", `{"code":"M","message":"m"}`, ""},
		{"without the ones that are", "GET", "/multi/logout", "", 405, "", `{"code":"M","message":"m"}`, "no Allow"},
		{"a path that is not there, found", "GET", "/multi/nothing", "", 200, "", "{}", "200 is not in the document"},
	} {
		out := httptest.NewRequest(tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
		if tt.body != "" {
			out.Header.Set("Content-Type", jsonType)
			out.Header.Set("api-key", "sk")
		}
		r := &reply{tt.status, http.Header{}, []byte(tt.reply)}
		for _, line := range []string{
			"Cache-Control=no-store", "X-Content-Type-Options=nosniff", "Request-Ref=r", "Content-Type=application/json", tt.header,
		} {
			name, value, _ := strings.Cut(line, "=")
			if r.header.Del(strings.TrimPrefix(name, "-")); value != "" {
				r.header.Set(name, value)
			}
		}
		_, _, err := checkExchange(doc, out, request{method: tt.method, path: tt.path, body: []byte(tt.body)}, r)
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLeakCheckFindsSecrets(t *testing.T) {
	for _, tt := range []struct {
		name, log string
		reply     reply
		want      string // part of the finding; empty: none
	}{
		{"nothing", "a line", reply{200, nil, []byte(`{"token":"received-token"}`)}, ""},
		{"no log", "", reply{204, nil, nil}, "logged nothing"},
		{"a password", "tried Pa55word!", reply{403, nil, nil}, "Pa55word!"},
		{"an api-key", "by sk_script_key", reply{403, nil, nil}, "an api-key"},
		{"a bearer token", "by bearer-token", reply{403, nil, nil}, "a credential"},
		{"a token of an answer", "gave received-token", reply{200, nil, []byte(`{"token":"received-token"}`)}, "received-token"},
		{"a token deep in an answer", "gave received-token", reply{200, nil, []byte(`[{"a":{"refresh_token":"received-token"}}]`)}, "received-token"},
		{"an e-mail address", "for ada@example.com", reply{403, nil, nil}, "ada@example.com"},
		{"a password in a refusal", "a line", reply{400, nil, []byte(`{"message":"Pa55word! is weak"}`)}, "the body of a 400"},
		{"a token that a refusal hands out", "a line", reply{409, nil, []byte(`{"token":"temporary-token"}`)}, ""},
		{"a code", "took 424242", reply{204, nil, nil}, "424242"},
		{"a code of an inbox", "gave 131313.", reply{200, nil, []byte(`[{"code":"131313"}]`)}, "131313"},
		{"a code that is a number", "gave 131313.", reply{200, nil, []byte(`{"nonce":131313}`)}, "131313"},
		{"figures that look like a code", `{"dur_us":424242,"bytes":424242,"id":"94242421"}`, reply{204, nil, nil}, ""},
		{"a code in a refusal", "a line", reply{409, nil, []byte(`{"message":"424242 is wrong"}`)}, "the body of a 409"},
		{"a link", "went to https://x/a", reply{200, nil, []byte(`[{"link":"https://x/a"}]`)}, "https://x/a"},
		{"SQL", "a line", reply{400, nil, []byte(`{"message":"insert into users failed"}`)}, "insert into"},
		{"a file", "a line", reply{400, nil, []byte(`{"message":"open /var/lib/x: no such file"}`)}, "/var/"},
		{"a panic", "a line", reply{400, nil, []byte(`{"message":"runtime error: index out of range"}`)}, "runtime error"},
		{"a stack", `{"stack":"goroutine 1"}`, reply{400, nil, nil}, "panicked"},
	} {
		s := newSecrets()
		body := `{"email":"ada@example.com","password":{"value":"Pa55word!"},"verificationCode":"424242"}`
		r := httptest.NewRequest("POST", "/multi/login_with_password", strings.NewReader(body))
		r.Header.Set("api-key", "sk_script_key")
		r.Header.Set("Authorization", "Bearer bearer-token")
		s.sent(r, []byte(body))
		s.received(&tt.reply)
		got := strings.Join(s.judge(tt.log), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestExpectationsCanFail(t *testing.T) {
	v, err := parse([]byte(`{"a":[{"b":"1"},{"b":2.50}],"c":null,"d":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		denied bool
		args   string
		ok     bool
	}{
		{false, "a.0.b 1", true},
		{false, "a.0.b 2", false},
		{false, "a.len 2", true},
		{false, "a.2", false},
		{false, "a.1.b 2.50", true},
		{false, "a.x.b", false},
		{false, "c null", true},
		{false, "d {}", true},
		{false, "d []", false},
		{false, "d {", false},
		{false, "e", false},
		{false, "e null", false},
		{true, "e", true},
		{true, "c", false},
		{true, "a.0.b 1", false},
		{true, "a.0.b 2", true},
	} {
		args := strings.Fields(tt.args)
		got, found := at(v, args[0])
		if err := expectAt(tt.denied, got, found, args); (err == nil) != tt.ok {
			t.Errorf("denied %t, %s: got %v", tt.denied, tt.args, err)
		}
	}
}
