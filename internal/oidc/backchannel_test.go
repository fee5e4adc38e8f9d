package oidc_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx"
	"countersign/internal/oidc"
	"countersign/internal/outbox"
	"countersign/internal/webhook"
)

// relying is a client's own server: its answers come from one channel, and what it was told goes into another.
func relying(t *testing.T) (at string, told <-chan string, answers chan<- int) {
	t.Helper()
	out, in := make(chan string), make(chan int)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Content-Type"); r.Method != "POST" || got != "application/x-www-form-urlencoded" {
			t.Errorf("got %s of %s", r.Method, got)
		}
		out <- r.FormValue("logout_token")
		w.WriteHeader(<-in)
	}))
	t.Cleanup(ts.Close)
	return ts.URL + "/logout?app=1", out, in
}

// settling tells when a try has been settled: until then it has no next one.
type settling struct {
	*auth.Service
	settled chan struct{}
}

func (s settling) SettleParcel(ctx context.Context, d auth.Delivery, outcome error) error {
	err := s.Service.SettleParcel(ctx, d, outcome)
	s.settled <- struct{}{}
	return err
}

// TestBackchannelLogout takes a logout to a client that verifies it with the library that Go programs use. It is told until it answers
// (A-111, OIDC Back-Channel Logout §2.5, §2.6), and the session has ended before it does.
func TestBackchannelLogout(t *testing.T) {
	t.Parallel()
	at, told, answers := relying(t)
	env := authtest.New(t, leaving, client(0, func(c *auth.ClientSetup) { c.Logout.URI = at }))
	mux := &httpx.Mux{}
	ts := httptest.NewServer(mux.Handler(httpx.Config{}))
	t.Cleanup(ts.Close)
	service := env.Another(t, func(c *auth.Config) { c.Issuer = ts.URL + "/cis/oidc" })
	oidc.New(service, ts.URL).Mount(mux)
	carrier := webhook.New(webhook.Config{Now: env.Clock.Now, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(carrier.Close)
	parcels := settling{service, make(chan struct{}, 1)}
	box := outbox.New(outbox.Config{Service: parcels, Webhooks: carrier, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { box.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })

	library := gooidc.ClientContext(t.Context(), ts.Client())
	provider, err := gooidc.NewProvider(library, ts.URL+"/cis/oidc")
	if err != nil {
		t.Fatal(err)
	}
	var published struct {
		End                  string `json:"end_session_endpoint"`
		Backchannel, Session bool
	}
	if err := provider.Claims(&published); err != nil || published.End != ts.URL+endPath {
		t.Fatalf("got %+v: %v", published, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{ClientID: "app", ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid"}}
	key := oauth2.GenerateVerifier()
	back := walkWith(t, ts, jar, config.AuthCodeURL("s", oauth2.S256ChallengeOption(key)), url.Values{"identifier": {"ada"}, "password": {authtest.Password}})
	set, err := config.Exchange(library, back.Get("code"), oauth2.VerifierOption(key))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := set.Extra("id_token").(string)
	check := provider.Verifier(&gooidc.Config{ClientID: "app", Now: env.Clock.Now})
	id, err := check.Verify(library, raw)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	gone, err := browser.Get(published.End + "?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}}.Encode())
	if err != nil || gone.Header.Get("Location") != bye {
		t.Fatalf("got %v: %v", gone, err)
	}
	gone.Body.Close()

	var former string
	for try, answer := range []int{http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusNoContent} {
		if try > 0 {
			env.Clock.Advance(time.Minute) // ten seconds, and a minute, after the tries before
		}
		text := <-told
		token, err := check.VerifyLogout(library, text)
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Sid   string  `json:"sid"`
			Nonce *string `json:"nonce"`
		}
		if err := token.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		if token.Subject != id.Subject || claims.Sid != payload(t, raw)["sid"] || claims.Nonce != nil || token.TokenID == former {
			t.Errorf("try %d: got %+v, %+v", try, token, claims)
		}
		if life := token.Expiry.Sub(token.IssuedAt); life > 2*time.Minute || !token.IssuedAt.Equal(env.Clock.Now()) {
			t.Errorf("try %d: from %v for %v, want two minutes from now", try, token.IssuedAt, life)
		}
		former = token.TokenID
		answers <- answer
		<-parcels.settled
	}
	stop()
	<-done
	all, err := service.Deliveries(t.Context(), authtest.Demo, "", 10)
	if err != nil || len(all) != 1 || all[0].Status != auth.ParcelDelivered || all[0].Tries != 3 {
		t.Errorf("got %+v: %v", all, err)
	}
}

// TestLogoutTokenOpensNothing is B-37: a logout token is neither a hint nor an access token.
func TestLogoutTokenOpensNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	b.leave("id_token_hint", s.idToken(t, b))
	all, err := s.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelLogout}, 1)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v: %v", all, err)
	}
	token := all[0].Token.Reveal()
	if !strings.HasPrefix(header(t, token), `{"alg":"ES256",`) || !strings.Contains(header(t, token), `"typ":"logout+jwt"`) {
		t.Errorf("got %s", header(t, token))
	}
	if _, _, err := s.AuthenticateUserToken(t.Context(), token, auth.Via{}); auth.CodeOf(err) != auth.CodeInvalidToken {
		t.Errorf("as an access token: got %v", err)
	}
	if _, err := s.AuthenticateClientToken(t.Context(), token, auth.Via{}); auth.CodeOf(err) != auth.CodeInvalidToken {
		t.Errorf("as a client's: got %v", err)
	}
	s.idToken(t, b)
	wantPage(t, b.leave("id_token_hint", token), 200, "Sign out?")
	wantPage(t, b.leave("id_token_hint", token, "post_logout_redirect_uri", bye), 400, `role="alert"`)
}

// TestLogoutOfAClientThatIsGone: where there is nobody to be told any more, the parcel fails, and an operator sees for whom it was.
func TestLogoutOfAClientThatIsGone(t *testing.T) {
	t.Parallel()
	s := serve(t, leaving)
	b := s.browser(t)
	b.leave("id_token_hint", s.idToken(t, b))
	if err := s.DisableClient(t.Context(), authtest.Demo, "app"); err != nil {
		t.Fatal(err)
	}
	if clients, _ := s.told(t); len(clients) > 0 {
		t.Errorf("told %v", clients)
	}
	failed, err := s.Deliveries(t.Context(), authtest.Demo, auth.ParcelFailed, 9)
	if err != nil || len(failed) != 1 || failed[0].Logout == nil || failed[0].Logout.Client != "app" || failed[0].Logout.Session != "" {
		t.Fatalf("got %+v: %v", failed, err)
	}
	if err := s.ReplayParcel(t.Context(), authtest.Demo, failed[0].ID); err != nil {
		t.Error(err)
	}
}

// header is the header of a token as it was signed.
func header(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
