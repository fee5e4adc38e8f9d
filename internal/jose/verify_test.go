package jose_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"countersign/internal/jose"
)

func TestVerifyChecksClaims(t *testing.T) { // B-38
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	ahead := func(d time.Duration) int64 { return now.Add(d).Unix() }
	const badIssuer, badAudience = "iss is not wanted", "aud is not wanted"
	const badIssued, badStart, badExpiry = "iat is missing or in the future", "nbf is no time or in the future", "exp is missing"
	tests := []struct {
		name    string
		changes jose.Claims
		reason  string // empty: accepted
	}{
		{"as they should be", nil, ""},
		{"iss missing", jose.Claims{"iss": nil}, badIssuer},
		{"iss another", jose.Claims{"iss": "https://evil.example.com"}, badIssuer},
		{"iss with a slash", jose.Claims{"iss": issuer + "/"}, badIssuer},
		{"iss in other case", jose.Claims{"iss": strings.ToUpper(issuer)}, badIssuer},
		{"iss an array", jose.Claims{"iss": []string{issuer}}, badIssuer},
		{"aud missing", jose.Claims{"aud": nil}, badAudience},
		{"aud empty", jose.Claims{"aud": ""}, badAudience},
		{"aud empty array", jose.Claims{"aud": []string{}}, badAudience},
		{"aud a number", jose.Claims{"aud": 1}, badAudience},
		{"aud a bool", jose.Claims{"aud": true}, badAudience},
		{"aud an object", jose.Claims{"aud": map[string]any{audience: true}}, badAudience},
		{"aud nested", jose.Claims{"aud": []any{[]string{audience}}}, badAudience},
		{"aud mixed", jose.Claims{"aud": []any{audience, 1}}, badAudience},
		{"aud with null", jose.Claims{"aud": []any{audience, nil}}, badAudience},
		{"aud a prefix", jose.Claims{"aud": audience[:len(audience)-1]}, badAudience},
		{"aud an extension", jose.Claims{"aud": audience + ".evil.example.com"}, badAudience},
		{"aud in other case", jose.Claims{"aud": strings.ToUpper(audience)}, badAudience},
		{"aud a list in a string", jose.Claims{"aud": audience + " other"}, badAudience},
		{"aud others", jose.Claims{"aud": []string{"a", "b"}}, badAudience},
		{"aud any", jose.Claims{"aud": jose.AnyAudience}, badAudience},
		{"aud star", jose.Claims{"aud": "*"}, badAudience},
		{"aud one of two", jose.Claims{"aud": []string{"other", audience}}, ""},
		{"iat missing", jose.Claims{"iat": nil}, badIssued},
		{"iat a string", jose.Claims{"iat": "1793880000"}, badIssued},
		{"iat negative", jose.Claims{"iat": -1}, badIssued},
		{"iat far ahead", jose.Claims{"iat": int64(math.MaxInt64)}, badIssued},
		{"iat 10 s ahead", jose.Claims{"iat": ahead(10 * time.Second)}, ""},
		{"iat 11 s ahead", jose.Claims{"iat": ahead(11 * time.Second)}, badIssued},
		{"nbf 10 s ahead", jose.Claims{"nbf": ahead(10 * time.Second)}, ""},
		{"nbf 11 s ahead", jose.Claims{"nbf": ahead(11 * time.Second)}, badStart},
		{"nbf a string", jose.Claims{"nbf": "0"}, badStart},
		{"nbf null", jose.Claims{"nbf": (*int)(nil)}, badStart},
		{"exp missing", jose.Claims{"exp": nil}, badExpiry},
		{"exp null", jose.Claims{"exp": (*int)(nil)}, badExpiry},
		{"exp a string", jose.Claims{"exp": "9999999999"}, badExpiry},
		{"exp huge", jose.Claims{"exp": 1e300}, badExpiry},
		{"exp after year 9999", jose.Claims{"exp": 253402300800}, badExpiry},
		{"exp next second", jose.Claims{"exp": ahead(time.Second)}, ""},
		{"exp a fraction ahead", jose.Claims{"exp": float64(now.Unix()) + 0.5}, ""},
	}
	for _, test := range tests {
		token := sign(t, k, changed(test.changes))
		if test.reason == "" {
			accept(t, test.name, set, token, want())
		} else {
			refuse(t, test.name, set, token, want(), test.reason)
		}
	}
}

