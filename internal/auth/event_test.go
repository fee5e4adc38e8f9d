package auth_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestEvents is A-128: every outcome is one row, in order, and says who, whom and why.
func TestEvents(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(t *testing.T, e *authtest.Env)
		want []string
	}{
		"login": {func(t *testing.T, e *authtest.Env) { login(t, e, "ada") }, []string{"login pwd", "token_issued ACCESS"}},
		"login of several": {func(t *testing.T, e *authtest.Env) {
			token := login(t, e, "charles").Token
			_, _ = e.AccessToken(t.Context(), e.Key(), token, auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
			_, _ = e.AccessToken(t.Context(), e.Key(), token, auth.IdentityRef{Type: auth.Consumer, ID: "1001"})
			_ = e.Logout(t.Context(), e.Key(), token)
		}, []string{"login pwd", "token_issued AUTH", "token_issued ACCESS", "token_refused foreign_identity", "logout"}},
		"refusals": {func(t *testing.T, e *authtest.Env) {
			for _, who := range []string{"stranger", "mary", "annie", "grace", "alan"} {
				_, _ = e.LoginPassword(t.Context(), e.Key(), byEmail(who, authtest.Password))
			}
		}, []string{
			"login_refused unknown_user", "login_refused no_password", "login_refused suspended", "login_refused password_expired",
			"token_issued TEMPORARY", "login_refused password_temporary", "token_issued TEMPORARY",
		}},
		"lock": {func(t *testing.T, e *authtest.Env) {
			lock(t, e, "ada")
			_, _ = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
			e.Clock.Advance(30 * time.Minute)
			fail(t, e, "ada", 1)
		}, append(slices.Repeat([]string{"login_refused wrong_password"}, 5), "locked", "login_refused locked", "unlocked", "login_refused wrong_password")},
		"unlock": {func(t *testing.T, e *authtest.Env) {
			lock(t, e, "ada")
			_ = e.Unlock(t.Context(), authtest.Demo, authtest.Ada)
			login(t, e, "ada")
		}, append(slices.Repeat([]string{"login_refused wrong_password"}, 5), "locked", "unlocked", "login pwd", "token_issued ACCESS")},
		"update": {func(t *testing.T, e *authtest.Env) {
			token := login(t, e, "ada").Token
			_, _ = update(t, e, token, authtest.Password, "short")
			_, _ = update(t, e, token, authtest.Password, "N3w-Pa55word!")
		}, []string{"login pwd", "token_issued ACCESS", "password_refused password_too_short", "password_changed ACCESS", "token_issued ACCESS"}},
		"back end": {func(t *testing.T, e *authtest.Env) {
			if err := e.EnsureKeys(t.Context(), "ES256"); err != nil {
				t.Fatal(err)
			}
			set := authenticate(t, e, "ada")
			next, _ := e.Refresh(t.Context(), e.App(), set.RefreshToken)
			_, _ = e.Refresh(t.Context(), e.App(), set.RefreshToken)
			_, _ = e.Refresh(t.Context(), e.App(), next.RefreshToken)
			_, _ = e.Refresh(t.Context(), e.App(), set.RefreshToken)
			_, _ = e.Refresh(t.Context(), e.App(), set.RefreshToken)
			_, _ = e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})
			_ = e.LogoutSession(t.Context(), e.App(), set.Session)
			_ = e.LogoutSession(t.Context(), e.App(), set.Session)
		}, []string{
			"login pwd", "token_issued refresh", "token_refreshed", "token_refreshed", "token_refreshed", "token_revoked reused_refresh",
			"token_refused invalid_refresh", "token_issued session", "logout",
		}},
		"users": {func(t *testing.T, e *authtest.Env) {
			fresh := &auth.NewPassword{Value: seal.NewSecret("Pa55word!")}
			_, _ = e.CreateUser(t.Context(), e.App(), auth.NewUser{Username: "eve", Password: fresh})
			_ = e.AddPassword(t.Context(), e.App(), authtest.NoPass, *fresh)
			_ = e.AddPassword(t.Context(), e.App(), authtest.NoPass, *fresh)
			_ = e.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
			_ = e.Suspend(t.Context(), authtest.Demo, authtest.Ada)
			_ = e.Resume(t.Context(), authtest.Demo, authtest.Ada)
		}, []string{
			"user_created", "password_added", "password_added", "password_refused password_exists", "password_changed", "user_suspended", "user_resumed",
		}},
		"applications": {func(t *testing.T, e *authtest.Env) {
			app, _, _ := e.CreateApplication(t.Context(), e.Admin(), auth.Application{Name: "New"}, auth.ClientSetup{})
			_, _, _ = e.CreateApplication(t.Context(), e.App(), auth.Application{Name: "Newer"}, auth.ClientSetup{})
			_, _ = e.ChangeApplication(t.Context(), e.Admin(), app.ID, func(a *auth.Application) { a.Name = "Renamed" })
			client, _, _ := e.CreateAppClient(t.Context(), e.Admin(), app.ID, auth.ClientSetup{})
			_, _ = e.ChangeAppClient(t.Context(), e.Admin(), app.ID, client.ID, func(c *auth.ClientSetup) { c.Name = "Renamed" })
			_, _, _ = e.RotateAppClientSecret(t.Context(), e.Admin(), app.ID, client.ID)
			_ = e.RetireAppClientSecret(t.Context(), e.Admin(), app.ID, client.ID)
			_ = e.DeleteAppClient(t.Context(), e.Admin(), app.ID, client.ID)
			_ = e.DeleteAppClient(t.Context(), e.Admin(), app.ID, app.Clients[0].ID)
			_ = e.DeleteApplication(t.Context(), e.Admin(), app.ID)
		}, []string{
			"application_created", "application_changed", "client_created", "client_changed", "client_secret_rotated", "client_secret_retired",
			"client_disabled", "application_deleted",
		}},
		"clients": {func(t *testing.T, e *authtest.Env) {
			_, _ = e.ClientToken(t.Context(), e.App(), "")
		}, []string{"token_issued client"}},
	} {
		e := authtest.New(t)
		tt.do(t, e)
		if diff := cmp.Diff(tt.want, events(t, e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatAnEventSays(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	by := e.Key()
	by.Address, by.Request = netip.MustParseAddr("192.0.2.7"), "request-1"
	if _, err := e.LoginPassword(t.Context(), by, byEmail("ada", authtest.Password)); err != nil {
		t.Fatal(err)
	}
	for _, ev := range rawEvents(t, e) {
		if ev.Tenant != authtest.Demo || ev.User != authtest.Ada || ev.Session == "" || ev.Actor != "key:backend" || ev.Address != "192.0.2.7" ||
			ev.Request != "request-1" || !ev.At.Equal(e.Clock.Now()) || ev.ID == "" {
			t.Errorf("got %+v", ev)
		}
	}
	if _, err := e.LoginPassword(t.Context(), by, byEmail("stranger", authtest.Password)); err == nil {
		t.Fatal("a stranger was let in")
	}
	all := rawEvents(t, e)
	if last := all[len(all)-1]; last.User != "" || last.Reason != "unknown_user" {
		t.Errorf("an unknown account: got %+v", last)
	}
}

// TestEventsHoldNothingTyped: no identifier, password or token that went in or out is in any event.
func TestEventsHoldNothingTyped(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	canaries := []string{authtest.Password, "stranger", "@example.com", "canary", "test secret", "test key"}
	add := func(texts ...string) { canaries = append(canaries, texts...) }
	_, _ = e.LoginPassword(t.Context(), e.Key(), byEmail("stranger", "canary1"))
	_, _ = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "canary2"))
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("alan", authtest.Password))
	add(tokenOf(t, err))
	token := login(t, e, "ada").Token
	u, _ := update(t, e, token, authtest.Password, "N3w-canary!3")
	_, _ = update(t, e, u.Token, "canary4", "N3w-canary!5")
	add(token, u.Token)
	set := authenticate(t, e, "charles")
	next := refresh(t, e, set.RefreshToken)
	add(set.AccessToken, set.IDToken, set.RefreshToken, next.RefreshToken)
	_, _ = e.CreateUser(t.Context(), e.App(), auth.NewUser{Email: "canary6@example.com", Username: "canary7", Phone: "+35699222222"})
	_, _ = e.AuthenticateClient(t.Context(), credentials("canary8", "canary9"), auth.Via{})
	add("+35699222222")
	_ = e.Logout(t.Context(), e.Key(), "canary10")
	all := rawEvents(t, e)
	if len(all) < 10 {
		t.Fatalf("got %d events, want the scenario's", len(all))
	}
	for _, ev := range all {
		text := fmt.Sprintf("%+v", ev)
		for _, c := range canaries {
			if strings.Contains(text, c) {
				t.Errorf("%q is in %s", c, text)
			}
		}
	}
}
