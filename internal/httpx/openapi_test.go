package httpx_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"countersign/internal/httpx"
)

// load reads a document in YAML, by way of the form in which a server reads it.
func load(yaml string) (*httpx.Doc, error) {
	requests, err := httpx.Requests([]byte(yaml))
	if err != nil {
		return nil, err
	}
	return httpx.OpenDoc(requests)
}

func TestDocListsItsOperations(t *testing.T) {
	doc := loadTestDoc(t)
	var got []string
	for _, o := range doc.Operations() {
		got = append(got, o.Method+" "+o.Path)
	}
	want := "POST /every, POST /form, POST /login, POST /logout, GET /users/{user_id}"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := doc.Operation("GET", "/login"); err == nil {
		t.Error("GET /login was found, want an error")
	}
}

func TestLimitOfTheBody(t *testing.T) {
	if got, want := operation(t, "POST", "/login").MaxBody, int64(8192); got != want {
		t.Errorf("default is %d, want %d", got, want)
	}
	if got, want := operation(t, "POST", "/every").MaxBody, int64(2048); got != want {
		t.Errorf("x-max-body is %d, want %d", got, want)
	}
}

func TestRequestsRefusesWhatIsNotChecked(t *testing.T) {
	const head = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /a/{id}:\n    post:\n      responses: {'204': {description: x}}\n"
	const id = "{in: path, name: id, required: true, schema: {type: string}}"
	body := func(schema string) string {
		return "      parameters: [" + id + "]\n      requestBody: {content: {application/json: {schema: " + schema + "}}}\n"
	}
	param := func(p string) string { return "      parameters: [" + id + ", " + p + "]\n" }
	for _, tt := range []struct{ name, doc, want string }{
		{"not YAML", "\t", "load"},
		{"version 3.1", strings.Replace(head, "3.0.3", "3.1.0", 1) + param(""), "3.0"},
		{"no responses", "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {}}}\n", "validate"},
		{"unknown reference", head + body("{$ref: '#/components/schemas/None'}"), "load"},
		{"other file", head + body("{$ref: 'other.yaml'}"), "load"},
		{"format", head + body("{type: object, properties: {a: {type: array, items: {type: string, format: phone}}}}"), `format "phone"`},
		{"format in parameter", head + param("{in: query, name: q, schema: {type: string, format: phone}}"), `format "phone"`},
		{"pattern", head + body("{type: string, pattern: '('}"), "validate"},
		{"object parameter", head + param("{in: query, name: q, schema: {type: object}}"), "objects"},
		{"style", head + param("{in: query, name: q, style: pipeDelimited, explode: false, schema: {type: array, items: {type: string}}}"), "pipeDelimited"},
		{"cookie", head + param("{in: cookie, name: q, schema: {type: string}}"), "cookie"},
		{"reference to a part", head + body("{type: object, properties: {a: {type: string}, b: {$ref: '#/paths/~1a~1{id}/post/parameters/0/schema'}}}"), "is not below"},
		{"x-max-body", head + param("") + "      x-max-body: 1 MB\n", "x-max-body"},
		{"x-max-body of nothing", head + param("") + "      x-max-body: 0\n", "x-max-body"},
	} {
		_, err := load(tt.doc)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if _, err := load(head + body("{type: string, format: email}")); err != nil {
		t.Errorf("the document without a fault: %v", err)
	}
}

// TestOpenDocRefusesWhatRequestsDidNotWrite: a broken form does not become a server that checks less.
func TestOpenDocRefusesWhatRequestsDidNotWrite(t *testing.T) {
	const body = `{"paths": {"/": {"POST": {"requestBody": {"content": {"application/json": {"schema": %s}}}}}}, "schemas": {"A": %s}}`
	for _, form := range []string{"", "openapi: 3.0.3", `{"paths": {"/": {"GET": {}, "GET": {}}}}`, `{"paths": {"/": {"GET": {"x-max-body": 0.5}}}}`} {
		if _, err := httpx.OpenDoc([]byte(form)); err == nil {
			t.Errorf("%s: opened", form)
		}
	}
	for _, form := range []string{
		fmt.Sprintf(body, `{"$ref": "#/components/schemas/None"}`, `{}`), fmt.Sprintf(body, `{"$ref": "#/components/schemas/A"}`, `{"type": 1}`),
		fmt.Sprintf(body, `{"type": "string", "format": "phone"}`, `{}`), fmt.Sprintf(body, `[]`, `{}`),
	} {
		doc, err := httpx.OpenDoc([]byte(form))
		if err != nil {
			t.Fatal(err)
		}
		o, err := doc.Operation("POST", "/")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err = decode(o, post(`{}`), nil)
			if refused := (*httpx.Invalid)(nil); err == nil || errors.As(err, &refused) {
				t.Errorf("%s: got %v, want an error that is not the client's", form, err)
			}
		}
	}
}