func TestExpiry(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	tests := []struct {
		ago, skew time.Duration
		expired   bool
	}{
		{-time.Second, 0, false},
		{0, 0, true},
		{time.Second, 0, true},
		{29 * time.Second, 30 * time.Second, false},
		{30 * time.Second, 30 * time.Second, true},
		{59 * time.Second, time.Minute, false},
		{24 * 365 * time.Hour, time.Minute, true},
	}
	for _, test := range tests {
		w := want()
		w.Skew = test.skew
		_, err := set.Verify(sign(t, k, changed(jose.Claims{"exp": now.Add(-test.ago)})), w)
		if got := errors.Is(err, jose.ErrExpired); got != test.expired || (err != nil) != test.expired {
			t.Errorf("exp %v ago, skew %v: %v, want expired %t", test.ago, test.skew, err, test.expired)
		}
	}
	// Whoever may not use a token does not learn that it was good once.
	old := now.Add(-time.Hour)
	refuse(t, "expired, for another audience", set, sign(t, k, changed(jose.Claims{"exp": old, "aud": "other"})), want(), "aud is not wanted")
	token := sign(t, k, changed(jose.Claims{"exp": old}))
	refuse(t, "expired, altered", set, token[:len(token)-4]+"AAAA", want(), "")
}

func TestIncompleteWantAcceptsNothing(t *testing.T) { // B-38
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	token := sign(t, k, changed(jose.Claims{"iss": "", "aud": ""}))
	tests := map[string]func(*jose.Want){
		"verifier wants no typ":            func(w *jose.Want) { w.Typ = nil },
		"verifier wants no issuer":         func(w *jose.Want) { w.Issuer = "" },
		"verifier wants no audience":       func(w *jose.Want) { w.Audience = "" },
		"verifier has no time":             func(w *jose.Want) { w.Now = time.Time{} },
		"verifier forgives too much skew":  func(w *jose.Want) { w.Skew = time.Minute + 1 },
		"verifier forgives too much skew ": func(w *jose.Want) { w.Skew = -1 },
	}
	for reason, spoil := range tests {
		w := want()
		spoil(&w)
		refuse(t, reason, set, token, w, strings.TrimSpace(reason))
	}
	refuse(t, "zero", set, token, jose.Want{}, "verifier wants no typ")
}

func TestAnyAudienceIsExplicit(t *testing.T) {
	k := fixedKey(t)
	w := want()
	w.Audience = jose.AnyAudience
	accept(t, "another", jose.NewSet(k.Public()), sign(t, k, changed(jose.Claims{"aud": "other"})), w)
	accept(t, "none", jose.NewSet(k.Public()), sign(t, k, changed(jose.Claims{"aud": nil})), w)
}

func TestVerifyChecksTyp(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	tests := []struct {
		typ  string // as JSON; empty: absent
		want []string
		ok   bool
	}{
		{`"at+jwt"`, []string{"at+jwt"}, true},
		{`"AT+JWT"`, []string{"at+jwt"}, true},
		{`"application/at+jwt"`, []string{"at+jwt"}, true},
		{`"Application/At+jwt"`, []string{"at+jwt"}, true},
		{`"at+jwt"`, []string{"application/at+jwt"}, true},
		{`"JWT"`, []string{"at+jwt", "JWT"}, true},
		{`"JWT"`, []string{"at+jwt"}, false},
		{`"application/application/at+jwt"`, []string{"at+jwt"}, false},
		{`"logout+jwt"`, []string{"at+jwt"}, false},
		{`"at+jwt "`, []string{"at+jwt"}, false},
		{`"at"`, []string{"at+jwt"}, false},
		{`["at+jwt"]`, []string{"at+jwt"}, false},
		{`1`, []string{"at+jwt"}, false},
		{`null`, []string{"at+jwt"}, false},
		{`null`, []string{""}, false},
		{`""`, []string{""}, false},
		{`"application/"`, []string{""}, false},
		{``, []string{"at+jwt"}, false},
		{``, []string{"JWT", ""}, true},
	}
	for _, test := range tests {
		header := `{"alg":"EdDSA","kid":"` + k.ID() + `"`
		if test.typ != "" {
			header += `,"typ":` + test.typ
		}
		token := signRaw(t, k, header+"}", payload(t))
		w := want()
		w.Typ = test.want
		if test.ok {
			accept(t, test.typ, set, token, w)
		} else {
			refuse(t, test.typ, set, token, w, "typ is not wanted")
		}
	}
}

