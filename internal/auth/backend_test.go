package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) map[string]any { t.Helper(); return partOf(t, token, 1) }

func headerOf(t *testing.T, token string) map[string]any { t.Helper(); return partOf(t, token, 0) }

func partOf(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JSON Web Token", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAuthenticatePasswordOptions(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	corporate := auth.BackendGrant{OrgID: "2002"}
	for _, tt := range []struct {
		name  string
		who   string
		grant auth.BackendGrant
		want  auth.Code
		check func(access, id map[string]any) bool
	}{
		{"nothing asked", "ada", auth.BackendGrant{}, none, func(access, id map[string]any) bool {
			return access["aud"] == auth.DefaultAudience && id["aud"] == "app" && access["sub"] == "1001" && id["sub"] == "1001" &&
				id["email"] == nil && access["org_id"] == nil && access["scope"] == auth.Scope && access["client_id"] == "app" &&
				access["iss"] == authtest.Issuer && access["sid"] == id["sid"] && id["at_hash"] != nil
		}},
		{"a resource", "ada", auth.BackendGrant{Resource: authtest.Resource}, none, func(access, id map[string]any) bool {
			return access["aud"] == authtest.Resource && id["aud"] == "app"
		}},
		{"another resource", "ada", auth.BackendGrant{Resource: "https://other.example"}, auth.CodeInvalidTarget, nil},
		{"a resource in other letters", "ada", auth.BackendGrant{Resource: strings.ToUpper(authtest.Resource)}, auth.CodeInvalidTarget, nil},
		{"claims", "ada", auth.BackendGrant{Claims: auth.Named("email", "email_verified", "fname", "username", "birthday", "groups", "password", "sub")},
			none, func(_, id map[string]any) bool {
				_, birthday := id["birthday"]
				_, password := id["password"]
				return id["email"] == "ada@example.com" && id["email_verified"] == true && id["fname"] == "ada" && id["username"] == "ada" &&
					!birthday && !password && id["sub"] == "1001" && id["groups"] != nil
			}},
		{"an organization", "charles", corporate, none, func(access, id map[string]any) bool {
			return access["org_id"] == "2002" && id["org_id"] == "2002"
		}},
		{"somebody else's organization", "ada", corporate, auth.CodeNotMember, nil},
		{"a consumer is no organization", "ada", auth.BackendGrant{OrgID: "1001"}, auth.CodeNotMember, nil},
	} {
		in := backend(tt.who, authtest.Password)
		in.BackendGrant = tt.grant
		set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if (set.AccessToken == "") != (err != nil) {
			t.Errorf("%s: got the token %q with %v", tt.name, set.AccessToken, err)
		}
		if tt.check != nil && err == nil && !tt.check(claimsOf(t, set.AccessToken), claimsOf(t, set.IDToken)) {
			t.Errorf("%s: got %v and %v", tt.name, claimsOf(t, set.AccessToken), claimsOf(t, set.IDToken))
		}
	}
	if a := attempts(t, e, authtest.Ada); a.Failures != 0 || a.Pending != 0 {
		t.Errorf("a right password that was refused for another reason counts: %+v", a)
	}
}

func TestAuthenticatePasswordByEveryName(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for kind, value := range map[auth.IdentifierKind]string{
		auth.ByEmail: "Ada@example.com", auth.ByUsername: "ADA", auth.ByPhone: "+35699111111", auth.ByUserID: "1001",
	} {
		in := backend("ada", authtest.Password)
		in.Kind, in.Identifier = kind, value
		if _, err := e.AuthenticatePassword(t.Context(), e.App(), in); err != nil {
			t.Errorf("by %s: %v", kind, err)
		}
	}
}

