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
