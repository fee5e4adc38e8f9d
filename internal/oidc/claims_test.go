package oidc_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/oidc"
)

// FuzzReadClaims looks for a claims parameter (OIDC Core §5.5) that panics, is read although it is no object, or has a claim lost that it asks
// for, or asked for twice.
func FuzzReadClaims(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, ``, `{"id_token":null,"userinfo":{}}`, `{"id_token":{"email":null,"acr":{"values":["a","b"],"essential":true},"sub":{"value":"17"}}}`,
		`{"userinfo":{"address":{"fields":["city"]},"email":"x"}}`, `{"id_token":{"acr":{"value":"a","value":"b"}}}`, `{"id_token":{"acr":[]},"id_token":{}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, ok := oidc.ReadClaims(text)
		if !ok {
			return
		}
		if v := jsontext.Value(text); !v.IsValid() || v.Kind() != '{' && v.Kind() != 'n' {
			t.Errorf("%q is no object", text)
		}
		names := map[string]bool{}
		for _, c := range in.Claims {
			if names[c.Name] || c.Name == "sub" {
				t.Errorf("%q asks for %q twice, or for a claim that is always there", text, c.Name)
			}
			names[c.Name] = true
		}
		var asked struct {
			IDToken map[string]jsontext.Value `json:"id_token"`
		}
		if err := json.Unmarshal([]byte(text), &asked); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for name := range asked.IDToken {
			if name != "sub" && name != "acr" && !names[name] {
				t.Errorf("%q asks for %q, which is lost", text, name)
			}
		}
	})
}
