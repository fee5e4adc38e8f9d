package auth_test

import (
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

func TestFirstKeysAtOnce(t *testing.T) {
	t.Parallel()
	e := authtest.Empty(t)
	var wg sync.WaitGroup
	for range 8 {
		s := e.Another(t, nil)
		wg.Go(func() {
			if err := s.EnsureKeys(t.Context(), jose.ES256); err != nil {
				t.Error(err)
			}
			if keys := s.SigningKeys(); len(keys) != 1 {
				t.Errorf("got %d keys, want 1", len(keys))
			}
		})
	}
	wg.Wait()
	if keys := directory(t, e).SigningKeys; len(keys) != 1 || keys[0].Alg != jose.ES256 {
		t.Errorf("got %d keys, want one for all", len(keys))
	}
}

// TestRotation is A-107: published before it signs, in force until the last token it signed has expired, and nothing fails meanwhile.
func TestRotation(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	peer := e.Another(t, nil) // another server, which nobody tells of the rotation
	sign := func(s *auth.Service) (string, string) {
		t.Helper()
		tok, err := s.ClientToken(t.Context(), e.App(), "")
		if err != nil {
			t.Fatal(err)
		}
		return tok.AccessToken, kidOf(t, tok.AccessToken)
	}
	good := func(when, token string) {
		t.Helper()
		for _, s := range []*auth.Service{e.Service, peer} {
			if _, err := s.AuthenticateClientToken(t.Context(), token, auth.Via{}); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		if err := verify(t, e, token, "at+jwt", auth.DefaultAudience); err != nil {
			t.Errorf("%s, with the published keys: %v", when, err)
		}
	}
	first, old := sign(e.Service)
	fresh, err := e.RotateSigningKey(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	good("rotated", first)
	e.Clock.Advance(auth.PublishBefore - time.Microsecond)
	for _, s := range []*auth.Service{e.Service, peer} {
		token, kid := sign(s)
		if kid != old {
			t.Errorf("a key signs before verifiers know it: %s", kid)
		}
		good("before it signs", token)
	}
	last, _ := sign(peer)
	e.Clock.Advance(time.Microsecond)
	for _, s := range []*auth.Service{e.Service, peer} {
		token, kid := sign(s)
		if kid != fresh.ID {
			t.Errorf("got a token of key %s, want %s", kid, fresh.ID)
		}
		good("once it signs", token)
	}
	good("of the key before", last)
	e.Clock.Advance(auth.LongestToken - time.Microsecond)
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(e.SigningKeys()); n != 2 {
		t.Errorf("got %d keys, want the old one until its last token has expired", n)
	}
	e.Clock.Advance(time.Microsecond)
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := e.SigningKeys(); len(keys) != 1 || keys[0].ID != fresh.ID {
		t.Errorf("got %d keys, want the new one alone", len(keys))
	}
	sign(e.Service)
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	kid, _ := headerOf(t, token)["kid"].(string)
	return kid
}

// TestSigningWithTheClockTurnedBack: a sandbox whose clock is set to last year still signs.
func TestSigningWithTheClockTurnedBack(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	authenticate(t, e, "ada")
	e.Clock.Advance(-365 * 24 * time.Hour)
	authenticate(t, e, "charles")
	if n := len(e.SigningKeys()); n != 1 {
		t.Errorf("got %d keys, want 1", n)
	}
}

func TestEachAlgorithmHasItsKey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Clients[1].Alg = jose.RS256 })
	for id, want := range map[auth.ClientID]jose.Alg{"app": jose.ES256, "other": jose.RS256} {
		tok, err := e.ClientToken(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: id}, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := headerOf(t, tok.AccessToken)["alg"]; got != string(want) {
			t.Errorf("%s: got %v, want %s", id, got, want)
		}
		if err := verify(t, e, tok.AccessToken, "at+jwt", auth.DefaultAudience); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
