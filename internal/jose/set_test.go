package jose_test

import (
	"fmt"
	"strings"
	"testing"

	"countersign/internal/jose"
)

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func TestParseSet(t *testing.T) {
	keys := generated()
	ec, rsa, pss := keys[jose.ES256].Public().String(), keys[jose.RS256].Public().String(), keys[jose.PS256].Public().String()
	bare := strings.Replace(rsa, `"alg":"RS256",`, "", 1)
	if bare == rsa {
		t.Fatalf("no alg in %s", rsa)
	}
	others := make([]string, 21)
	for i := range others {
		others[i] = strings.Replace(ec, keys[jose.ES256].ID(), fmt.Sprint("key-", i), 1)
	}
	for _, tt := range []struct {
		name string
		jwks string
		alg  jose.Alg
		want jose.Alg // empty: refused
	}{
		{"EC", keySet(ec), "", jose.ES256},
		{"EC, as it should be", keySet(ec), jose.ES256, jose.ES256},
		{"EC as RS256", keySet(ec), jose.RS256, ""},
		{"RSA without alg", keySet(bare), "", jose.RS256},
		{"RSA without alg as PS256", keySet(bare), jose.PS256, jose.PS256},
		{"RSA with alg as PS256", keySet(rsa), jose.PS256, ""},
		{"PSS", keySet(pss), "", jose.PS256},
		{"other members", `{"x":1,` + keySet(ec)[1:], "", jose.ES256},
		{"two algorithms", keySet(ec, rsa), "", ""},
		{"twenty keys", keySet(others[:20]...), "", jose.ES256},
		{"twenty-one keys", keySet(others...), "", ""},
		{"one kid twice", keySet(ec, ec), "", ""},
		{"no keys", keySet(), "", ""},
		{"a JWK", ec, "", ""},
		{"no JSON", "keys", "", ""},
		{"empty", "", "", ""},
		{"a private key", keySet(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",` +
			`"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","` + `d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`), "", ""},
		{"a secret", keySet(`{"kty":"oct","k":"c2VjcmV0"}`), "", ""},
		{"too long", keySet(ec) + strings.Repeat(" ", 32<<10), "", ""},
	} {
		set, err := jose.ParseSet(tt.jwks, tt.alg)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%s: accepted", tt.name)
		case tt.want != "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && set.Alg() != tt.want:
			t.Errorf("%s: got %s, want %s", tt.name, set.Alg(), tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "jpsQ") {
			t.Errorf("%s: the error repeats a private key: %v", tt.name, err)
		}
	}
}

// TestForeignTokens: what RFC 7523 lets others leave out is not asked of them, and nothing else is given away.
func TestForeignTokens(t *testing.T) {
	k, other := generated()[jose.ES256], fixedKey(t)
	one, two := jose.NewSet(k.Public()), jose.NewSet(k.Public(), other.Public())
	bare := signRaw(t, k, `{"alg":"ES256","typ":"at+jwt"}`, strings.Replace(payload(t), `"iat":`, `"was":`, 1))
	foreign := want()
	foreign.Foreign = true
	if _, err := one.Verify(bare, foreign); err != nil {
		t.Errorf("no kid and no iat: %v", err)
	}
	if _, err := one.Verify(bare, want()); err == nil {
		t.Error("accepted where it is not foreign")
	}
	if _, err := two.Verify(bare, foreign); err == nil {
		t.Error("no kid among two keys: accepted")
	}
	if _, err := jose.NewSet(other.Public()).Verify(bare, foreign); err == nil {
		t.Error("another key: accepted")
	}
	for name, header := range map[string]string{
		"an unknown kid":       `{"alg":"ES256","kid":"x","typ":"at+jwt"}`,
		"a kid that is null":   `{"alg":"ES256","kid":null,"typ":"at+jwt"}`,
		"another algorithm":    `{"alg":"RS256","typ":"at+jwt"}`,
		"none":                 `{"alg":"none","typ":"at+jwt"}`,
		"a key of its own":     `{"alg":"ES256","typ":"at+jwt","jwk":` + k.Public().String() + `}`,
		"a place to get a key": `{"alg":"ES256","typ":"at+jwt","jku":"https://evil.example"}`,
	} {
		if _, err := one.Verify(signRaw(t, k, header, payload(t)), foreign); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := one.Verify(sign(t, k, changed(jose.Claims{"iat": "1"})), foreign); err == nil {
		t.Error("iat that is no time: accepted")
	}
}

func TestClaimed(t *testing.T) {
	token := sign(t, fixedKey(t), claims())
	if got := jose.Claimed(token, "sub"); got != "u1" {
		t.Errorf("sub: got %q", got)
	}
	for _, tt := range [][2]string{{token, "iat"}, {token, "none"}, {"x", "sub"}, {"a.b.c", "sub"}, {token + "=", "sub"}, {"", "sub"}} {
		if got := jose.Claimed(tt[0], tt[1]); got != "" {
			t.Errorf("%q of %q: got %q", tt[1], tt[0], got)
		}
	}
}
