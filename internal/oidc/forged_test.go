package oidc_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/cis"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/multi"
	"countersign/internal/oidc"
	"countersign/internal/seal"
)

// whole is a server of all contracts, with a token of each kind.
type whole struct {
	*server
	forger
	tokens map[string]string // by kind
}

func serveWhole(t *testing.T) *whole {
	t.Helper()
	env := authtest.New(t, registered, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	s := &server{Env: env, doc: httpxtest.Load(t, api.CIS())}
	mux := &httpx.Mux{}
	oidc.New(s.Service, "https://auth.example/").Mount(mux)
	c, err := cis.New(s.Service)
	if err == nil {
		err = c.Mount(mux)
	}
	m, err2 := multi.New(s.Service)
	if err2 == nil {
		err2 = m.Mount(mux)
	}
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	s.Handler = mux.Handler(httpx.Config{})
	w := &whole{server: s, forger: newForger(t, env)}
	w.tokens = w.everyKind(t)
	return w
}

const (
	ofUser    = "a user's access token"
	ofClient  = "a client's access token"
	ofIDToken = "an ID token"
)

// everyKind is one token of each kind that the server hands out.
func (w *whole) everyKind(t *testing.T) map[string]string {
	t.Helper()
	in := auth.BackendLogin{PasswordLogin: auth.PasswordLogin{Kind: auth.ByUserID, Identifier: "1001", Password: seal.NewSecret(authtest.Password)}}
	set, err := w.AuthenticatePassword(t.Context(), w.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	own, err := w.ClientToken(t.Context(), w.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	multi, err := w.LoginPassword(t.Context(), w.Key(), in.PasswordLogin)
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser(t)
	all := map[string]string{
		ofUser: set.AccessToken, ofClient: own.AccessToken, ofIDToken: set.IDToken, "a refresh token": set.RefreshToken,
		"a token of /multi": multi.Token, "a code": code(t, b.logIn(b.ask())), "a secret": secret,
	}
	in.Identifier = string(authtest.Expired)
	_, err = w.AuthenticatePassword(t.Context(), w.App(), in)
	var expired *auth.Error
	if !errors.As(err, &expired) || expired.Token == "" {
		t.Fatalf("no reset token: %v", err)
	}
	all["a reset token"] = expired.Token
	return all
}

// operations calls f for each operation that takes a credential of a scheme, with a call that has the operation's own examples.
func operations(doc *openapi3.T, scheme string, f func(name string, call httpxtest.Call)) {
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			needs := doc.Security
			if op.Security != nil {
				needs = *op.Security
			}
			if !slices.ContainsFunc(needs, func(all openapi3.SecurityRequirement) bool { _, ok := all[scheme]; return ok }) {
				continue
			}
			call := httpxtest.Call{Method: method, Path: path, Header: map[string]string{"api-key": "test key of demo"}}
			for _, p := range op.Parameters {
				if text, ok := p.Value.Example.(string); ok && p.Value.In == "path" {
					call.Path = strings.ReplaceAll(call.Path, "{"+p.Value.Name+"}", url.PathEscape(text))
				}
			}
			if op.RequestBody != nil {
				if media := op.RequestBody.Value.Content.Get("application/json"); media != nil {
					text, err := json.Marshal(media.Schema.Value.Example)
					if err != nil {
						panic(err)
					}
					call.Body = string(text)
				}
			}
			f(method+" "+path, call)
		}
	}
}

// TestForgedTokens sends every forgery of every kind of token to every call of every contract that takes a token: each is refused, and as
// if nobody had come (A-049, A-106, B-36 to B-40).
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := serveWhole(t)
	multiDoc := httpxtest.Load(t, api.Multi())
	for _, c := range []struct {
		doc    *openapi3.T
		scheme string
		takes  []string          // the kinds that are good here, or known
		bad    map[string]string // by name
	}{
		{w.doc, "ClientAccessToken", []string{ofClient}, w.forgeries(w.tokens[ofClient], w.Clock.Now())},
		{w.doc, "UserAccessToken", []string{ofUser}, w.forgeries(w.tokens[ofUser], w.Clock.Now())},
		{multiDoc, "bearerToken", []string{"a token of /multi", "a reset token"}, w.unsigned(w.tokens[ofUser])}, // which reads no JWT
	} {
		bad := c.bad
		if len(bad) < 25 {
			t.Fatalf("got %d forgeries", len(bad))
		}
		for kind, token := range w.tokens {
			if !slices.Contains(c.takes, kind) {
				bad[kind] = token
			}
		}
		seen := 0
		operations(c.doc, c.scheme, func(name string, call httpxtest.Call) {
			seen++
			for forgery, token := range bad {
				call.Header["Authorization"] = "Bearer " + token
				want := http.StatusUnauthorized
				if strings.HasSuffix(name, "/oidc/me") && forgery == ofClient {
					want = http.StatusForbidden // insufficient_scope: it is good, and for nothing here
				}
				if r := call.Do(w); r.Code != want {
					t.Errorf("%s with %s: got %d %s, want %d", name, forgery, r.Code, r.Body, want)
				}
			}
		})
		if seen == 0 {
			t.Errorf("nothing takes %s", c.scheme)
		}
	}
	w.wantGenuine(t)
}

