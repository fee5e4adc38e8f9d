package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/httpx"
)

func loadTestDoc(t testing.TB) *httpx.Doc {
	t.Helper()
	raw, err := os.ReadFile("testdata/doc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := load(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func operation(t testing.TB, method, path string) *httpx.Operation {
	t.Helper()
	o, err := loadTestDoc(t).Operation(method, path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func post(body string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func decode(o *httpx.Operation, r *http.Request, dst any) error {
	return o.Decode(&httpx.Response{ResponseWriter: httptest.NewRecorder()}, r, dst)
}

// lines writes fields one per line: "in name code params".
func lines(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *httpx.Invalid
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *Invalid", err, err)
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, strings.TrimSpace(f.In+" "+f.Name+" "+f.Code+" "+strings.Join(f.Params, ",")))
		if f.Detail == "" {
			t.Errorf("field %s %s has no detail", f.In, f.Name)
		}
	}
	return out
}

func TestEachConstraintYieldsItsField(t *testing.T) {
	o := operation(t, "POST", "/every")
	for _, tt := range []struct {
		body string
		want []string
	}{
		{`{}`, nil},
		{`{"zulu":""}`, []string{"body zulu HAS_TEXT"}},
		{`{"zulu":"A"}`, []string{"body zulu REGEX ^[a-z]+$"}},
		{`{"zulu":7}`, []string{"body zulu REGEX string"}},
		{`{"zulu":null}`, nil},
		{`{"maybe":null}`, nil},
		{`{"size":"a"}`, []string{"body size SIZE 2,4"}},
		{`{"size":"abcde"}`, []string{"body size SIZE 2,4"}},
		{`{"size":"😀😀😀😀"}`, nil},
		{`{"short":"abcd"}`, []string{"body short SIZE 0,3"}},
		{`{"long":"ab"}`, []string{"body long SIZE 3,"}},
		{`{"long":""}`, []string{"body long HAS_TEXT"}},
		{`{"list":[]}`, []string{"body list SIZE 1,2"}},
		{`{"list":[{"name":"a"},{"name":"b"},{"name":"c"}]}`, []string{"body list SIZE 1,2"}},
		{`{"list":[{"name":"a"},{"name":""}]}`, []string{"body list.1.name HAS_TEXT"}},
		{`{"list":[{},{"name":null}]}`, []string{"body list.0.name REQUIRED", "body list.1.name REQUIRED"}},
		{`{"list":[null]}`, []string{"body list.0 REQUIRED"}},
		{`{"list":{}}`, []string{"body list REGEX array"}},
		{`{"unique":["a","a"]}`, []string{"body unique AT_MOST 1"}},
		{`{"range":0}`, []string{"body range RANGE 1,10"}},
		{`{"range":11}`, []string{"body range RANGE 1,10"}},
		{`{"range":1.5}`, []string{"body range REGEX integer"}},
		{`{"range":"5"}`, []string{"body range REGEX integer"}},
		{`{"least":0}`, []string{"body least RANGE 0,"}},
		{`{"least":-1}`, []string{"body least RANGE 0,"}},
		{`{"most":1.6}`, []string{"body most RANGE ,1.5"}},
		{`{"small":2147483648}`, []string{"body small RANGE -2147483648,2147483647"}},
		{`{"step":0.3}`, []string{"body step REGEX 0.25"}},
		{`{"enum":"sms"}`, []string{"body enum IN SMS,EMAIL"}},
		{`{"mail":"Ann <ann@example.com>"}`, []string{"body mail REGEX email"}},
		{`{"uuid":"7"}`, []string{"body uuid REGEX uuid"}},
		{`{"flag":"true"}`, []string{"body flag REGEX boolean"}},
		{`{"map":{}}`, []string{"body map AT_LEAST 1"}},
		{`{"map":{"my-secret":"abc"}}`, []string{"body map.* SIZE 0,2"}},
		{`{"closed":{"my-secret":1}}`, []string{"body closed NOT_IN"}},
		{`{"deny":"root"}`, []string{"body deny NOT_IN root"}},
		{`{"a":1,"b":2,"c":3,"d":4,"e":5}`, []string{"body  AT_MOST 4"}},
		{`{"either":{"email":"a@example.com"}}`, nil},
		{`{"either":{}}`, []string{"body either.email REQUIRED"}},
		{`{"either":{"email":7,"phone":"1"}}`, []string{"body either.email REGEX string"}},
		{`{"either":{"email":"a@b","phone":"1","country":"x"}}`, []string{"body either EXACTLY 1"}},
		{`{"any":"x"}`, []string{"body any SIZE 2,"}},
		{`{"any":{"a":1}}`, []string{"body any.b REQUIRED"}},
		{`{"all":{"age":"1"}}`, []string{"body all.email REQUIRED", "body all.age REGEX integer"}},
		{`{"pet":{}}`, []string{"body pet.kind REQUIRED"}},
		{`{"pet":{"kind":"cow"}}`, []string{"body pet.kind IN cat,dog"}},
		{`{"pet":{"kind":"dog"}}`, []string{"body pet.tricks REQUIRED", "body pet.name REQUIRED"}},
		{`{"pet":{"kind":"cat","lives":9}}`, nil},
		{`[]`, []string{"body  REGEX object"}},
		{`null`, nil},
		{`{"alpha":1,"range":0,"zulu":""}`, []string{"body zulu HAS_TEXT", "body range RANGE 1,10", "body alpha REGEX string"}},
		{`{"unknown":{"deep":[null]}}`, nil},
	} {
		got := lines(t, decode(o, post(tt.body), nil))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.body, diff)
		}
	}
}

