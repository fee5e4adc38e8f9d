package auth_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// issued is what one way to tokens gives, and what the user has proved by it.
type issued struct {
	set  auth.TokenSet
	amr  string
	acr  string // empty: none of the values that we name
	none bool   // a client's own: no user, no ID token
}

func issuingPaths() map[string]func(*testing.T, *authtest.Env) (issued, error) {
	return map[string]func(*testing.T, *authtest.Env) (issued, error){
		"client credentials": func(t *testing.T, e *authtest.Env) (issued, error) {
			got, err := e.ClientToken(t.Context(), e.App(), "")
			return issued{set: auth.TokenSet{AccessToken: got.AccessToken, ExpiresIn: got.ExpiresIn}, none: true}, err
		},
		"password": func(t *testing.T, e *authtest.Env) (issued, error) {
			return issued{set: authenticate(t, e, "ada"), amr: "pwd", acr: "pwd"}, nil
		},
		"password grant": func(t *testing.T, e *authtest.Env) (issued, error) {
			set, err := e.PasswordGrant(t.Context(), e.App(), byEmail("ada", authtest.Password), []string{"openid"})
			return issued{set: set, amr: "pwd", acr: "pwd"}, err
		},
		"refresh": func(t *testing.T, e *authtest.Env) (issued, error) {
			return issued{set: refresh(t, e, authenticate(t, e, "ada").RefreshToken), amr: "pwd", acr: "pwd"}, nil
		},
		"session": func(t *testing.T, e *authtest.Env) (issued, error) {
			set, err := e.AuthenticateSession(t.Context(), e.App(), authenticate(t, e, "ada").Session, auth.BackendGrant{})
			return issued{set: set, amr: "pwd", acr: "pwd"}, err
		},
		"second method": func(t *testing.T, e *authtest.Env) (issued, error) {
			in := auth.CodeLogin{Kind: auth.ByUsername, Identifier: "ada", Session: authenticate(t, e, "ada").Session}
			in.Code = sendCode(t, e, codeBy(auth.ChannelDirect, "ada")).Code
			set, err := e.AuthenticateCode(t.Context(), e.App(), in)
			return issued{set: set, amr: "pwd otp mfa", acr: "mfa"}, err
		},
		"code of a browser":   func(t *testing.T, e *authtest.Env) (issued, error) { return browserTokens(t, e) },
		"one-time code":       oneTimeCode,
		"magic link":          magicLink,
		"app with codes":      appCode,
		"transaction":         transactionCode,
		"passkey":             passkeyTokens,
		"key of a device":     deviceKeyTokens,
		"refresh of a code's": refreshedBrowserTokens,
	}
}

func oneTimeCode(t *testing.T, e *authtest.Env) (issued, error) {
	set, err := useCode(t, e, "ada", sendCode(t, e, codeBy(auth.ChannelDirect, "ada")).Code)
	return issued{set: set, amr: "otp"}, err
}

func magicLink(t *testing.T, e *authtest.Env) (issued, error) {
	sent, err := e.SendLoginLink(t.Context(), e.App(), auth.LinkRequest{
		Kind: auth.ByUsername, Identifier: "ada", RedirectURI: frontCallback, Channel: auth.ChannelDirect,
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.AuthenticateLink(t.Context(), e.App(), auth.LinkLogin{Code: codeOfLink(t, sent.Link)})
	return issued{set: set, amr: "otp"}, err // which is handed over
}

func appCode(t *testing.T, e *authtest.Env) (issued, error) {
	key := newApp(t, e, "ada")
	set, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", shown(t, e, key, 0)))
	return issued{set: set, amr: "totp"}, err
}

func transactionCode(t *testing.T, e *authtest.Env) (issued, error) {
	key := newApp(t, e, "ada")
	challenge, err := e.StartTransaction(t.Context(), e.App(), auth.ByEmail, "ada@example.com", auth.Proposal{Text: `{"sum":"1"}`})
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.AuthenticateTransaction(t.Context(), e.App(), byCode("ada", auth.TransactionCode(t, key.Secret, challenge, e.Clock.Now())))
	return issued{set: set, amr: "totp"}, err
}

func passkeyTokens(t *testing.T, e *authtest.Env) (issued, error) {
	a, _ := withPasskey(t, e, "ada")
	set, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "ada", nil))
	return issued{set: set, amr: "webauthn"}, err
}

