package auth_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestUserInfo returns what was asked for under userinfo and what the client always gets (OIDC Core §5.3, §5.5).
func TestUserInfo(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Clients[0].Claims = []string{"lname", "app_name"} })
	in := backend("ada", authtest.Password)
	in.Claims, in.UserInfo = auth.Named("username"), auth.Named("email", "email_verified", "password", "sub")
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"sub": string(authtest.Ada), "email": "ada@example.com", "email_verified": true, "lname": "Lovelace", "app_name": "Demo",
	}
	for name, set := range map[string]auth.TokenSet{"at first": set, "after a refresh": refresh(t, e, set.RefreshToken)} {
		by, got, err := e.UserInfo(t.Context(), set.AccessToken, auth.Via{})
		if diff := cmp.Diff(want, got); diff != "" || err != nil || by != e.App() {
			t.Errorf("%s: %v, %v (-want +got):\n%s", name, by, err, diff)
		}
		if id := claimsOf(t, set.IDToken); id["email"] != nil || id["username"] != "ada" {
			t.Errorf("%s: the ID token has %v", name, id)
		}
	}
}

// TestUserInfoIsForUsersTokens is.
func TestUserInfoIsForUsersTokens(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	in := backend("ada", authtest.Password)
	in.Resource = authtest.Resource
	elsewhere, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	own, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  auth.Code
	}{
		"ID token": {set.IDToken, auth.CodeInvalidToken}, "refresh token": {set.RefreshToken, auth.CodeInvalidToken},
		"for another audience": {elsewhere.AccessToken, auth.CodeInvalidToken}, "a client's own": {own.AccessToken, auth.CodeInsufficientScope},
		"nothing": {"", auth.CodeInvalidToken}, "of /multi": {login(t, e, "ada").Token, auth.CodeInvalidToken},
	} {
		_, got, err := e.UserInfo(t.Context(), c.token, auth.Via{})
		if codeOf(err) != c.want || got != nil {
			t.Errorf("%s: got %v and %v, want %v", name, got, err, c.want)
		}
	}
	revokes(t, e.Service, e.App(), own.AccessToken)
	_, _, err = e.UserInfo(t.Context(), own.AccessToken, auth.Via{})
	wantCode(t, err, auth.CodeInvalidToken)
}

// TestUserInfoRequestsFitIntoATokens: however much a client asks for, an access token stays one that a header takes.
func TestUserInfoRequestsFitIntoATokens(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	in := backend("ada", authtest.Password)
	for _, field := range []string{strings.Repeat("\x01", 1200), strings.Repeat("a", 7000), strings.Repeat("a\x1f", 3000)} {
		in.UserInfo = append(auth.Named(auth.RequestableClaims()...), auth.ClaimRequest{Name: "custom_data", Fields: []string{field}})
		set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(set.AccessToken) > 6000 {
			t.Errorf("got a token of %d bytes", len(set.AccessToken))
		}
		if _, got, err := e.UserInfo(t.Context(), set.AccessToken, auth.Via{}); err != nil || got["sub"] != string(authtest.Ada) {
			t.Errorf("got %v and %v", got, err)
		}
	}
}
