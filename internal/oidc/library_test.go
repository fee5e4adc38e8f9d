package oidc_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/oidc"
)

// TestClientLibraries takes a user through a live server with the client libraries that Go programs use: they discover us, send the user
// to us, redeem the code, and verify and refresh what they get. Go's client over HTTP is the browser.
func TestClientLibraries(t *testing.T) {
	t.Parallel()
	env := authtest.New(t, registered)
	mux := &httpx.Mux{}
	ts := httptest.NewServer(mux.Handler(httpx.Config{}))
	t.Cleanup(ts.Close)
	service := env.Another(t, func(c *auth.Config) { c.Issuer = ts.URL + "/cis/oidc" })
	oidc.New(service, ts.URL).Mount(mux)

	ctx := gooidc.ClientContext(t.Context(), ts.Client())
	provider, err := gooidc.NewProvider(ctx, ts.URL+"/cis/oidc")
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: "app", ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{gooidc.ScopeOpenID, gooidc.ScopeOfflineAccess, "email"},
	}
	key := oauth2.GenerateVerifier()
	at := config.AuthCodeURL("state", gooidc.Nonce("nonce"), oauth2.S256ChallengeOption(key), oauth2.SetAuthURLParam("prompt", "consent"),
		oauth2.SetAuthURLParam("acr_values", auth.ACRMFA), oauth2.SetAuthURLParam("claims", `{"userinfo":{"fname":{"essential":true}}}`))
	back := walk(t, ts, at, url.Values{"identifier": {"ada@example.com"}, "password": {authtest.Password}}, url.Values{"code": {sentCode}}, url.Values{})
	if back.Get("state") != "state" || back.Get("iss") != ts.URL+"/cis/oidc" {
		t.Errorf("got %v", back)
	}
	if _, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another verifier redeems the code")
	}
	set, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(key))
	if err != nil {
		t.Fatal(err)
	}
	// What an ID token says of time is the domain's, whose clock stands.
	check := provider.Verifier(&gooidc.Config{ClientID: "app", Now: env.Clock.Now})
	verified(t, ctx, check, set, "nonce")
	again, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: set.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	verified(t, ctx, check, again, "")
	if again.RefreshToken == set.RefreshToken {
		t.Error("the refresh token was not rotated")
	}
	for name, source := range map[string]oauth2.TokenSource{"first": oauth2.StaticTokenSource(set), "second": oauth2.StaticTokenSource(again)} {
		wantUserInfo(t, ctx, provider, source, name)
	}
	// The library has no call for it: what it discovered says where to.
	var found struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&found); err != nil {
		t.Fatal(err)
	}
	r, err := ts.Client().PostForm(found.Revocation, url.Values{"client_id": {"app"}, "client_secret": {secret}, "token": {again.RefreshToken}})
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("revocation: %v, %v", r, err)
	}
	r.Body.Close()
	if _, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(again)); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("UserInfo with a revoked token: %v", err)
	}
	if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: again.RefreshToken}).Token(); err == nil {
		t.Error("a revoked refresh token is good")
	}
}

// wantUserInfo asks for Ada's e-mail address, by scope, and for her name, by the claims parameter.
func wantUserInfo(t *testing.T, ctx context.Context, provider *gooidc.Provider, source oauth2.TokenSource, name string) {
	t.Helper()
	info, err := provider.UserInfo(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if info.Subject != string(authtest.Ada) || info.Email != "ada@example.com" || !info.EmailVerified || claims["fname"] != "ada" || len(claims) != 4 {
		t.Errorf("%s: got %+v with %v", name, info, claims)
	}
}

func verified(t *testing.T, ctx context.Context, check *gooidc.IDTokenVerifier, set *oauth2.Token, nonce string) {
	t.Helper()
	raw, _ := set.Extra("id_token").(string)
	id, err := check.Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(set.AccessToken); err != nil {
		t.Error(err)
	}
	var claims struct {
		ACR string   `json:"acr"`
		AMR []string `json:"amr"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if id.Subject != string(authtest.Ada) || id.Nonce != nonce || claims.ACR != auth.ACRMFA || len(claims.AMR) != 3 {
		t.Errorf("got subject %s, nonce %q, %+v", id.Subject, id.Nonce, claims)
	}
}

// walk opens an address, fills one form after the other, and returns what the user is sent back with.
func walk(t *testing.T, ts *httptest.Server, at string, forms ...url.Values) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return walkWith(t, ts, jar, at, forms...)
}

func walkWith(t *testing.T, ts *httptest.Server, jar http.CookieJar, at string, forms ...url.Values) url.Values {
	t.Helper()
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page, err := browser.Get(at)
	for _, form := range forms {
		if err != nil {
			t.Fatal(err)
		}
		form.Set("form", formValue.FindStringSubmatch(text(t, page))[1])
		page, err = browser.PostForm(ts.URL+loginPage, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	to, query, _ := strings.Cut(page.Header.Get("Location"), "?")
	values, err := url.ParseQuery(query)
	if err != nil || to != callback || page.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %s to %q: %v", page.Status, to, err)
	}
	return values
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	var b strings.Builder
	if err := r.Write(&b); err != nil || !strings.Contains(b.String(), `name="form"`) {
		t.Fatalf("no form: %v\n%s", err, b.String())
	}
	return b.String()
}
