package auth_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

const tokenURL = "https://auth.example/oidc/token"

// holder is who holds a key.
type holder struct {
	t   *testing.T
	e   *authtest.Env
	key *jose.Key
}

func newHolder(t *testing.T, e *authtest.Env) holder {
	t.Helper()
	key, err := jose.Generate(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return holder{t, e, key}
}

// proof proves the key for a request; change makes it another one.
func (h holder) proof(method, url, token string, change ...func(jose.Claims)) auth.KeyProof {
	h.t.Helper()
	claims := jose.Claims{"jti": rand.Text(), "htm": method, "htu": url, "iat": h.e.Clock.Now()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for _, f := range change {
		f(claims)
	}
	text, err := jose.SignOwn(h.key, "dpop+jwt", claims)
	if err != nil {
		h.t.Fatal(err)
	}
	return auth.KeyProof{Text: text, Method: method, URL: url, Scheme: token != ""}
}

// prove is an actor who has proved the key for a token request.
func (h holder) prove(by auth.Actor) auth.Actor {
	h.t.Helper()
	by.Proof = h.proof("POST", tokenURL, "")
	by, err := h.e.ProveKey(h.t.Context(), by)
	if err != nil {
		h.t.Fatal(err)
	}
	return by
}

// use brings an access token with a proof of the key to a call for users.
func (h holder) use(token string) error {
	const me = "https://auth.example/cis/v1/me"
	return second(second2(h.e.AuthenticateUserToken(h.t.Context(), token, auth.Via{Proof: h.proof("GET", me, token)})))
}

func second2[A, B any](a A, _ B, err error) (A, error) { return a, err }

// TestProofClaims flips each claim of a proof (A-108, RFC 9449 §4.3).
func TestProofClaims(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	h := newHolder(t, e)
	now := e.Clock.Now()
	set := func(name string, value any) func(jose.Claims) { return func(c jose.Claims) { c[name] = value } }
	for name, tt := range map[string]struct {
		change func(jose.Claims)
		good   bool
	}{
		"as it is":             {func(jose.Claims) {}, true},
		"host in capitals":     {set("htu", "https://AUTH.example/oidc/token"), true},
		"the port of https":    {set("htu", "https://auth.example:443/oidc/token"), true},
		"with a query":         {set("htu", tokenURL+"?a=b#c"), true},
		"a slash at the end":   {set("htu", tokenURL+"/"), true},
		"an audience":          {set("aud", "somebody"), true},
		"the oldest":           {set("iat", now.Add(time.Second-auth.ProofFor)), true},
		"ten seconds ahead":    {set("iat", now.Add(10*time.Second)), true},
		"no jti":               {func(c jose.Claims) { delete(c, "jti") }, false},
		"an empty jti":         {set("jti", ""), false},
		"a long jti":           {set("jti", string(make([]byte, 257))), false},
		"jti, a number":        {set("jti", 1), false},
		"another method":       {set("htm", "GET"), false},
		"small letters":        {set("htm", "post"), false},
		"no method":            {func(c jose.Claims) { delete(c, "htm") }, false},
		"another path":         {set("htu", "https://auth.example/oidc/request"), false},
		"a longer path":        {set("htu", tokenURL+"/more"), false},
		"another host":         {set("htu", "https://auth.example.evil.example/oidc/token"), false},
		"another port":         {set("htu", "https://auth.example:444/oidc/token"), false},
		"another scheme":       {set("htu", "http://auth.example/oidc/token"), false},
		"a user":               {set("htu", "https://auth.example@evil.example/oidc/token"), false},
		"a path alone":         {set("htu", "/oidc/token"), false},
		"no address":           {func(c jose.Claims) { delete(c, "htu") }, false},
		"no time":              {func(c jose.Claims) { delete(c, "iat") }, false},
		"a time in words":      {set("iat", "now"), false},
		"too old":              {set("iat", now.Add(-auth.ProofFor)), false},
		"eleven seconds ahead": {set("iat", now.Add(11*time.Second)), false},
	} {
		by := e.App()
		by.Proof = h.proof("POST", tokenURL, "", tt.change)
		got, err := e.ProveKey(t.Context(), by)
		if tt.good && (err != nil || got.Holds != h.key.ID()) || !tt.good && (codeOf(err) != auth.CodeProofInvalid || got.Holds != "") {
			t.Errorf("%s: got %q, %v", name, got.Holds, err)
		}
	}
	if by, err := e.ProveKey(t.Context(), e.App()); err != nil || by.Holds != "" {
		t.Errorf("without a proof: got %q, %v", by.Holds, err)
	}
}

// TestProofOnce: a proof works once, on whichever node, in a crowd and after it would have been swept (A-108, B-44).
func TestProofOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	nodes := []*auth.Service{e.Service, e.Another(t, nil)}
	by := e.App()
	by.Proof = newHolder(t, e).proof("POST", tokenURL, "")
	tries := make(chan int, 20)
	for i := range 20 {
		tries <- i
	}
	if n := winners(20, func() error { return second(nodes[<-tries%2].ProveKey(t.Context(), by)) }); n != 1 {
		t.Errorf("got %d successes, want 1", n)
	}
	e.Clock.Advance(auth.ProofFor - time.Microsecond)
	refusedWith(t, "in its last moment", second(e.Another(t, nil).ProveKey(t.Context(), by)), auth.CodeProofInvalid)
	e.Clock.Advance(time.Hour)
	refusedWith(t, "afterwards", second(e.ProveKey(t.Context(), by)), auth.CodeProofInvalid)
	if n := count(events(t, e), "token_refused proof_invalid"); n != 20 {
		t.Errorf("got %d events of a proof that came back, want 20", n)
	}
}

// TestBoundToken: an access token that is bound to a key is good with a proof of that key for that token and nothing else; one that is not
// bound is a bearer token alone (A-108, RFC 9449 §7).
func TestBoundToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	h, thief := newHolder(t, e), newHolder(t, e)
	login := func(by auth.Actor) string {
		set, err := e.AuthenticatePassword(t.Context(), by, backend("ada", authtest.Password))
		if err != nil {
			t.Fatal(err)
		}
		return set.AccessToken
	}
	bound, free := login(h.prove(e.App())), login(e.App())
	if cnf, _ := claimsOf(t, bound)["cnf"].(map[string]any); cnf["jkt"] != h.key.ID() {
		t.Errorf("got cnf %v", cnf)
	}
	if cnf, there := claimsOf(t, free)["cnf"]; there {
		t.Errorf("a bearer token has cnf %v", cnf)
	}
	if err := h.use(bound); err != nil {
		t.Errorf("with its key: %v", err)
	}
	const me = "https://auth.example/cis/v1/me"
	bearer := func(token string, p auth.KeyProof) error {
		return second(second2(e.AuthenticateUserToken(t.Context(), token, auth.Via{Proof: p})))
	}
	refusedWith(t, "as a bearer token", bearer(bound, auth.KeyProof{}), auth.CodeInvalidToken)
	withHeader := h.proof("GET", me, bound)
	withHeader.Scheme = false
	refusedWith(t, "as a bearer token, with a proof", bearer(bound, withHeader), auth.CodeInvalidToken)
	refusedWith(t, "without a proof", bearer(bound, auth.KeyProof{Method: "GET", URL: me, Scheme: true}), auth.CodeProofInvalid)
	refusedWith(t, "with another key", thief.use(bound), auth.CodeProofInvalid)
	refusedWith(t, "with a proof for another token", bearer(bound, h.proof("GET", me, free)), auth.CodeProofInvalid)
	refusedWith(t, "with a proof for none", bearer(bound, h.proof("GET", me, bound, func(c jose.Claims) { delete(c, "ath") })), auth.CodeProofInvalid)
	refusedWith(t, "a bearer token under the scheme", h.use(free), auth.CodeInvalidToken)
	if err := bearer(free, auth.KeyProof{}); err != nil {
		t.Errorf("a bearer token: %v", err)
	}

	own, err := e.ClientToken(t.Context(), h.prove(e.App()), "")
	if err != nil {
		t.Fatal(err)
	}
	client := func(p auth.KeyProof) error {
		return second(e.AuthenticateClientToken(t.Context(), own.AccessToken, auth.Via{Proof: p}))
	}
	refusedWith(t, "a client's own, as a bearer token", client(auth.KeyProof{}), auth.CodeInvalidToken)
	if err := client(h.proof("GET", me, own.AccessToken)); err != nil {
		t.Errorf("a client's own: %v", err)
	}
	if seen := sees(t, e.Service, e.App(), bound); !seen.Active || seen.Type != "DPoP" || seen.Key != h.key.ID() {
		t.Errorf("introspection: got %+v", seen)
	}
}

