package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/jose"
	"countersign/internal/oidc"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	tokenURL      = "https://auth.example/oidc/token"
)

// keyed is a server whose client "app" proves itself by keys.
type keyed struct {
	*server
	key *jose.Key
	n   int
}

func serveKeyed(t *testing.T, alg jose.Alg) *keyed {
	t.Helper()
	key, err := jose.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, registered, client(0, func(c *auth.ClientSetup) {
		c.Auth, c.Secret, c.JWKS = auth.ClientAuthKey, "", string(jose.NewSet(key.Public()).JWKS())
	}))
	return &keyed{s, key, 0}
}

// claims are those of a good assertion, with some set otherwise, or left out when they are nil.
func (k *keyed) claims(changes jose.Claims) jose.Claims {
	k.n++
	c := jose.Claims{"iss": "app", "sub": "app", "aud": authtest.Issuer, "exp": k.Clock.Now().Add(time.Minute), "jti": fmt.Sprint("jti ", k.n)}
	for name, v := range changes {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func (k *keyed) assertion(t *testing.T, changes jose.Claims) string {
	t.Helper()
	token, err := jose.Sign(k.key, "JWT", k.claims(changes))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func asserted(assertion string, more ...string) httpxtest.Call {
	q := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	for i := 0; i < len(more); i += 2 {
		if q.Set(more[i], more[i+1]); more[i+1] == "" {
			q.Del(more[i])
		}
	}
	return form(q.Encode())
}

// TestClientAssertions: what proves a client, and what does not (RFC 7523 §3, B-44).
func TestClientAssertions(t *testing.T) {
	t.Parallel()
	for _, alg := range auth.ClientAuthAlgs() {
		k := serveKeyed(t, alg)
		now := k.Clock.Now()
		for _, tt := range []struct {
			title   string
			changes jose.Claims
			want    int
		}{
			{"for the issuer", nil, 200},
			{"for the token endpoint", jose.Claims{"aud": tokenURL}, 200},
			{"for the token endpoint below /cis", jose.Claims{"aud": "https://auth.example/cis/oidc/token"}, 200},
			{"with iat", jose.Claims{"iat": now}, 200},
			{"five minutes", jose.Claims{"exp": now.Add(5 * time.Minute)}, 200},
			{"a clock that is ahead", jose.Claims{"exp": now.Add(5*time.Minute + 10*time.Second), "iat": now.Add(10 * time.Second)}, 200},
			{"too long", jose.Claims{"exp": now.Add(5*time.Minute + 11*time.Second)}, 401},
			{"over", jose.Claims{"exp": now}, 401},
			{"without end", jose.Claims{"exp": nil}, 401},
			{"exp as text", jose.Claims{"exp": "9999999999"}, 401},
			{"from the future", jose.Claims{"iat": now.Add(11 * time.Second)}, 401},
			{"not yet", jose.Claims{"nbf": now.Add(11 * time.Second)}, 401},
			{"no aud", jose.Claims{"aud": nil}, 401},
			{"another aud", jose.Claims{"aud": "https://other.example"}, 401},
			{"a list", jose.Claims{"aud": []string{authtest.Issuer}}, 401},
			{"a list of ours and theirs", jose.Claims{"aud": []string{authtest.Issuer, "https://other.example"}}, 401},
			{"the issuer with a slash", jose.Claims{"aud": authtest.Issuer + "/"}, 401},
			{"the token endpoint with a slash", jose.Claims{"aud": tokenURL + "/"}, 401},
			{"in other letters", jose.Claims{"aud": strings.ToUpper(tokenURL)}, 401},
			{"the server alone", jose.Claims{"aud": "https://auth.example"}, 401},
			{"another endpoint", jose.Claims{"aud": "https://auth.example/oidc/request"}, 401},
			{"the default audience", jose.Claims{"aud": auth.DefaultAudience}, 401},
			{"no sub", jose.Claims{"sub": nil}, 401},
			{"another sub", jose.Claims{"sub": "other"}, 401},
			{"no iss", jose.Claims{"iss": nil}, 401},
			{"another iss", jose.Claims{"iss": "other"}, 401},
			{"another client", jose.Claims{"iss": "other", "sub": "other"}, 401},
			{"a stranger", jose.Claims{"iss": "stranger", "sub": "stranger"}, 401},
			{"no jti", jose.Claims{"jti": nil}, 401},
			{"an empty jti", jose.Claims{"jti": ""}, 401},
			{"jti as a number", jose.Claims{"jti": 1}, 401},
			{"a long jti", jose.Claims{"jti": strings.Repeat("x", 257)}, 401},
		} {
			for _, named := range []string{"", "app"} { // as client_id, beside the assertion
				if r := asserted(k.assertion(t, tt.changes), "client_id", named).Do(k); r.Code != tt.want {
					t.Errorf("%s: %s of %q: got %d %s, want %d", alg, tt.title, named, r.Code, r.Body, tt.want)
				}
			}
		}
	}
}

// TestAssertionsOfOthers: neither another key, nor another algorithm, nor another kind of token is one (A-106, B-36, B-40).
func TestAssertionsOfOthers(t *testing.T) {
	t.Parallel()
	k := serveKeyed(t, jose.PS256)
	stranger, err := jose.Generate(jose.PS256)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key *jose.Key, typ string) string {
		t.Helper()
		token, err := jose.Sign(key, typ, k.claims(nil))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := k.assertion(t, nil)
	raw := func(header string, hash crypto.Hash, pss bool) string {
		t.Helper()
		der, _ := k.key.PKCS8()
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(k.claims(jose.Claims{"exp": k.Clock.Now().Add(time.Minute).Unix()}))
		message := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body)
		sum := sha256.Sum256([]byte(message))
		var signature []byte
		if pss {
			signature, err = rsa.SignPSS(rand.Reader, private.(*rsa.PrivateKey), hash, sum[:], nil)
		} else {
			signature, err = rsa.SignPKCS1v15(nil, private.(*rsa.PrivateKey), hash, sum[:])
		}
		if err != nil {
			t.Fatal(err)
		}
		return message + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	for title, tt := range map[string]struct {
		assertion string
		want      int
	}{
		"typ of RFC 7523bis":            {sign(k.key, "client-authentication+jwt"), 200},
		"no kid and no typ":             {raw(`{"alg":"PS256"}`, crypto.SHA256, true), 200},
		"an access token's typ":         {sign(k.key, "at+jwt"), 401},
		"a stranger's key":              {sign(stranger, "JWT"), 401},
		"the key with RS256":            {raw(`{"alg":"RS256","kid":"`+k.key.ID()+`"}`, crypto.SHA256, false), 401},
		"RS256 that says PS256":         {raw(`{"alg":"PS256","kid":"`+k.key.ID()+`"}`, crypto.SHA256, false), 401},
		"none":                          {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + ".", 401},
		"without the signature":         {good[:strings.LastIndex(good, ".")+1], 401},
		"with another's key in it":      {raw(`{"alg":"PS256","jwk":`+k.key.Public().String()+`}`, crypto.SHA256, true), 401},
		"with a place to fetch it from": {raw(`{"alg":"PS256","jku":"https://app.example/jwks"}`, crypto.SHA256, true), 401},
		"made up":                       {"a.b.c", 401},
		"too long for a token":          {strings.Repeat("a", 7000), 401},
	} {
		if r := asserted(tt.assertion).Do(k); r.Code != tt.want {
			t.Errorf("%s: got %d %s, want %d", title, r.Code, r.Body, tt.want)
		}
	}
}

// TestAssertionsAreGoodOnce: on any node, at once and later, and a lost race as well (A-116, B-44).
func TestAssertionsAreGoodOnce(t *testing.T) {
	t.Parallel()
	k := serveKeyed(t, jose.ES256)
	mux := &httpx.Mux{}
	oidc.New(k.Another(t, nil), "https://auth.example").Mount(mux)
	node := mux.Handler(httpx.Config{})
	text := k.assertion(t, jose.Claims{"jti": "once", "exp": k.Clock.Now().Add(5 * time.Minute)})
	if r := asserted(text).Do(k); r.Code != 200 {
		t.Fatalf("got %d %s", r.Code, r.Body)
	}
	same := k.assertion(t, jose.Claims{"jti": "once", "aud": tokenURL})
	for _, after := range []time.Duration{0, time.Minute, 3 * time.Minute, time.Minute} {
		k.Clock.Advance(after)
		if _, err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, h := range []http.Handler{k, node} {
			if r := asserted(text).Do(h); r.Code != 401 {
				t.Errorf("again after %s: got %d", after, r.Code)
			}
			if r := asserted(same).Do(h); r.Code != 401 {
				t.Errorf("another with the same jti, after %s: got %d", after, r.Code)
			}
		}
	}
	crowd := k.assertion(t, nil)
	var mu sync.Mutex
	var all sync.WaitGroup
	won := 0
	for i := range 20 {
		all.Go(func() {
			if asserted(crowd).Do([]http.Handler{k, node}[i%2]).Code == 200 {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("of twenty at once: got %d, want 1", won)
	}
	replays := 0
	for _, e := range k.events(t, "app") {
		if strings.Contains(e.Note, "used before") {
			replays++
		}
	}
	if replays < 19 {
		t.Errorf("events of replays: got %d, want at least 19", replays)
	}
}

// TestOneWayToProve: each client has one way, and each request one (RFC 6749 §2.3, A-114).
func TestOneWayToProve(t *testing.T) {
	t.Parallel()
	k := serveKeyed(t, jose.ES256)
	const grant = "grant_type=client_credentials"
	for _, tt := range []struct {
		title string
		call  httpxtest.Call
		want  string // the error; empty: none
	}{
		{"with client_id", asserted(k.assertion(t, nil), "client_id", "app"), ""},
		{"another client_id", asserted(k.assertion(t, nil), "client_id", "other"), "invalid_client"},
		{"and a secret", asserted(k.assertion(t, nil), "client_id", "app", "client_secret", "x"), "invalid_request"},
		{"and Basic", with(asserted(k.assertion(t, nil)), "Authorization", basic("app", "x", "").Header["Authorization"]), "invalid_request"},
		{"no type", asserted(k.assertion(t, nil), "client_assertion_type", ""), "invalid_client"},
		{"SAML", asserted(k.assertion(t, nil), "client_assertion_type", strings.Replace(assertionType, "jwt", "saml2", 1)), "invalid_client"},
		{"a type alone", asserted("", "client_id", "app", "client_assertion", ""), "invalid_client"},
		{"its id alone", form("client_id=app&" + grant), "invalid_client"},
		{"a secret of a client with keys", form(asApp + grant), "invalid_client"},
		{"a secret of a client with keys, by Basic", basic("app", "test+secret+of+app", grant), "invalid_client"},
		{"an assertion for a client with a secret", asserted(k.assertion(t, jose.Claims{"iss": "other", "sub": "other"})), "invalid_client"},
		{"its secret", form("client_id=other&client_secret=test+secret+of+other&" + grant), ""},
	} {
		r := tt.call.Do(k)
		if err := httpxtest.Conforms(k.doc, "POST", "/oidc/token", r); err != nil {
			t.Errorf("%s: %v", tt.title, err)
		}
		if got := decoded(t, r); got.Error != tt.want || (tt.want == "") != (r.Code == 200) {
			t.Errorf("%s: got %d %s, want %q", tt.title, r.Code, r.Body, tt.want)
		}
	}
}

// TestAssertionInTheCodeFlow: wherever a client authenticates it does so in the same way.
func TestAssertionInTheCodeFlow(t *testing.T) {
	t.Parallel()
	k := serveKeyed(t, jose.RS256)
	b := k.browser(t)
	prove := func(call func(...string) tokens) tokens {
		return call("client_id", "", "client_secret", "", "client_assertion_type", assertionType, "client_assertion", k.assertion(t, nil))
	}
	text := offline(t, b)
	if got := k.redeem(t, text, "client_secret", ""); got.Error != "invalid_client" {
		t.Errorf("without an assertion: got %+v", got)
	}
	set := prove(func(with ...string) tokens { return k.redeem(t, text, with...) })
	if set.RefreshToken == "" {
		t.Fatalf("got %+v", set)
	}
	r := asserted(k.assertion(t, nil), "grant_type", "refresh_token", "refresh_token", set.RefreshToken).Do(k)
	if got := decoded(t, r); got.RefreshToken == "" || got.RefreshToken == set.RefreshToken {
		t.Errorf("refresh: got %d %s", r.Code, r.Body)
	}
}

// public makes the client "app" a public one.
func public(c *auth.ClientSetup) { c.Auth, c.Secret = auth.ClientAuthNone, "" }

// TestPublicClient: what a client that can keep no secret may do, and what not (RFC 9700 §2.1.1, §2.2.2; ).
func TestPublicClient(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, public))
	b := s.browser(t)
	wantError(t, b.ask("code_challenge", "", "code_challenge_method", ""), "invalid_request")
	text := offline(t, b)
	for title, params := range map[string][]string{
		"no verifier": {"code_verifier", ""}, "another verifier": {"code_verifier", strings.Replace(verifier, "d", "e", 1)},
	} {
		if got := s.redeem(t, text, append(params, "client_secret", "")...); got.Error != "invalid_grant" {
			t.Errorf("%s: got %+v", title, got)
		}
	}
	if got := s.redeem(t, text); got.Error != "invalid_client" {
		t.Errorf("with a secret: got %+v", got)
	}
	if got := decoded(t, basic("app", "", "grant_type=client_credentials").Do(s)); got.Error != "invalid_client" {
		t.Errorf("by Basic: got %+v", got)
	}
	set := s.redeem(t, text, "client_secret", "")
	if set.RefreshToken == "" {
		t.Fatalf("got %+v", set)
	}
	refresh := func(token string) tokens {
		return decoded(t, form("client_id=app&grant_type=refresh_token&refresh_token="+token).Do(s))
	}
	next := refresh(set.RefreshToken)
	if next.RefreshToken == "" || next.RefreshToken == set.RefreshToken {
		t.Errorf("got %+v, want another refresh token", next)
	}
	s.Clock.Advance(auth.RefreshReplay)
	if got := refresh(set.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("a rotated one: got %+v", got)
	}
	if got := refresh(next.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("its successor, after reuse: got %+v", got)
	}
	about := func(endpoint, token string) (int, string) {
		c := form("client_id=app&token=" + token)
		c.Path = "/oidc/token/" + endpoint
		r := c.Do(s)
		return r.Code, r.Body.String()
	}
	again := s.redeem(t, offline(t, s.browser(t)), "client_secret", "")
	if status, body := about("introspection", again.RefreshToken); status != http.StatusBadRequest || !strings.Contains(body, "unauthorized_client") {
		t.Errorf("introspection: got %d %s", status, body)
	}
	if status, body := about("revocation", again.RefreshToken); status != http.StatusOK {
		t.Errorf("revocation: got %d %s", status, body)
	}
	if got := refresh(again.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("a revoked one: got %+v", got)
	}
	for _, grant := range []string{"client_credentials", "client_credentials&resource=" + url.QueryEscape(authtest.Resource)} {
		if got := decoded(t, form("client_id=app&grant_type="+grant).Do(s)); got.Error != "unauthorized_client" {
			t.Errorf("%s: got %+v", grant, got)
		}
	}
}

// TestTokenOfAClientThatBecamePublic: what everybody could get is no proof of a client any more.
func TestTokenOfAClientThatBecamePublic(t *testing.T) {
	t.Parallel()
	s := serve(t)
	token := decoded(t, form(asApp+"grant_type=client_credentials").Do(s)).AccessToken
	if _, err := s.AuthenticateClientToken(t.Context(), token, auth.Via{}); err != nil {
		t.Fatal(err)
	}
	err := s.ChangeClient(t.Context(), authtest.Demo, "app", func(in auth.ClientSetup) (auth.ClientSetup, error) { public(&in); return in, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AuthenticateClientToken(t.Context(), token, auth.Via{}); auth.CodeOf(err) != auth.CodeInvalidToken {
		t.Errorf("got %v", err)
	}
}

// TestOptionalPKCE: a client from before PKCE gets codes without a challenge, and a challenge that is there counts; none can be taken away
// (RFC 9700 §2.1.1, §4.8.2; B-42).
func TestOptionalPKCE(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.PKCE = auth.PKCEOptional }))
	b := s.browser(t)
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	text := code(t, b.logIn(b.ask(without...)))
	if got := s.redeem(t, text); got.Error != "invalid_grant" {
		t.Errorf("a verifier without a challenge: got %+v", got)
	}
	if got := s.redeem(t, text, "code_verifier", ""); got.IDToken == "" {
		t.Errorf("neither: got %+v", got)
	}
	text = code(t, b.ask())
	if got := s.redeem(t, text, "code_verifier", ""); got.Error != "invalid_grant" {
		t.Errorf("a challenge without a verifier: got %+v", got)
	}
	if got := s.redeem(t, text); got.IDToken == "" {
		t.Errorf("both: got %+v", got)
	}
	for title, params := range map[string][]string{
		"plain": {"code_challenge_method", "plain"}, "no method": {"code_challenge_method", ""}, "no challenge": {"code_challenge", ""},
	} {
		r := b.ask(params...)
		if got := returned(t, r).Get("error"); got != "invalid_request" {
			t.Errorf("%s: got %q", title, got)
		}
	}
}