func TestVerifyIsStrictAboutJSON(t *testing.T) { // B-39
	k := fixedKey(t)
	set := jose.NewSet(k.Public())
	goodHeader := `{"alg":"EdDSA","typ":"at+jwt","kid":"` + k.ID() + `"}`
	goodPayload := payload(t)
	accept(t, "as they should be", set, signRaw(t, k, goodHeader, goodPayload), want())
	nested := func(depth int) string {
		return `,"x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
	}
	tests := map[string]func(object string) string{
		"empty":             func(string) string { return "" },
		"null":              func(string) string { return "null" },
		"an array":          func(o string) string { return "[" + o + "]" },
		"a string":          func(string) string { return `"x"` },
		"trailing":          func(o string) string { return o + "{}" },
		"cut short":         func(o string) string { return o[:len(o)-1] },
		"trailing comma":    func(o string) string { return o[:len(o)-1] + ",}" },
		"byte order mark":   func(o string) string { return "\ufeff" + o },
		"comment":           func(o string) string { return "/**/" + o },
		"duplicate name":    func(o string) string { return o[:len(o)-1] + `,"x":1,"x":1}` },
		"duplicate, spelt":  func(o string) string { return o[:len(o)-1] + `,"x":1,"\u0078":1}` },
		"duplicate, nested": func(o string) string { return o[:len(o)-1] + `,"x":[{"y":1,"y":1}]}` },
		"invalid UTF-8":     func(o string) string { return o[:len(o)-1] + ",\"x\":\"\xff\"}" },
		"lone surrogate":    func(o string) string { return o[:len(o)-1] + `,"x":"\ud800"}` },
		"huge number":       func(o string) string { return o[:len(o)-1] + `,"x":1e999}` },
		"too deep":          func(o string) string { return o[:len(o)-1] + nested(16) },
		"far too deep":      func(o string) string { return o[:len(o)-1] + nested(5000) },
		"deep and open":     func(string) string { return strings.Repeat(`{"a":`, 2000) },
	}
	for name, spoil := range tests {
		refuse(t, name, set, signRaw(t, k, spoil(goodHeader), goodPayload), want(), "header is not a strict JSON object")
		refuse(t, name, set, signRaw(t, k, goodHeader, spoil(goodPayload)), want(), "payload is not a strict JSON object")
	}
	deep := goodPayload[:len(goodPayload)-1] + nested(15)
	accept(t, "deep, but not too deep", set, signRaw(t, k, goodHeader, deep), want())
	brackets := goodPayload[:len(goodPayload)-1] + `,"x":"\"` + strings.Repeat("[{", 100) + `\\"}`
	accept(t, "brackets in a string", set, signRaw(t, k, goodHeader, brackets), want())
}

// TestHugeTokensAreRefusedUnread counts allocations: whatever is parsed is
// allocated first.
func TestHugeTokensAreRefusedUnread(t *testing.T) { // B-39
	k := fixedKey(t)
	set, w := jose.NewSet(k.Public()), want()
	token := sign(t, k, claims())
	tests := map[string]string{
		"dots":         strings.Repeat(".", 1<<20),
		"few dots":     strings.Repeat(".", 1<<13),
		"header":       strings.Repeat("A", 8<<20) + token[strings.Index(token, "."):],
		"signature":    token + strings.Repeat("A", 8<<20),
		"one byte":     token + strings.Repeat("A", 16<<10+1-len(token)),
		"no dots":      strings.Repeat("A", 16<<10),
		"JWE":          strings.Repeat("A.", 4) + "A",
		"all newlines": strings.Repeat("\n", 1<<13) + token,
	}
	for name, huge := range tests {
		refuse(t, name, set, huge, w, "")
		if got := testing.AllocsPerRun(10, func() { set.Verify(huge, w) }); got > 2 {
			t.Errorf("%s: %v allocations, want at most 2", name, got)
		}
	}
}

func TestZeroSetAcceptsNothing(t *testing.T) {
	token := sign(t, fixedKey(t), claims())
	refuse(t, "empty set", jose.NewSet(), token, want(), "unknown kid")
	refuse(t, "zero key", jose.NewSet(jose.PublicKey{}), token, want(), "unknown kid")
	refuse(t, "zero set", new(jose.Set), token, want(), "unknown kid")
}
