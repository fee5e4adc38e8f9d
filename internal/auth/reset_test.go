package auth_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

const redirect = "https://app.example/done?from=mail"

// withRedirect gives the client of Demo an address that links may lead to.
func withRedirect(s *auth.Setup) {
	for i := range s.Tenants {
		for j := range s.Tenants[i].Clients {
			if c := &s.Tenants[i].Clients[j]; c.ID == "app" {
				c.RedirectURIs = []string{redirect}
			}
		}
	}
}

func startReset(t *testing.T, e *authtest.Env, in auth.ResetRequest) {
	t.Helper()
	if err := e.StartReset(t.Context(), e.App(), in); err != nil {
		t.Fatal(err)
	}
}

func mailedLink(t *testing.T, e *authtest.Env) string {
	t.Helper()
	startReset(t, e, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByUsername, Identifier: "ada", Redirect: redirect})
	return tokenIn(t, inbox(t, e, adaAddress)[0].Link)
}

func handedLink(t *testing.T, e *authtest.Env, name string) string {
	t.Helper()
	link, err := e.MakeResetLink(t.Context(), e.App(), auth.ResetRequest{Kind: auth.ByUsername, Identifier: name, Redirect: redirect})
	if err != nil {
		t.Fatal(err)
	}
	return tokenIn(t, link)
}

// tokenIn is the reset token in a link.
func tokenIn(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, redirect+"&code=") {
		t.Fatalf("got link %q, %v", link, err)
	}
	return u.Query().Get("code")
}

func reset(t *testing.T, e *authtest.Env, token, password string) error {
	t.Helper()
	_, err := e.ResetPassword(t.Context(), auth.Via{}, token, seal.NewSecret(password))
	return err
}

func proveReset(t *testing.T, e *authtest.Env, code string) string {
	t.Helper()
	token, err := e.ProveReset(t.Context(), e.App(), auth.ResetProof{
		Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress, Code: code,
	})
	if err != nil {
		t.Fatal(err)
	}
	return token.Text
}

// TestReset is for every proof of a reset: what the old password opened is closed, on both contracts, and the proof is
// good once.
func TestReset(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(*testing.T, *authtest.Env) string{
		"a link by e-mail":  mailedLink,
		"a link of its own": func(t *testing.T, e *authtest.Env) string { return handedLink(t, e, "ada") },
		"a code": func(t *testing.T, e *authtest.Env) string {
			startReset(t, e, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress})
			return proveReset(t, e, sentCode)
		},
		"the old password": func(t *testing.T, e *authtest.Env) string {
			token, err := e.ProveOldPassword(t.Context(), auth.Via{}, "app", byUsername("ada", authtest.Password), "")
			if err != nil {
				t.Fatal(err)
			}
			return token.Text
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withRedirect)
			mine, set := login(t, e, "ada").Token, authenticate(t, e, "ada")
			other := authenticate(t, e, "charles")
			token := prove(t, e)
			wantCode(t, reset(t, e, token, "weak"), auth.CodePasswordTooShort)
			wantCode(t, reset(t, e, token, authtest.Password), auth.CodePasswordUsed)
			if err := reset(t, e, token, newPass); err != nil {
				t.Fatal(err)
			}
			wantCode(t, reset(t, e, token, "0ther-Pa55word!"), auth.CodeRecoveryInvalid)
			for what, err := range map[string]error{
				"a session of /multi": second(e.Identities(t.Context(), e.Key(), mine)),
				"a refresh token":     second(e.Refresh(t.Context(), e.App(), set.RefreshToken)),
				"a session":           second(e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})),
				"the old password":    second(e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))),
			} {
				if err == nil {
					t.Errorf("%s is good after the reset", what)
				}
			}
			if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", newPass)); err != nil {
				t.Error(err)
			}
			if _, err := e.Refresh(t.Context(), e.App(), other.RefreshToken); err != nil {
				t.Errorf("somebody else's tokens: %v", err)
			}
			if got := mailed(t, e, adaAddress, auth.TemplatePasswordChanged); got != 1 {
				t.Errorf("got %d notices, want 1 (A-014)", got)
			}
		})
	}
}

func byUsername(name, password string) auth.PasswordLogin {
	return auth.PasswordLogin{Kind: auth.ByUsername, Identifier: name, Password: seal.NewSecret(password)}
}