// TestOperationsAreCompiledBesideOthersInUse is for the race detector: operations share schemas, and each is compiled by its first request.
func TestOperationsAreCompiledBesideOthersInUse(t *testing.T) {
	yaml := "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n"
	for n := range 16 {
		yaml += fmt.Sprintf("  /%d:\n    post:\n      responses: {'204': {description: x}}\n      requestBody: {content: {application/json: {schema: "+
			"{type: object, properties: {a: {$ref: '#/components/schemas/A'}, b: {$ref: '#/components/schemas/B%d'}}}}}}\n", n, n%4)
	}
	yaml += "components:\n  schemas:\n    A: {type: string, pattern: '^a+$', maxLength: 3}\n"
	for n := range 4 {
		yaml += fmt.Sprintf("    B%d: {type: object, required: [z], properties: {z: {$ref: '#/components/schemas/A'}, next: {$ref: '#/components/schemas/B%d'}}}\n", n, n)
	}
	doc, err := load(yaml)
	if err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	for n := range 64 {
		crowd.Go(func() {
			o, err := doc.Operation("POST", fmt.Sprintf("/%d", n%16))
			if err != nil {
				t.Error(err)
				return
			}
			got := strings.Join(lines(t, decode(o, post(`{"a":"aaaa","b":{"next":{}}}`), nil)), "; ")
			if want := "body a SIZE 0,3; body b.z REQUIRED; body b.next.z REQUIRED"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	crowd.Wait()
}

// property loads a document whose one operation, POST /, takes {"a": schema}.
func property(t *testing.T, schema, components string) *httpx.Operation {
	t.Helper()
	doc, err := load("openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /:\n    post:\n" +
		"      parameters: [{in: header, name: Authorization, required: true, schema: {type: object}}]\n" +
		"      requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {a: " + schema + "}}}}}\n" +
		"      responses: {'204': {description: x}}\n" + components)
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	o, err := doc.Operation("POST", "/")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFormats(t *testing.T) {
	for format, values := range map[string][2][]string{
		"date":      {{"2024-02-29"}, {"2023-02-29", "2024-2-9", "2024-02-29T00:00:00Z", ""}},
		"date-time": {{"2024-02-29T12:00:00Z", "2024-02-29T12:00:00.5+02:00"}, {"2024-02-29", "2024-02-29T12:00:00", "2024-02-29 12:00:00Z", "2024-02-30T12:00:00Z"}},
		"ip":        {{"192.0.2.1", "2001:db8::1"}, {"192.0.2", "192.0.2.1:80", "x"}},
		"password":  {{"anything", ""}, nil},
		"uri":       {{"https://example.com/a?b=c", "urn:a:b", "app://cb"}, {"example.com", "/a", "https://a b", "https:", "https://a/%zz", "https://a/\\n"}},
		"uuid":      {{"9f1c2d3e-0000-7000-8000-00000000000A"}, {"9f1c2d3e00007000800000000000000A", "9f1c2d3e-0000-7000-8000-00000000000g"}},
	} {
		o := property(t, "{type: string, format: "+format+"}", "")
		for i, list := range values {
			for _, v := range list {
				if got, want := decode(o, post(`{"a":"`+v+`"}`), nil) == nil, i == 0; got != want {
					t.Errorf("%s %q: accepted is %t, want %t", format, v, got, want)
				}
			}
		}
	}
}

func TestRarerSchemas(t *testing.T) {
	for _, tt := range []struct {
		schema, components, body, want string
	}{
		{"{type: integer, format: int64}", "", `{"a":1e30}`, "body a RANGE -9223372036854775808,9223372036854775807"},
		{"{type: integer, enum: [1, 2.5, null]}", "", `{"a":3}`, "body a IN 1,2.5"},
		{"{type: string}", "", ``, "body  REQUIRED"},
		{"{anyOf: [{type: boolean}, {type: integer, maximum: 3}]}", "", `{"a":4}`, "body a RANGE ,3"},
		{"{anyOf: [{type: integer}, {type: boolean, enum: [true]}]}", "", `{"a":false}`, "body a IN true"},
		{"{anyOf: [{type: integer}, {type: array, maxItems: 1, items: {}}]}", "", `{"a":[1,2]}`, "body a SIZE 0,1"},
		{"{type: object, properties: {b: {type: string}}, allOf: [{required: [c]}]}", "", `{"a":{"b":1}}`, "body a.b REGEX string; body a.c REQUIRED"},
		{"{type: array, items: {type: object, properties: {b: {type: string}}}}", "", `{"a":[{"b":null}]}`, ""},
		{"{type: object, required: [hidden]}", "", `{"a":{}}`, "body a.hidden REQUIRED"},
		{
			"{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}], discriminator: {propertyName: kind, mapping: {dog: Dog, cat: Cat}}}",
			"components: {schemas: {Cat: {type: object, required: [lives]}, Dog: {type: object, required: [tricks]}}}\n",
			`{"a":{"kind":"dog"}}`, "body a.tricks REQUIRED",
		},
		{
			"{$ref: '#/components/schemas/Tree'}", "components: {schemas: {Tree: {type: object, properties: {next: {$ref: '#/components/schemas/Tree'}, n: {type: integer}}}}}\n",
			`{"a":{"next":{"next":{"n":"x"}}}}`, "body a.next.next.n REGEX integer",
		},
	} {
		got := strings.Join(lines(t, decode(property(t, tt.schema, tt.components), post(tt.body), nil)), "; ")
		if got != tt.want {
			t.Errorf("%s with %s: got %q, want %q", tt.schema, tt.body, got, tt.want)
		}
	}
}
