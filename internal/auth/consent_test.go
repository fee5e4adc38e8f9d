package auth_test

import (
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func withThirdParty(s *auth.Setup) {
	withFront(s)
	s.Tenants[0].Clients[0].ThirdParty = true
}

// admitted takes Ada through the page and returns the tokens.
func (b *tab) admitted(t *testing.T, e *authtest.Env, in auth.AuthorizationRequest) auth.TokenSet {
	t.Helper()
	set, err := e.Redeem(t.Context(), e.App(), auth.Redemption{Code: b.authorize(t, e, in), RedirectURI: frontCallback, Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestConsentIsAskedOnce is A-110: for each client and set of scopes; more is asked for, less is not.
func TestConsentIsAskedOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withThirdParty)
	b := &tab{}
	for _, tt := range []struct {
		name    string
		scopes  []string
		prompts []string
		asked   bool
	}{
		{"first", []string{"openid", "email"}, nil, true},
		{"again", []string{"openid", "email"}, nil, false},
		{"less", []string{"openid"}, nil, false},
		{"more", []string{"openid", "phone"}, nil, true},
		{"all of it", []string{"openid", "email", "phone"}, nil, false},
		{"when the client wants it", []string{"openid"}, []string{"consent"}, true},
		{"without the user's being there", []string{"openid", "offline_access"}, []string{"consent"}, true},
		{"silently", []string{"openid", "email"}, []string{"none"}, false},
	} {
		b.authorize(t, e, asking(tt.scopes, tt.prompts...))
		if asked := slices.Contains(b.asked, auth.StepConsent); asked != tt.asked {
			t.Errorf("%s: asked %v, want consent asked: %t", tt.name, b.asked, tt.asked)
		}
	}
	all, err := e.Consents(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: "other"}, authtest.Ada)
	if err != nil || len(all) != 1 || !slices.Equal(all[0].Scopes, []string{"email", "offline_access", "openid", "phone"}) {
		t.Errorf("got %+v, %v", all, err)
	}
	if n := count(events(t, e), "consent_given"); n != 3 {
		t.Errorf("got %d events of a consent, want 3", n)
	}

	// A client of the tenant's own is asked for nothing.
	own := asking([]string{"openid", "email"})
	own.Client = "other"
	b.authorize(t, e, own)
	if len(b.asked) != 0 {
		t.Errorf("the tenant's own: asked %v", b.asked)
	}
}

// TestConsentIsNotSkipped: neither a silent request nor a form that did not ask for it goes past it.
func TestConsentIsNotSkipped(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withThirdParty)
	b := &tab{}
	at, err := e.Authorize(t.Context(), asking([]string{"openid"}), b.cookies(), auth.Via{})
	if err != nil || at.Step != auth.StepPassword {
		t.Fatalf("got %s, %v", at.Step, err)
	}
	own := asking([]string{"openid"})
	own.Client = "other"
	b.authorize(t, e, own) // in another tab, by which there is a session
	next, err := e.Answer(t.Context(), auth.PageAnswer{Form: at.Form}, b.cookies(), auth.Via{})
	if err != nil || next.Step != auth.StepConsent || next.Code != "" || !next.ThirdParty {
		t.Errorf("a form that asked for a password: got %s, %v", next.Step, err)
	}
	_, err = e.Authorize(t.Context(), asking([]string{"openid"}, "none"), b.cookies(), auth.Via{})
	refusedWith(t, "silently", err, auth.CodeConsentRequired)
	_, err = e.Answer(t.Context(), auth.PageAnswer{Form: next.Form, Cancel: true}, b.cookies(), auth.Via{})
	refusedWith(t, "the user says no", err, auth.CodeAccessDenied)
	if all, err := e.Consents(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: "other"}, authtest.Ada); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v, want nothing allowed", all, err)
	}
}