func TestAuthenticatePasswordRefusals(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for name, want := range map[string]auth.Code{
		"stranger": auth.CodeUnknownUser, "mary": auth.CodeNoPassword, "annie": auth.CodeSuspended, "grace": auth.CodePasswordExpired,
		"alan": auth.CodePasswordTemp,
	} {
		set, err := e.AuthenticatePassword(t.Context(), e.App(), backend(name, authtest.Password))
		if got := codeOf(err); got != want || set != (auth.TokenSet{}) {
			t.Errorf("%s: got %v and %v, want %v", name, got, set, want)
		}
	}
	_, err := e.AuthenticatePassword(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: "stranger"}, backend("ada", authtest.Password))
	wantCode(t, err, auth.CodeUnknownClient)
}

// TestJoinASession is contract/cis §1.1: session_id joins a live session of the same user, else the call is refused.
func TestJoinASession(t *testing.T) { // A-119 B-32
	t.Parallel()
	e := authtest.New(t)
	mine, theirs, ended := authenticate(t, e, "ada"), authenticate(t, e, "charles"), authenticate(t, e, "ada")
	if err := e.LogoutSession(t.Context(), e.App(), ended.Session); err != nil {
		t.Fatal(err)
	}
	b, err := e.Authenticate(t.Context(), e.Key(), login(t, e, "ada").Token, auth.TokenAccess)
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(time.Hour)
	for _, tt := range []struct {
		name    string
		session auth.SessionID
		want    auth.Code
	}{
		{"mine", mine.Session, none},
		{"another's", theirs.Session, auth.CodeSessionForeign},
		{"ended", ended.Session, auth.CodeSessionNotFound},
		{"made up", "made up", auth.CodeSessionNotFound},
		{"of /multi", b.Session.ID, auth.CodeSessionNotFound},
	} {
		in := backend("ada", authtest.Password)
		in.Session = tt.session
		set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if err != nil {
			continue
		}
		claims := claimsOf(t, set.AccessToken)
		if set.Session != mine.Session || claims["auth_time"] != float64(e.Clock.Now().Unix()) || len(claims["amr"].([]any)) != 1 {
			t.Errorf("%s: got session %s and %v", tt.name, set.Session, claims)
		}
	}
	wrong := backend("ada", "wrong")
	wrong.Session = mine.Session
	_, err = e.AuthenticatePassword(t.Context(), e.App(), wrong)
	wantCode(t, err, auth.CodeWrongPassword)
}

func TestAuthenticateSession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "charles")
	other := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	e.Clock.Advance(13 * 24 * time.Hour)
	next, err := e.AuthenticateSession(t.Context(), other, set.Session, auth.BackendGrant{OrgID: "2001", Claims: auth.Named("email")})
	if err != nil {
		t.Fatal(err)
	}
	access, id := claimsOf(t, next.AccessToken), claimsOf(t, next.IDToken)
	if next.Session != set.Session || access["client_id"] != "other" || access["org_id"] != "2001" || id["email"] != "charles@example.com" ||
		access["auth_time"] != float64(authtest.Start().Unix()) {
		t.Errorf("got %v and %v", access, id)
	}
	for _, tt := range []struct {
		name    string
		session auth.SessionID
		grant   auth.BackendGrant
		want    auth.Code
	}{
		{"made up", "made up", auth.BackendGrant{}, auth.CodeSessionNotFound},
		{"a resource of another client", set.Session, auth.BackendGrant{Resource: authtest.Resource}, auth.CodeInvalidTarget},
		{"no member", set.Session, auth.BackendGrant{OrgID: "2003"}, auth.CodeNotMember},
	} {
		_, err := e.AuthenticateSession(t.Context(), other, tt.session, tt.grant)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	e.Clock.Advance(14*24*time.Hour - time.Microsecond) // of idleness after the call
	if _, err := e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{}); err != nil {
		t.Errorf("the call did not move the session's end: %v", err)
	}
	lock(t, e, "charles")
	_, err = e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})
	wantCode(t, err, auth.CodeLocked)
}

