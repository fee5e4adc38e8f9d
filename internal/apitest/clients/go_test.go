package clients_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// walk is what a user does on the login page.
type walk struct {
	URL        string `json:"url"`
	Identifier string `json:"identifier"`
	Password   string `json:"password"`
	Phone      string `json:"phone,omitempty"` // to which a code is sent
	Allow      bool   `json:"allow"`
}

var backAt = regexp.MustCompile(`(?m)^back at (\S+)$`)

// browse has a user walk through the login page in Chromium and returns what the application is told.
func (s *site) browse(t *testing.T, w walk) url.Values {
	t.Helper()
	in, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.node(t, strings.NewReader(string(in)), "walk.js")
	m := backAt.FindStringSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	back, err := url.Parse(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return back.Query()
}

// TestGoClients takes a user through Chromium with the libraries of Go programs, which check the tokens by the key set and the clock of
// their own.
func TestGoClients(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	provider, err := oidc.NewProvider(ctx, s.URL+"/cis/oidc")
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"web", "rsa"} { // ES256 and RS256
		t.Run(client, func(t *testing.T) {
			config := oauth2.Config{
				ClientID: client, ClientSecret: client + "-secret", Endpoint: provider.Endpoint(), RedirectURL: s.app + "/cb",
				Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess},
			}
			verifier := oauth2.GenerateVerifier()
			back := s.browse(t, walk{
				URL: config.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier),
					oauth2.SetAuthURLParam("prompt", "consent"), oauth2.SetAuthURLParam("acr_values", "mfa")),
				Identifier: "ada", Password: "Pa55word!", Phone: "+35699111111", Allow: true,
			})
			if back.Get("state") != "a state" || back.Get("iss") != s.URL+"/cis/oidc" {
				t.Errorf("got %v", back)
			}
			tokens, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			check := provider.Verifier(&oidc.Config{ClientID: client})
			verified(t, check, tokens, "a nonce")
			again, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
			if err != nil {
				t.Fatal(err)
			}
			verified(t, check, again, "")
		})
	}
}

func verified(t *testing.T, check *oidc.IDTokenVerifier, tokens *oauth2.Token, nonce string) {
	t.Helper()
	raw, _ := tokens.Extra("id_token").(string)
	id, err := check.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error(err)
	}
	var claims struct {
		ACR string   `json:"acr"`
		AMR []string `json:"amr"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if id.Subject != "1001" || id.Nonce != nonce || claims.ACR != "mfa" || !slices.Equal(claims.AMR, []string{"pwd", "sms", "mfa"}) {
		t.Errorf("got subject %s, nonce %q, %+v", id.Subject, id.Nonce, claims)
	}
}
