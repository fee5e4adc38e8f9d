package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/seal"
)

func passwordGrant(s *auth.Settings) { s.PasswordGrant = true }

// byPassword is a token request with a user's password, with some parameters set otherwise, or left out when they are empty.
func (s *server) byPassword(t *testing.T, params ...string) (int, tokens, string) {
	t.Helper()
	q := url.Values{
		"grant_type": {"password"}, "client_id": {"app"}, "client_secret": {secret}, "username_type": {"email"}, "username": {"ada@example.com"},
		"password": {authtest.Password},
	}
	for i := 0; i < len(params); i += 2 {
		if q.Set(params[i], params[i+1]); params[i+1] == "" {
			q.Del(params[i])
		}
	}
	r := form(q.Encode()).Do(s)
	if err := httpxtest.Conforms(s.doc, "POST", "/oidc/token", r); err != nil {
		t.Error(err)
	}
	return r.Code, decoded(t, r), r.Body.String()
}

// TestPasswordGrantIsOff until a tenant turns it on, and then it is on for that one (A-092, B-45).
func TestPasswordGrantIsOff(t *testing.T) {
	t.Parallel()
	s := serve(t)
	try := func() string { _, got, _ := s.byPassword(t); return got.Error }
	if got := try(); got != "unsupported_grant_type" {
		t.Errorf("at first: got %q", got)
	}
	turn := func(on bool) {
		t.Helper()
		err := s.ChangeSettings(t.Context(), authtest.Demo, func(in auth.Settings) (auth.Settings, error) { in.PasswordGrant = on; return in, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	turn(true)
	if got := try(); got != "" {
		t.Errorf("on: got %q", got)
	}
	rival := []string{"client_id", "rival-app", "client_secret", "test secret of rival-app"}
	if _, got, _ := s.byPassword(t, rival...); got.Error != "unsupported_grant_type" {
		t.Errorf("another tenant's: got %+v", got)
	}
	turn(false)
	if got := try(); got != "unsupported_grant_type" {
		t.Errorf("off: got %q", got)
	}
	r := httpxtest.Call{Method: "GET", Path: "/cis/oidc/.well-known/openid-configuration"}.Do(s)
	if strings.Contains(r.Body.String(), `"password"`) {
		t.Error("discovery lists it")
	}
}

func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(passwordGrant))
	for _, tt := range []struct {
		title, scope string
		params       []string
	}{
		{"no scope", "offline_access", nil},
		{"openid", "openid offline_access", []string{"scope", "openid"}},
		{"all", "openid email phone offline_access", []string{"scope", "phone email openid offline_access other"}},
		{"by username, the default", "offline_access", []string{"username_type", "", "username", "ada"}},
		{"by phone number", "offline_access", []string{"username_type", "phone_number", "username", "+35699111111"}},
		{"by id", "offline_access", []string{"username_type", "user_id", "username", "1001"}},
	} {
		status, got, body := s.byPassword(t, tt.params...)
		if status != http.StatusOK || got.Scope != tt.scope || got.RefreshToken == "" || (got.IDToken != "") != strings.Contains(tt.scope, "openid") {
			t.Errorf("%s: got %d %s", tt.title, status, body)
			continue
		}
		access := payload(t, got.AccessToken)
		if access["sub"] != "1001" || access["sid"] == "" || access["scope"] != tt.scope {
			t.Errorf("%s: got %v", tt.title, access)
		}
		if _, _, err := s.AuthenticateUserToken(t.Context(), got.AccessToken, auth.Via{}); err != nil { // as contract/cis §5.6 goes on
			t.Errorf("%s: %v", tt.title, err)
		}
		next := decoded(t, form(asApp+"grant_type=refresh_token&refresh_token="+got.RefreshToken).Do(s))
		if next.Scope != tt.scope || (next.IDToken != "") != (got.IDToken != "") {
			t.Errorf("%s, refreshed: got %+v", tt.title, next)
		}
	}
	for title, params := range map[string][]string{
		"no username": {"username", ""}, "no password": {"password", ""}, "another username_type": {"username_type", "custom"},
	} {
		if status, got, body := s.byPassword(t, params...); status != http.StatusBadRequest || got.Error != "invalid_request" {
			t.Errorf("%s: got %d %s", title, status, body)
		}
	}
	if status, got, _ := s.byPassword(t, "client_secret", "wrong"); status != http.StatusUnauthorized || got.Error != "invalid_client" {
		t.Errorf("a wrong secret: got %d %+v", status, got)
	}
}

// TestPasswordGrantTellsNothing: what may not be told apart is not, and what the contract tells of a right password is.
func TestPasswordGrantTellsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(passwordGrant))
	_, _, want := s.byPassword(t, "password", "wrong")
	for _, name := range []string{"stranger@example.com", "mary@example.com", "annie@example.com"} {
		if status, got, body := s.byPassword(t, "username", name); status != http.StatusBadRequest || got.Error != "invalid_grant" || body != want {
			t.Errorf("%s: got %d %s, want %s", name, status, body, want)
		}
	}
	for name, message := range map[string]string{"grace@example.com": "password_expired", "alan@example.com": "temporary_password"} {
		status, got, body := s.byPassword(t, "username", name)
		if status != http.StatusBadRequest || got.Error != "invalid_grant" || !strings.Contains(body, `"message":"`+message+`"`) {
			t.Errorf("%s: got %d %s", name, status, body)
		}
		if _, _, body := s.byPassword(t, "username", name, "password", "wrong"); body != want {
			t.Errorf("%s, wrong: got %s", name, body)
		}
	}
}

// TestPasswordGrantLocks: the counter is that of every other login, in both directions.
func TestPasswordGrantLocks(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(passwordGrant))
	backend := func(password string) auth.Code {
		_, err := s.AuthenticatePassword(t.Context(), s.App(), auth.BackendLogin{PasswordLogin: login("ada@example.com", password)})
		if err == nil {
			return -1
		}
		return auth.CodeOf(err)
	}
	for range 3 {
		s.byPassword(t, "password", "wrong")
	}
	for range 2 {
		if got := backend("wrong"); got != auth.CodeWrongPassword {
			t.Errorf("got %v", got)
		}
	}
	if status, got, _ := s.byPassword(t); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("a right password during a lock: got %d %+v", status, got)
	}
	if got := backend(authtest.Password); got != auth.CodeLocked {
		t.Errorf("elsewhere: got %v", got)
	}
	s.Clock.Advance(30 * time.Minute)
	if status, _, body := s.byPassword(t); status != http.StatusOK {
		t.Errorf("after it: got %d %s", status, body)
	}
}

// TestPasswordGrantOfAPublicClient: who cannot prove to be the client does not get to ask for passwords.
func TestPasswordGrantOfAPublicClient(t *testing.T) {
	t.Parallel()
	s := serve(t, authtest.Settings(passwordGrant), client(0, public))
	if status, got, _ := s.byPassword(t, "client_secret", ""); status != http.StatusBadRequest || got.Error != "unauthorized_client" {
		t.Errorf("got %d %+v", status, got)
	}
}

func login(email, password string) auth.PasswordLogin {
	return auth.PasswordLogin{Kind: auth.ByEmail, Identifier: email, Password: seal.NewSecret(password)}
}
