package auth_test

import (
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestRegisteredRedirects: what would give codes away cannot be registered.
func TestRegisteredRedirects(t *testing.T) {
	t.Parallel()
	for uri, good := range map[string]bool{
		"https://app.example/cb": true, "https://app.example/cb?a=1": true, "http://127.0.0.1/cb": true, "http://localhost:9/cb": true,
		"http://[::1]/cb": true, "com.example.app:/cb": true,
		"": false, "/cb": false, "https://": false, "http://app.example/cb": false, "https://*.example/cb": false, "https://app.example/*": false,
		"https://app.example/cb#": false, "https://ada:x@app.example/cb": false, "https://app.example\\cb": false, "https://app.example/c b": false,
		"https://app.example/;b": false, "javascript:alert(1)": false, "data:text/html,x": false, "app:/cb": false, "com.example.app://host/cb": false,
	} {
		setup := authtest.Setup()
		setup.Tenants[0].Clients[0].RedirectURIs = []string{uri}
		_, err := authtest.Empty(t).Apply(t.Context(), setup)
		if got := err == nil; got != good || err != nil && !strings.Contains(err.Error(), "client app: redirect URI") {
			t.Errorf("%q: got %v, want it registered: %t", uri, err, good)
		}
	}
}

// TestAuthorizationNeedsPKCE holds the rule itself, whatever a dialect reads.
func TestAuthorizationNeedsPKCE(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Clients[0].RedirectURIs = []string{"https://app.example/cb"} })
	browser := auth.Browser{Session: func(auth.TenantID) string { return "" }}
	in := auth.AuthorizationRequest{Client: "app", RedirectURI: "https://app.example/cb", ResponseType: "code", Scopes: []string{"openid"}}
	_, err := e.Authorize(t.Context(), in, browser, auth.Via{})
	if got := auth.CodeOf(err); got != auth.CodeRequestInvalid {
		t.Errorf("got %v", err)
	}
}

// TestPushForAnotherClient: a client pushes its own requests, whatever it says of whose they are.
func TestPushForAnotherClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	in := asking([]string{"openid"})
	in.Client = "other"
	refusedWith(t, "another's", second(e.Push(t.Context(), e.App(), in)), auth.CodeRequestInvalid)
}