func TestRequiredMembers(t *testing.T) {
	o := operation(t, "POST", "/login")
	both := []string{"body email REQUIRED", "body password REQUIRED"}
	for _, tt := range []struct {
		body string
		want []string
	}{
		{``, both},
		{` `, both},
		{`null`, both},
		{`{}`, both},
		{`{"Email":"a@example.com","PASSWORD":{"value":"x"}}`, both},
		{`{"email":null,"password":{}}`, []string{"body email REQUIRED", "body password.value REQUIRED"}},
		{`{"email":"a@example.com","password":{"value":null}}`, []string{"body password.value REQUIRED"}},
		{`{"email":"a@example.com","password":"x"}`, []string{"body password REGEX object"}},
		{`{"password":{"value":""},"email":""}`, []string{"body email HAS_TEXT", "body password.value HAS_TEXT"}},
		{`{"email":"a@example.com","password":{"value":"x"}}`, nil},
	} {
		got := lines(t, decode(o, post(tt.body), nil))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.body, diff)
		}
	}
}

func TestDecodeFillsTheStruct(t *testing.T) {
	type login struct {
		Email    string `json:"email"`
		Password struct {
			Value string `json:"value"`
		} `json:"password"`
	}
	var got, want login
	want.Email, want.Password.Value = "a@example.com", "pässword"
	err := decode(operation(t, "POST", "/login"), post(`{"email":"a@example.com","password":{"value":"pässword"},"other":1}`), &got)
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestStructThatDisagreesWithTheDocument(t *testing.T) {
	var dst struct {
		Email int `json:"email"`
	}
	got := lines(t, decode(operation(t, "POST", "/login"), post(`{"email":"a@example.com","password":{"value":"x"}}`), &dst))
	if diff := cmp.Diff([]string{"body email REGEX"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRejectedValuesAreNotRepeated(t *testing.T) {
	const canary = "hunter2-canary"
	o := operation(t, "POST", "/every")
	for _, body := range []string{
		`{"zulu":"hunter2-canary"}`, `{"size":"hunter2-canary"}`, `{"range":"hunter2-canary"}`, `{"enum":"hunter2-canary"}`,
		`{"mail":"hunter2-canary"}`, `{"map":{"hunter2-canary":"hunter2-canary"}}`, `{"closed":{"hunter2-canary":1}}`,
		`{"pet":{"kind":"hunter2-canary"}}`, `{"either":"hunter2-canary"}`, `"hunter2-canary"`, `{"hunter2-canary`,
		`{"hunter2-canary":1,"hunter2-canary":2}`, `{"hunter2-canary":1,"HUNTER2-canary":2}`, `hunter2-canary`,
	} {
		err := decode(o, post(body), nil)
		var e *httpx.Invalid
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want *Invalid", body, err)
			continue
		}
		text := strings.ToLower(e.Error())
		for _, f := range e.Fields {
			text += strings.ToLower(f.Detail + strings.Join(f.Params, " "))
		}
		if strings.Contains(text, canary) {
			t.Errorf("%s: the error repeats it: %s", body, text)
		}
	}
}

func TestThousandsOfViolationsAreCutShort(t *testing.T) {
	got := lines(t, decode(operation(t, "POST", "/every"), post(`{"list":[`+strings.Repeat("1,", 900)+`1]}`), nil))
	if len(got) != 64 {
		t.Errorf("got %d fields, want 64", len(got))
	}
}

func TestParameters(t *testing.T) {
	o := operation(t, "GET", "/users/{user_id}")
	for _, tt := range []struct {
		id, query, header string
		want              []string
	}{
		{"12", "state=ACTIVE", "", nil},
		{"12", "state=ACTIVE&state=LOCKED&limit=100&csv=1,2&deep=true&ratio=1.5e1&other=x", "ref", nil},
		{"x", "", "too long for it", []string{"path user_id REGEX ^[0-9]{1,4}$", "query state REQUIRED", "header idempotency-ref SIZE 0,8"}},
		{"", "state=ACTIVE", "", []string{"path user_id REQUIRED"}},
		{"1", "state=GONE", "", []string{"query state.0 IN ACTIVE,LOCKED"}},
		{"1", "state=ACTIVE&limit=0", "", []string{"query limit RANGE 1,100"}},
		{"1", "state=ACTIVE&limit=1&limit=2", "", []string{"query limit EXACTLY 1"}},
		{"1", "state=ACTIVE&limit=+5", "", []string{"query limit REGEX integer"}},
		{"1", "state=ACTIVE&limit=05", "", []string{"query limit REGEX integer"}},
		{"1", "state=ACTIVE&limit=1e1", "", []string{"query limit REGEX integer"}},
		{"1", "state=ACTIVE&limit=", "", []string{"query limit REGEX integer"}},
		{"1", "state=ACTIVE&deep=yes", "", []string{"query deep REGEX boolean"}},
		{"1", "state=ACTIVE&ratio=NaN", "", []string{"query ratio REGEX number"}},
		{"1", "state=ACTIVE&csv=1,2,3", "", []string{"query csv SIZE 0,2"}},
		{"1", "state=ACTIVE&csv=1,x", "", []string{"query csv.1 REGEX integer"}},
	} {
		r := httptest.NewRequest("GET", "/users/x?"+tt.query, nil)
		r.SetPathValue("user_id", tt.id)
		if tt.header != "" {
			r.Header.Set("Idempotency-Ref", tt.header)
		}
		if diff := cmp.Diff(tt.want, lines(t, decode(o, r, nil))); diff != "" {
			t.Errorf("%s?%s: (-want +got)\n%s", tt.id, tt.query, diff)
		}
	}
	for _, query := range []string{"a=%zz", "a=%00", "a=%ff", "%00=a", "a=1;b=2"} {
		r := httptest.NewRequest("GET", "/users/x", nil)
		r.URL.RawQuery = query
		if got, want := httpx.StatusOf(decode(o, r, nil)), 400; got != want {
			t.Errorf("%s: status %d, want %d", query, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/users/x?state=ACTIVE", nil)
	r.SetPathValue("user_id", "1")
	r.Header.Set("Idempotency-Ref", "caf\xe9") // a database may not take it
	if got, want := httpx.StatusOf(decode(o, r, nil)), 400; got != want {
		t.Errorf("a header that is not UTF-8: status %d, want %d", got, want)
	}
}

func TestContentTypes(t *testing.T) {
	const login = `{"email":"a@example.com","password":{"value":"x"}}`
	for _, tt := range []struct {
		method, path, media, body string
		want                      int // 0 is accepted
	}{
		{"POST", "/logout", "", "", 0},
		{"POST", "/logout", "application/x-www-form-urlencoded", "", 0},
		{"POST", "/logout", "application/json", "", 0},
		{"POST", "/logout", "application/json", "{}", 0},
		{"POST", "/logout", "", "{}", 0},
		{"POST", "/logout", "application/x-www-form-urlencoded", "{}\n", 0},
		{"POST", "/logout", "application/json", `{"a":1}`, 0},
		{"POST", "/logout", "application/json", `{"a":1`, 400},
		{"POST", "/logout", "application/x-www-form-urlencoded", "a=b", 415},
		{"POST", "/logout", "text/plain", "", 415},
		{"POST", "/logout", "text/plain", "{}", 415},
		{"POST", "/login", "application/json", login, 0},
		{"POST", "/login", "Application/JSON; charset=UTF-8", login, 0},
		{"POST", "/login", "application/json; charset=iso-8859-1", login, 415},
		{"POST", "/login", "application/json; charset", login, 415},
		{"POST", "/login", "", login, 415},
		{"POST", "/login", "text/plain", login, 415},
		{"POST", "/login", "application/x-www-form-urlencoded", login, 415},
		{"POST", "/login", "application/json-patch+json", login, 415},
		{"POST", "/login", "", "", 400},
		{"POST", "/login", "application/json", strings.Repeat(" ", 8193), 413},
		{"POST", "/every", "application/json", strings.Repeat(" ", 2049), 413},
		{"POST", "/every", "application/json", strings.Repeat(" ", 2048), 0},
		{"POST", "/form", "application/x-www-form-urlencoded", "", 500},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		if tt.media != "" {
			r.Header.Set("Content-Type", tt.media)
		}
		err := decode(operation(t, tt.method, tt.path), r, nil)
		got := 0
		if err != nil {
			got = httpx.StatusOf(err)
		}
		if got != tt.want {
			t.Errorf("%s %q with %q of %.20q: got %d (%v), want %d", tt.method, tt.path, tt.media, tt.body, got, err, tt.want)
		}
	}
}

func TestTwoContentTypes(t *testing.T) {
	r := post("{}")
	r.Header.Add("Content-Type", "text/plain")
	if got, want := httpx.StatusOf(decode(operation(t, "POST", "/login"), r, nil)), 415; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestGetIgnoresTheTypeOfNoBody(t *testing.T) {
	r := httptest.NewRequest("GET", "/users/1?state=ACTIVE", nil)
	r.SetPathValue("user_id", "1")
	r.Header.Set("Content-Type", "text/plain")
	if err := decode(operation(t, "GET", "/users/{user_id}"), r, nil); err != nil {
		t.Error(err)
	}
}

func TestUnreadBodyClosesTheConnection(t *testing.T) {
	for want, body := range map[int]io.Reader{
		413: strings.NewReader(strings.Repeat(" ", 9000)),
		408: iotest.ErrReader(os.ErrDeadlineExceeded),
	} {
		rec := httptest.NewRecorder()
		r := post("")
		r.Body, r.ContentLength = io.NopCloser(body), -1
		err := operation(t, "POST", "/login").Decode(&httpx.Response{ResponseWriter: rec}, r, nil)
		if got := httpx.StatusOf(err); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
		if got, want := rec.Header().Get("Connection"), "close"; got != want {
			t.Errorf("Connection is %q, want %q", got, want)
		}
	}
}

func TestEmailFormat(t *testing.T) {
	o := operation(t, "POST", "/every")
	domain := strings.Repeat("a.", 93) + "example" // 193 bytes
	for email, want := range map[string]bool{
		"a@example.com":                          true,
		"first.last+tag@sub.example.com":         true,
		"o'neil@localhost":                       true,
		"jörg@münchen.example":                   true,
		"a@xn--mnchen-3ya.example":               true,
		strings.Repeat("a", 60) + "@" + domain:   true,  // 254 bytes
		strings.Repeat("a", 61) + "@" + domain:   false, // 255 bytes
		strings.Repeat("a", 65) + "@example.com": false,
		"":                                       false,
		"a":                                      false,
		"@example.com":                           false,
		"a@":                                     false,
		"a@b@example.com":                        false,
		".a@example.com":                         false,
		"a..b@example.com":                       false,
		"a@example..com":                         false,
		"a@-example.com":                         false,
		"a@example.com.":                         false,
		"a@[127.0.0.1]":                          false,
		`"a b"@example.com`:                      false,
		"a b@example.com":                        false,
		"a@example.com (c)":                      false,
		"<a@example.com>":                        false,
		"a@example.com, b@example.com":           false,
		"a\u200b@example.com":                    false,
		"a@exa\u202emple.com":                    false,
		`a@example.com\r\nBcc: b@example.com`:    false,
	} {
		got := decode(o, post(`{"mail":"`+strings.ReplaceAll(email, `"`, `\"`)+`"}`), nil) == nil
		if got != want {
			t.Errorf("%q: accepted is %t, want %t", email, got, want)
		}
	}
}

func BenchmarkDecodeLogin(b *testing.B) {
	const body = `{"email":"someone@example.com","password":{"value":"correct horse battery staple"}}`
	o := operation(b, "POST", "/login")
	w := &httpx.Response{ResponseWriter: httptest.NewRecorder()}
	r := post(body)
	b.ReportAllocs()
	for b.Loop() {
		var dst struct {
			Email    string `json:"email"`
			Password struct {
				Value string `json:"value"`
			} `json:"password"`
		}
		r.Body = io.NopCloser(strings.NewReader(body))
		if err := o.Decode(w, r, &dst); err != nil {
			b.Fatal(err)
		}
	}
}