func TestLogoutSession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	for range 2 { // the second is no error: A-040
		if err := e.LogoutSession(t.Context(), e.App(), set.Session); err != nil {
			t.Fatal(err)
		}
	}
	_, err := e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})
	wantCode(t, err, auth.CodeSessionNotFound)
	_, err = e.Refresh(t.Context(), e.App(), set.RefreshToken)
	wantCode(t, err, auth.CodeInvalidRefresh)
	wantCode(t, e.LogoutSession(t.Context(), e.App(), "made up"), auth.CodeSessionNotFound)
	if n := count(events(t, e), "logout"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

// TestTokensVerify checks the tokens with the published keys, as their receiver would.
func TestTokensVerify(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	for _, tt := range []struct{ token, typ, audience string }{
		{set.AccessToken, "at+jwt", auth.DefaultAudience}, {set.IDToken, "JWT", "app"},
	} {
		if err := verify(t, e, tt.token, tt.typ, tt.audience); err != nil {
			t.Errorf("%s: %v", tt.typ, err)
		}
		if verify(t, e, tt.token, "other", tt.audience) == nil || verify(t, e, tt.token, tt.typ, "other") == nil {
			t.Errorf("%s: accepted as something else", tt.typ)
		}
	}
	for name, token := range map[string]string{"access token of a user": set.AccessToken, "ID token": set.IDToken, "refresh token": set.RefreshToken} {
		_, err := e.AuthenticateClientToken(t.Context(), token, auth.Via{})
		if got := codeOf(err); got != auth.CodeInvalidToken {
			t.Errorf("%s as a client's: got %v", name, got)
		}
	}
}

// verify checks a token with the published keys.
func verify(t *testing.T, e *authtest.Env, token, typ, audience string) error {
	t.Helper()
	set, err := e.KeySet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var published struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(set, &published); err != nil {
		t.Fatal(err)
	}
	var keys []jose.PublicKey
	for _, raw := range published.Keys {
		k, err := jose.ParsePublic(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	_, err = jose.NewSet(keys...).Verify(token, jose.Want{Typ: []string{typ}, Issuer: authtest.Issuer, Audience: audience, Now: e.Clock.Now()})
	return err
}

func TestClientTokens(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, tt := range []struct {
		by       auth.Actor
		resource string
		want     auth.Code
		roles    []any
	}{
		{e.App(), "", none, []any{}},
		{e.App(), authtest.Resource, none, []any{}},
		{e.Admin(), "", none, []any{"Admin"}},
		{e.Admin(), authtest.Resource, auth.CodeInvalidTarget, nil},
	} {
		tok, err := e.ClientToken(t.Context(), tt.by, tt.resource)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s %q: got %v, want %v", tt.by, tt.resource, got, tt.want)
		}
		if err != nil {
			continue
		}
		claims := claimsOf(t, tok.AccessToken)
		if roles, _ := claims["roles"].([]any); !slices.Equal(roles, tt.roles) || claims["sub"] != string(tt.by.Client) {
			t.Errorf("%s: got %v", tt.by, claims)
		}
		by, err := e.AuthenticateClientToken(t.Context(), tok.AccessToken, auth.Via{})
		tt.by.Token, _ = claims["jti"].(string)
		if tt.resource != "" {
			wantCode(t, err, auth.CodeInvalidToken) // is for somebody else
		} else if err != nil || by != tt.by {
			t.Errorf("%s: the bearer is %v (%v)", tt.by, by, err)
		}
		e.Clock.Advance(tok.ExpiresIn)
		_, err = e.AuthenticateClientToken(t.Context(), tok.AccessToken, auth.Via{})
		wantCode(t, err, auth.CodeInvalidToken)
	}
}

func TestRequestableClaims(t *testing.T) {
	t.Parallel()
	got := auth.Requestable([]string{"username", "email", "sub", "email", "password", ""})
	if want := []string{"email", "username"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if all := auth.RequestableClaims(); !slices.Equal(auth.Requestable(all), slices.Sorted(slices.Values(all))) {
		t.Error("a requestable claim is not requestable")
	}
}
