package auth_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// entered is the code that Charles brings his client, for the organization that is his.
func entered(t *testing.T, e *authtest.Env) string {
	t.Helper()
	entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(func(in *auth.FrontLogin) {
		in.Identifier, in.OrgID = "charles", enginesID
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Enter(t.Context(), entry, noCookies(), auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Code
}

// TestCodeOfALostApplication: a code is not redeemed for an organization that has been taken out of the application since.
func TestCodeOfALostApplication(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	code := entered(t, e)
	if err := e.RemoveOrganizationApps(t.Context(), e.Admin(), enginesID, []string{"app"}); err != nil {
		t.Fatal(err)
	}
	_, err := e.Redeem(t.Context(), e.App(), auth.Redemption{Code: code, RedirectURI: frontCallback})
	refusedWith(t, "redeemed", err, auth.CodeInvalidCode)
}

// TestFrontSessionsOfAnOrganization: sessions of tokens for an organization are listed, counted and in the events like others.
func TestFrontSessionsOfAnOrganization(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	if _, err := e.Redeem(t.Context(), e.App(), auth.Redemption{Code: entered(t, e), RedirectURI: frontCallback}); err != nil {
		t.Fatal(err)
	}
	all, err := e.FrontSessions(t.Context(), e.App(), authtest.Charles)
	if err != nil || len(all) != 2 {
		t.Errorf("got %+v, %v, want the browser's and the token's", all, err)
	}
	n, err := e.EndFrontSessions(t.Context(), e.App(), authtest.Charles)
	if logouts := count(events(t, e), "logout"); err != nil || n != 2 || logouts != 2 {
		t.Errorf("ended %d with %d events, %v, want 2", n, logouts, err)
	}
}

// TestReusedCodeIsRevokedOnce: only what ends something says that it did; each later return of the code is a refusal.
func TestReusedCodeIsRevokedOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	in := auth.Redemption{Code: browserCode(t, e, []string{"openid"}), RedirectURI: frontCallback, Verifier: verifier}
	if _, err := e.Redeem(t.Context(), e.App(), in); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := e.Redeem(t.Context(), e.App(), in)
		refusedWith(t, "again", err, auth.CodeReusedCode)
	}
	seen := events(t, e)
	if revoked, refused := count(seen, "token_revoked reused_code"), count(seen, "token_refused reused_code"); revoked != 1 || refused != 2 {
		t.Errorf("got %d revocations and %d refusals, want 1 and 2: %v", revoked, refused, seen)
	}
}

// TestUsedCodeOfAnotherClient: who brings a code that was another client's learns nothing and ends nothing.
func TestUsedCodeOfAnotherClient(t *testing.T) { // B-43
	t.Parallel()
	e := authtest.New(t, withFront)
	in := auth.Redemption{Code: browserCode(t, e, []string{"openid"}), RedirectURI: frontCallback, Verifier: verifier}
	set, err := e.Redeem(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	stranger := e.App()
	stranger.Client = "other"
	refusedWith(t, "by another client", second(e.Redeem(t.Context(), stranger, in)), auth.CodeInvalidCode)
	if _, _, err := e.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{}); err != nil {
		t.Errorf("the client's own token: %v", err)
	}
}

// TestOfflineAccessNeedsTheQuestion is OIDC Core §11: without prompt=consent it is left out, and the rest is granted.
func TestOfflineAccessNeedsTheQuestion(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	in := auth.Redemption{Code: browserCode(t, e, []string{"openid", "offline_access"}), RedirectURI: frontCallback, Verifier: verifier}
	set, err := e.Redeem(t.Context(), e.App(), in)
	if err != nil || set.Scope != "openid" || set.RefreshToken != "" {
		t.Errorf("got scope %q, refresh token %q, %v", set.Scope, set.RefreshToken, err)
	}
}

// TestResourceTakenFromItsClient: neither a code nor a refresh gives tokens for a resource that is no longer the client's.
func TestResourceTakenFromItsClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	in := asking([]string{"openid", "offline_access"}, "consent")
	in.Resource = authtest.Resource
	b := &tab{}
	set, code := b.admitted(t, e, in), b.authorize(t, e, in)
	redeem := func() error {
		_, err := e.Redeem(t.Context(), e.App(), auth.Redemption{Code: code, RedirectURI: frontCallback, Verifier: verifier})
		return err
	}
	own := func(resources ...string) {
		t.Helper()
		err := e.ChangeClient(t.Context(), authtest.Demo, "app", func(c auth.ClientSetup) (auth.ClientSetup, error) {
			c.Resources = resources
			return c, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	own("https://else.example")
	refusedWith(t, "code", redeem(), auth.CodeInvalidCode)
	refusedWith(t, "refresh", second(e.Refresh(t.Context(), e.App(), set.RefreshToken)), auth.CodeInvalidRefresh)
	if got, err := e.Introspect(t.Context(), e.App(), set.RefreshToken); err != nil || got.Active {
		t.Errorf("introspected: got %+v, %v", got, err)
	}
	own(authtest.Resource)
	if err := redeem(); err != nil {
		t.Errorf("code, with the resource again: %v", err)
	}
	if _, err := e.Refresh(t.Context(), e.App(), set.RefreshToken); err != nil {
		t.Errorf("refresh, with the resource again: %v", err)
	}
}