// TestRevokedConsent: the family is dead, the access token too, on every node, and the next authorization asks again.
func TestRevokedConsent(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withThirdParty)
	b, peer, other := &tab{}, e.Another(t, nil), auth.Actor{Tenant: authtest.Demo, Client: "other"}
	set := b.admitted(t, e, asking(auth.AuthorizationScopes(), "consent"))
	own := asking([]string{"openid"})
	own.Client = "other"
	kept, err := e.Redeem(t.Context(), other, auth.Redemption{Code: b.authorize(t, e, own), RedirectURI: frontCallback, Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	refusedWith(t, "by the client itself", e.RevokeConsent(t.Context(), e.App(), authtest.Ada, "other"), auth.CodeClientRefused)
	refusedWith(t, "listed by the client itself", second(e.Consents(t.Context(), e.App(), authtest.Ada)), auth.CodeClientRefused)
	refusedWith(t, "of nobody", e.RevokeConsent(t.Context(), other, "9009", "app"), auth.CodeUserNotFound)
	refusedWith(t, "of another tenant", e.RevokeConsent(t.Context(), auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}, authtest.Ada, "app"), auth.CodeClientNotFound)
	if err := e.RevokeConsent(t.Context(), other, authtest.Ada, "app"); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, "again", e.RevokeConsent(t.Context(), other, authtest.Ada, "app"), auth.CodeClientNotFound)
	refusedWith(t, "the refresh token", second(peer.Refresh(t.Context(), e.App(), set.RefreshToken)), auth.CodeInvalidRefresh)
	_, _, err = peer.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
	refusedWith(t, "the access token", err, auth.CodeInvalidToken)
	if _, _, err := peer.AuthenticateUserToken(t.Context(), kept.AccessToken, auth.Via{}); err != nil {
		t.Errorf("another client's token: %v", err)
	}
	b.authorize(t, e, asking([]string{"openid"}))
	if !slices.Equal(b.asked, []auth.AuthorizationStep{auth.StepConsent}) {
		t.Errorf("the next authorization asked for %v", b.asked)
	}
	if n := count(events(t, e), "consent_revoked"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

// TestThirdPartyGetsNoPasswords: what is somebody else's never asks for them on pages of its own.
func TestThirdPartyGetsNoPasswords(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withThirdParty, func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.PasswordGrant = true })
	refusedWith(t, "front", second(e.LoginFront(t.Context(), auth.Via{}, frontLogin())), auth.CodeClientRefused)
	refusedWith(t, "grant", second(e.PasswordGrant(t.Context(), e.App(), byEmail("ada", authtest.Password), nil)), auth.CodeClientRefused)
}

// TestCodeOfARevokedConsent: a code that was on its way when the user's word was taken back gives nothing any more.
func TestCodeOfARevokedConsent(t *testing.T) {
	t.Parallel()
	other := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	for name, tt := range map[string]struct {
		setup func(*auth.Setup)
		in    auth.AuthorizationRequest
	}{
		"somebody else's":       {withThirdParty, asking([]string{"openid", "email"})},
		"the tenant's, offline": {withFront, asking([]string{"openid", "offline_access"}, "consent")},
	} {
		e := authtest.New(t, tt.setup)
		redeem := func(code string) error {
			_, err := e.Redeem(t.Context(), e.App(), auth.Redemption{Code: code, RedirectURI: frontCallback, Verifier: verifier})
			return err
		}
		b := &tab{}
		code := b.authorize(t, e, tt.in)
		if err := e.RevokeConsent(t.Context(), other, authtest.Ada, "app"); err != nil {
			t.Fatal(err)
		}
		refusedWith(t, name, redeem(code), auth.CodeInvalidCode)
		if n := count(events(t, e), "token_refused invalid_code"); n != 1 {
			t.Errorf("%s: got %d events of the refusal, want 1: %v", name, n, events(t, e))
		}
		if err := redeem(b.authorize(t, e, tt.in)); err != nil {
			t.Errorf("%s, allowed again: %v", name, err)
		}
	}
}