// TestResetEnds: A-081 and B-22: a proof is over by time, by a newer one, by another change of the password, by the user's end.
func TestResetEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *authtest.Env){
		"half an hour": func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(30 * time.Minute) },
		"another link": func(t *testing.T, e *authtest.Env) {
			e.Clock.Advance(time.Minute)
			handedLink(t, e, "ada")
		},
		"another change": func(t *testing.T, e *authtest.Env) {
			if err := e.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret(newPass)}); err != nil {
				t.Fatal(err)
			}
		},
		"suspension": func(t *testing.T, e *authtest.Env) {
			if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
				t.Fatal(err)
			}
		},
		"the end of the client": func(t *testing.T, e *authtest.Env) {
			if err := e.DisableClient(t.Context(), authtest.Demo, "app"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withRedirect)
			link := mailedLink(t, e)
			end(t, e)
			if err := reset(t, e, link, "0ther-Pa55word!"); err == nil {
				t.Error("the link is still good")
			}
		})
	}
}

// TestResetLinkOfNobody looks like any other, and is good for nothing (B-13).
func TestResetLinkOfNobody(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withRedirect)
	somebody, nobody := handedLink(t, e, "ada"), handedLink(t, e, "stranger")
	if len(nobody)-len(somebody) > 4 || len(somebody)-len(nobody) > 4 {
		t.Errorf("got links of %d and %d characters", len(somebody), len(nobody))
	}
	wantCode(t, reset(t, e, nobody, newPass), auth.CodeRecoveryInvalid)
	for name, token := range map[string]string{
		"empty": "", "cut": somebody[:len(somebody)-1], "altered": "A" + somebody[1:], "not base64": "!" + somebody[1:],
	} {
		if err := reset(t, e, token, newPass); auth.CodeOf(err) != auth.CodeRecoveryInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Error(err)
	}
}

// TestResetsOnce: B-20: of many resets with one link one takes effect.
func TestResetsOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withRedirect)
	link := mailedLink(t, e)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = reset(t, e, link, newPass) })
	}
	wg.Wait()
	done := slices.DeleteFunc(errs, func(err error) bool { return err != nil })
	if len(done) != 1 {
		t.Errorf("got %d resets, want 1", len(done))
	}
}

// TestRevealingTenantTellsWhoCannotReset: only there the contract's codes come (contract/cis §1.3).
func TestRevealingTenantTellsWhoCannotReset(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withRedirect, func(s *auth.Setup) {
		for i := range s.Tenants {
			s.Tenants[i].Tenant.Settings.RevealAccounts = true
		}
	})
	for _, c := range []struct {
		in   auth.ResetRequest
		want auth.Code
	}{
		{auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: "stranger@example.com"}, auth.CodeUserNotFound},
		{auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: "+35699000009"}, auth.CodeUserNotFound},
		{auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByUsername, Identifier: "ada", Redirect: "https://evil.example"}, auth.CodeRedirectInvalid},
	} {
		wantCode(t, e.StartReset(t.Context(), e.App(), c.in), c.want)
	}
}

// TestAnotherChannelGivesNoMailsBack is A-082: three an hour, whatever codes by SMS come between.
func TestAnotherChannelGivesNoMailsBack(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Users[0].PhoneVerified = true })
	ask := func(channel auth.Channel) {
		startReset(t, e, auth.ResetRequest{Channel: channel, Kind: auth.ByUsername, Identifier: "ada"})
		e.Clock.Advance(time.Minute)
	}
	for range 12 {
		ask(auth.ChannelEmail)
		ask(auth.ChannelSMS)
	}
	mails := func() int { return len(inbox(t, e, adaAddress)) }
	if n := mails(); n != 3 {
		t.Errorf("got %d e-mails, want 3", n)
	}
	e.Clock.Advance(time.Hour - 21*time.Minute) // the third was sent twenty minutes ago
	ask(auth.ChannelEmail)
	if n := mails(); n != 3 {
		t.Errorf("got %d e-mails within the hour, want 3", n)
	}
	ask(auth.ChannelEmail)
	if n := mails(); n != 4 {
		t.Errorf("got %d e-mails after it, want 4", n)
	}
}