// TestBoundRefresh: the refresh token of a public client is bound to the key, that of another is not (RFC 9449 §5).
func TestBoundRefresh(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	h, thief := newHolder(t, e), newHolder(t, e)
	public := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	in := asking(auth.AuthorizationScopes(), "consent")
	in.Client = "other"
	set, err := e.Redeem(t.Context(), h.prove(public), auth.Redemption{
		Code: new(tab).authorize(t, e, in), RedirectURI: frontCallback, Verifier: verifier,
	})
	if err != nil {
		t.Fatal(err)
	}
	refusedWith(t, "without the key", second(e.Refresh(t.Context(), public, set.RefreshToken)), auth.CodeInvalidRefresh)
	refusedWith(t, "with another key", second(e.Refresh(t.Context(), thief.prove(public), set.RefreshToken)), auth.CodeInvalidRefresh)
	for range 2 {
		if set, err = e.Refresh(t.Context(), h.prove(public), set.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if err := h.use(set.AccessToken); err != nil {
			t.Error(err)
		}
	}
	first, err := e.AuthenticatePassword(t.Context(), h.prove(e.App()), backend("ada", authtest.Password))
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Refresh(t.Context(), thief.prove(e.App()), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := thief.use(again.AccessToken); err != nil {
		t.Errorf("a client with a secret, with a new key: %v", err)
	}
}

// TestCodeForAKey: a code is redeemed with the key that the authorization named (A-091, RFC 9449 §10), and is still there after a try without.
func TestCodeForAKey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	h, thief := newHolder(t, e), newHolder(t, e)
	in := asking([]string{"openid"})
	in.Key = h.key.ID()
	redeem := func(by auth.Actor, code string) error {
		return second(e.Redeem(t.Context(), by, auth.Redemption{Code: code, RedirectURI: frontCallback, Verifier: verifier}))
	}
	code := new(tab).authorize(t, e, in)
	refusedWith(t, "without a key", redeem(e.App(), code), auth.CodeInvalidCode)
	refusedWith(t, "with another key", redeem(thief.prove(e.App()), code), auth.CodeInvalidCode)
	if err := redeem(h.prove(e.App()), code); err != nil {
		t.Errorf("with the key: %v", err)
	}

	// A request that is pushed with a proof names the key of that.
	in.Key = ""
	uri, err := e.Push(t.Context(), h.prove(e.App()), in)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := e.Pushed(t.Context(), "app", uri)
	if err != nil {
		t.Fatal(err)
	}
	code = new(tab).authorize(t, e, pushed)
	refusedWith(t, "pushed, without a key", redeem(e.App(), code), auth.CodeInvalidCode)
	if err := redeem(h.prove(e.App()), code); err != nil {
		t.Errorf("pushed, with the key: %v", err)
	}
	in.Key = thief.key.ID()
	refusedWith(t, "pushed for another key", second(e.Push(t.Context(), h.prove(e.App()), in)), auth.CodeProofInvalid)
	in.Key = "short"
	refusedWith(t, "no thumbprint", second(e.Authorize(t.Context(), in, new(tab).cookies(), auth.Via{})), auth.CodeRequestInvalid)
}

// TestClientOfBoundTokens gets none that anybody could bear (RFC 9449 §5.2).
func TestClientOfBoundTokens(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Clients[0].BoundTokens = true })
	h := newHolder(t, e)
	refusedWith(t, "own", second(e.ClientToken(t.Context(), e.App(), "")), auth.CodeProofInvalid)
	refusedWith(t, "a user's", second(e.AuthenticatePassword(t.Context(), e.App(), backend("ada", authtest.Password))), auth.CodeProofInvalid)
	set, err := e.AuthenticatePassword(t.Context(), h.prove(e.App()), backend("ada", authtest.Password))
	if err != nil {
		t.Fatal(err)
	}
	refusedWith(t, "refreshed", second(e.Refresh(t.Context(), e.App(), set.RefreshToken)), auth.CodeProofInvalid)
	if _, err := e.Refresh(t.Context(), h.prove(e.App()), set.RefreshToken); err != nil {
		t.Errorf("refreshed with the key: %v", err)
	}
}
