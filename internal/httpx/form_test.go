package httpx_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"countersign/internal/httpx"
)

func TestDecodeForm(t *testing.T) {
	for body, want := range map[string]url.Values{
		"":                       {},
		"a=1&b=2":                {"a": {"1"}, "b": {"2"}},
		"a=1+2%2B3&%C3%A9=%26":   {"a": {"1 2+3"}, "é": {"&"}},
		"a=&b&c=x":               {"c": {"x"}},
		"a=b=c":                  {"a": {"b=c"}},
		"a;b=1":                  {"a;b": {"1"}},
		"resource=x&resource=yy": {"resource": {"x", "yy"}},
		"a=1&A=2":                {"a": {"1"}, "A": {"2"}},
	} {
		got, err := httpx.DecodeForm([]byte(body), "resource")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; want %v", body, got, err, want)
		}
	}
	for _, body := range []string{
		"a=1&a=2", "a=1&a=", "a=&a=", "a=1&%61=1", "a=%", "a=%4", "a=%zz", "%zz=a", "a=%00", "a=\x00", "a=%ff", "a=\xff", "%00=1", "=1", "a=1&", "&", "a=%c0%80",
	} {
		if got, err := httpx.DecodeForm([]byte(body), "resource"); err == nil || httpx.StatusOf(err) != 400 {
			t.Errorf("%q: got %v, %v; want a 400", body, got, err)
		}
	}
}

func FuzzDecodeForm(f *testing.F) {
	for _, s := range []string{
		"grant_type=password&username=a%40example.com&password=x", "a=1&a=2", "a=%00", "a=%zz", "%61=1&a=2", "a=b=c&d", "&", "a=+&b=%20", "\xff=1",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := httpx.DecodeForm(body)
		if err != nil {
			return
		}
		for name, list := range got {
			if len(list) != 1 || list[0] == "" {
				t.Fatalf("%q: %q has values %q, want one", body, name, list)
			}
			if text := name + list[0]; strings.Contains(text, "\x00") || !utf8.ValidString(text) {
				t.Fatalf("%q: %q is not clean text", body, text)
			}
		}
		again, err := httpx.DecodeForm([]byte(got.Encode()))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q became %q: %v, %v", body, got.Encode(), again, err)
		}
	})
}
