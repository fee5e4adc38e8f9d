package httpx_test

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/httpx"
)

func TestDecodeJSONRefuses(t *testing.T) { // A-144 B-61
	for name, body := range map[string]string{
		"nothing":                       "",
		"white space":                   " ",
		"trailing value":                `{} {}`,
		"trailing text":                 `{}x`,
		"trailing comma":                `{"a":1,}`,
		"comment":                       `{/**/}`,
		"single quotes":                 `{'a':1}`,
		"truncated":                     `{"a":`,
		"byte order mark":               "\ufeff{}",
		"UTF-16":                        "{\x00}\x00",
		"invalid UTF-8":                 "{\"a\":\"\xff\"}",
		"overlong UTF-8":                "{\"a\":\"\xc0\x80\"}",
		"invalid UTF-8 in a name":       "{\"\xff\":1}",
		"raw NUL":                       "{\"a\":\"\x00\"}",
		"escaped NUL":                   `{"a":"x\u0000"}`,
		"escaped NUL in a name":         `{"a\u0000":1}`,
		"raw line feed":                 "{\"a\":\"\n\"}",
		"lone high surrogate":           `{"a":"\ud800"}`,
		"lone low surrogate":            `{"a":"\udc00x"}`,
		"reversed surrogates":           `{"a":"\udc00\ud800"}`,
		"surrogate in a name":           `{"\ud800":1}`,
		"same member twice":             `{"password":"a","password":"b"}`,
		"same member twice, escaped":    `{"password":"a","p\u0061ssword":"b"}`,
		"same member twice, inside":     `[{"a":{"b":1,"b":1}}]`,
		"case variant":                  `{"password":"a","Password":"b"}`,
		"case variant inside":           `{"x":{"a":1,"A":1}}`,
		"case variant beyond ASCII":     `{"straſſe":1,"STRASSE":1}`,
		"case variant, Kelvin":          `{"k":1,"\u212a":1}`,
		"case variant among many":       `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"J":1}`,
		"case variant of an early name": `{"ab":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"aB":1}`,
		"17 levels":                     strings.Repeat("[", 17) + strings.Repeat("]", 17),
		"17 levels of objects":          strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
		"depth bomb":                    strings.Repeat("[", 1<<20),
		"huge number":                   `1e999`,
		"huge negative number":          `{"a":-1e999}`,
		"leading zero":                  `01`,
		"not a number":                  `NaN`,
	} {
		var dst any
		err := httpx.DecodeJSON([]byte(body), &dst)
		if err == nil || httpx.StatusOf(err) != 400 {
			t.Errorf("%s: got %v, want a 400", name, err)
		}
		if dst != nil {
			t.Errorf("%s: dst was filled: %v", name, dst)
		}
	}
}

func TestDecodeJSONAccepts(t *testing.T) {
	for name, body := range map[string]string{
		"spaces around":            " \r\n\t{} ",
		"16 levels":                strings.Repeat("[", 16) + strings.Repeat("]", 16),
		"same names, two objects":  `[{"a":1},{"A":1}]`,
		"surrogate pair":           `"\ud83d\ude00"`,
		"control character":        `"\u0001\u007f"`,
		"similar but not folded":   `{"i":1,"İ":2,"ı":3}`,
		"number of many digits":    `1.000000000000000000000000000000000000001`,
		"number near zero":         `1e-999`,
		"a scalar at the top":      `"x"`,
		"nine different names":     `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`,
		"escapes of all the sorts": `"\"\\\/\b\f\n\r\t\u00e9"`,
	} {
		var dst any
		if err := httpx.DecodeJSON([]byte(body), &dst); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyMembersAreReadInOnePass(t *testing.T) { // B-61
	var b strings.Builder
	b.WriteString(`{"first":0`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `,"k%d":0`, i)
	}
	var dst map[string]int
	if err := httpx.DecodeJSON([]byte(b.String()+"}"), &dst); err != nil {
		t.Error(err)
	}
	if err := httpx.DecodeJSON([]byte(b.String()+`,"K19999":0}`), &dst); err == nil {
		t.Error("a case variant after 20,000 members was accepted")
	}
}

func TestDecodeJSONIntoStruct(t *testing.T) {
	var dst struct {
		Name string `json:"name"`
		N    int8   `json:"n"`
	}
	if err := httpx.DecodeJSON([]byte(`{"Name":"x","n":5,"other":[]}`), &dst); err != nil || dst.Name != "" || dst.N != 5 {
		t.Errorf("got %+v, %v; want names matched by case and others ignored", dst, err)
	}
	for body, want := range map[string]string{
		`{"name":5}`:  "body name REGEX",
		`{"n":300}`:   "body n REGEX",
		`{"n":"300"}`: "body n REGEX",
		`[]`:          "body  REGEX",
	} {
		got := lines(t, httpx.DecodeJSON([]byte(body), &dst))
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	var m map[string]int
	if got := lines(t, httpx.DecodeJSON([]byte(`{"p@ss word":"x"}`), &m)); got[0] != "body * REGEX" {
		t.Errorf("got %q, want a name that looks like a value hidden", got)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"email":"a@example.com","password":{"value":"x"}}`, `{"a":1,"A":2}`, `{"a":1,"a":2}`, `[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]`,
		`"\ud800"`, "\"\\u0000\"", "\ufeff1", `1e999`, `{"k":1,"\u212a":2}`, ` [null,true,-0.0,1e-7] `, "\xff", `{"a":{"b":[{"c":"\ud83d\ude00"}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second, lenient any
		if httpx.DecodeJSON(body, &first) != nil {
			return
		}
		if err := json.Unmarshal(body, &lenient, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil || !reflect.DeepEqual(first, lenient) {
			t.Fatalf("%q: a lenient decoder sees %v (%v), we see %v", body, lenient, err, first)
		}
		if got, want := members(first), names(t, body); got != want {
			t.Fatalf("%q has %d member names, %d were decoded", body, want, got)
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q does not encode again: %v", body, err)
		}
		if err := httpx.DecodeJSON(again, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q became %q: %v, %v", body, again, second, err)
		}
		noVariants(t, first)
	})
}

// members counts the members of all objects in v.
func members(v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += members(item)
		}
	case map[string]any:
		for _, member := range v {
			n += 1 + members(member)
		}
	}
	return n
}

// names counts the member names in a text, duplicates too.
func names(t *testing.T, body []byte) int {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	for n := 0; ; {
		tok, err := d.ReadToken()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if kind, length := d.StackIndex(d.StackDepth()); kind == '{' && length%2 == 1 && tok.Kind() == '"' {
			n++
		}
	}
}

// noVariants fails if an object has two names that differ in case alone.
func noVariants(t *testing.T, v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			noVariants(t, item)
		}
	case map[string]any:
		names := make([]string, 0, len(v))
		for name, member := range v {
			noVariants(t, member)
			for _, other := range names {
				if strings.EqualFold(name, other) {
					t.Fatalf("both %q and %q were accepted", name, other)
				}
			}
			names = append(names, name)
		}
	}
}