// wantGenuine proves that what was forged was good, and that the forger can sign what is taken: all else was refused for what it said.
func (w *whole) wantGenuine(t *testing.T) {
	t.Helper()
	for name, c := range map[string]struct{ path, token string }{
		"user": {"/cis/oidc/me", w.tokens[ofUser]}, "user, signed again": {"/cis/oidc/me", w.claims(w.tokens[ofUser], nil)},
		"typ in full": {"/cis/oidc/me", w.headers(w.tokens[ofUser], object{"typ": "application/AT+JWT"})},
		"in time":     {"/cis/oidc/me", w.claims(w.tokens[ofUser], object{"nbf": w.Clock.Now().Unix(), "exp": w.Clock.Now().Unix() + 1})},
		"client":      {"/cis/v1/users/1001", w.tokens[ofClient]}, "client, signed again": {"/cis/v1/users/1001", w.claims(w.tokens[ofClient], nil)},
	} {
		r := httpxtest.Call{Method: "GET", Path: c.path, Header: map[string]string{"Authorization": "Bearer " + c.token}}.Do(w)
		if r.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", name, r.Code, r.Body)
		}
	}
}

// TestForgedTokensAreNotActive is the same for calls about a token: introspection says nothing of a forgery, revocation does nothing with
// it, UserInfo takes none in a form either.
func TestForgedTokensAreNotActive(t *testing.T) {
	t.Parallel()
	w := serveWhole(t)
	about := func(what, token string) (int, string) {
		call := form(asApp + url.Values{"token": {token}}.Encode())
		call.Path = "/oidc/token/" + what
		r := call.Do(w)
		return r.Code, r.Body.String()
	}
	const active, inactive = `"active":true`, `{"active":false}`
	kinds := []string{ofUser, ofClient}
	for _, kind := range kinds {
		bad := w.forgeries(w.tokens[kind], w.Clock.Now())
		maps.DeleteFunc(bad, func(name, _ string) bool { // these are good, for somebody else; and a resource server may ask for them
			return slices.Contains([]string{"claim: aud a resource", "claim: aud the client", "claim: aud cut", "claim: aud longer",
				"claim: aud in capitals", "claim: aud AnyAudience"}, name)
		})
		for name, token := range w.tokens {
			if !slices.Contains(append(kinds, "a refresh token"), name) {
				bad[name] = token
			}
		}
		for name, token := range bad {
			if status, body := about("introspection", token); (status != http.StatusOK || body != inactive) && !malformed(token, status) {
				t.Errorf("introspection of %s, %s: got %d %s", kind, name, status, body)
			}
			if status, body := about("revocation", token); (status != http.StatusOK || body != "") && !malformed(token, status) {
				t.Errorf("revocation of %s, %s: got %d %s", kind, name, status, body)
			}
			call := form(url.Values{"access_token": {token}}.Encode())
			call.Path = "/cis/oidc/me"
			if r := call.Do(w); r.Code != http.StatusUnauthorized && !malformed(token, r.Code) {
				t.Errorf("UserInfo with %s, %s: got %d %s", kind, name, r.Code, r.Body)
			}
		}
	}
	for _, kind := range append(kinds, "a refresh token") {
		if _, body := about("introspection", w.tokens[kind]); !strings.Contains(body, active) {
			t.Errorf("%s ended: %s", kind, body)
		}
	}
}

// malformed reports whether no form may hold a token.
func malformed(token string, status int) bool {
	return status == http.StatusBadRequest && (strings.Contains(token, "\x00") || !utf8.ValidString(token))
}

// TestForgedHintsSayNothing: an id_token_hint that is not ours does not say who the user has to be (OIDC Core §3.1.2.1).
func TestForgedHintsSayNothing(t *testing.T) {
	t.Parallel()
	w := serveWhole(t)
	b := w.browser(t)
	code(t, b.logIn(b.ask()))
	charles, err := w.AuthenticatePassword(t.Context(), w.App(), auth.BackendLogin{PasswordLogin: auth.PasswordLogin{
		Kind: auth.ByUserID, Identifier: string(authtest.Charles), Password: seal.NewSecret(authtest.Password),
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, b.ask("prompt", "none", "id_token_hint", charles.IDToken), "login_required") // Ada is logged in
	ids := w.forger
	ids.typ = "JWT"
	said := ids.unsigned(charles.IDToken)
	maps.Copy(said, ids.spelled(charles.IDToken))
	maps.Copy(said, ids.timed(charles.IDToken, w.Clock.Now()))
	said["an access token of Charles"] = charles.AccessToken
	for kind, token := range w.tokens {
		if kind != ofIDToken {
			said[kind] = token
		}
	}
	said["an ID token for another client"] = ids.claims(charles.IDToken, object{"aud": "other"})
	for name, hint := range said {
		if r := b.ask("prompt", "none", "id_token_hint", hint); r.Code != http.StatusSeeOther || !strings.Contains(r.Header().Get("Location"), "code=") {
			t.Errorf("%s: got %d to %s", name, r.Code, r.Header().Get("Location"))
		}
	}
}