func deviceKeyTokens(t *testing.T, e *authtest.Env) (issued, error) {
	key := ecSigner(t)
	enrolled(t, e, "phone", key)
	challenge, err := e.StartKeyLogin(t.Context(), e.App(), auth.KeyChallengeRequest{Kind: auth.ByUserID, Identifier: string(authtest.Ada)})
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.AuthenticateUserKey(t.Context(), e.App(), auth.KeyLogin{
		User: authtest.Ada, Key: "phone", Challenge: challenge, Signature: base64Of(signed(t, key, challenge)),
	})
	return issued{set: set, amr: "hwk"}, err
}

// browserTokens are those of a code, with every scope there is.
func browserTokens(t *testing.T, e *authtest.Env) (issued, error) {
	t.Helper()
	set, err := e.Redeem(t.Context(), e.App(), auth.Redemption{
		Code: browserCode(t, e, auth.AuthorizationScopes(), "consent"), RedirectURI: frontCallback, Verifier: verifier,
	})
	return issued{set: set, amr: "pwd", acr: "pwd"}, err
}

func refreshedBrowserTokens(t *testing.T, e *authtest.Env) (issued, error) {
	first, err := browserTokens(t, e)
	if err == nil {
		first.set, err = e.Refresh(t.Context(), e.App(), first.set.RefreshToken)
	}
	return first, err
}

// TestEveryTokenIsComplete is A-097: on each way to tokens, access tokens have all that RFC 9068 §2.2 requires and their own type, and ID
// tokens all that OIDC Core §2 requires; neither says anything of the authentication that is not so.
func TestEveryTokenIsComplete(t *testing.T) {
	t.Parallel()
	for name, path := range issuingPaths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withFront, func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.PasswordGrant = true })
			got, err := path(t, e)
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, e, got.set.AccessToken, "at+jwt", auth.DefaultAudience); err != nil {
				t.Errorf("access token: %v", err)
			}
			access := claimsOf(t, got.set.AccessToken)
			subject := string(authtest.Ada)
			if got.none {
				subject = "app"
			}
			wantRegistered(t, e, access, subject, got.set)
			for claim, want := range map[string]string{"aud": auth.DefaultAudience, "client_id": "app", "scope": got.set.Scope, "tid": "demo"} {
				if access[claim] != want {
					t.Errorf("access token: %s is %v, want %s", claim, access[claim], want)
				}
			}
			if id, _ := access["jti"].(string); len(id) < 16 {
				t.Errorf("access token: jti is %q", id)
			}
			if got.none {
				for _, claim := range []string{"auth_time", "amr", "acr", "sid"} {
					if v, there := access[claim]; there {
						t.Errorf("a client's own token has %s %v", claim, v)
					}
				}
				return
			}
			if err := verify(t, e, got.set.IDToken, "JWT", "app"); err != nil {
				t.Errorf("ID token: %v", err)
			}
			id := claimsOf(t, got.set.IDToken)
			wantRegistered(t, e, id, subject, got.set)
			wantAuthentication(t, "access token", access, got)
			wantAuthentication(t, "ID token", id, got)
		})
	}
}

// wantRegistered checks what both kinds of token must have.
func wantRegistered(t *testing.T, e *authtest.Env, claims map[string]any, subject string, set auth.TokenSet) {
	t.Helper()
	now := float64(e.Clock.Now().Unix())
	if claims["iss"] != authtest.Issuer || claims["sub"] != subject || claims["iat"] != now || claims["exp"] != now+set.ExpiresIn.Seconds() {
		t.Errorf("got %v", claims)
	}
}

// wantAuthentication checks what a token says of how and when its user authenticated.
func wantAuthentication(t *testing.T, what string, claims map[string]any, got issued) {
	t.Helper()
	list, _ := claims["amr"].([]any)
	var amr []string
	for _, m := range list {
		text, _ := m.(string)
		amr = append(amr, text)
	}
	if !slices.Equal(amr, strings.Fields(got.amr)) {
		t.Errorf("%s: amr is %v, want %s", what, claims["amr"], got.amr)
	}
	acr, there := claims["acr"]
	if there != (got.acr != "") || there && acr != got.acr {
		t.Errorf("%s: acr is %v, want %q", what, acr, got.acr)
	}
	if at, _ := claims["auth_time"].(float64); at < 1e9 || at != math.Trunc(at) {
		t.Errorf("%s: auth_time is %v", what, claims["auth_time"])
	}
	if claims["sid"] != string(got.set.Session) || got.set.Session == "" {
		t.Errorf("%s: sid is %v, want %s", what, claims["sid"], got.set.Session)
	}
}
