package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx/httpxtest"
)

const (
	authPath  = "/cis/oidc/auth"
	loginPage = "/cis/oidc/login"
	callback  = "https://app.example/cb"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	sentCode  = "123456"
)

// registered gives the clients redirect URIs and binds Ada's phone.
func registered(s *auth.Setup) {
	t := &s.Tenants[0]
	t.Clients[0].RedirectURIs = []string{callback, "https://app.example/query?a=1", "http://127.0.0.1/native"}
	t.Clients[1].RedirectURIs = []string{callback}
	t.Users[0].Authenticators = []auth.AuthenticatorSetup{{Kind: auth.AuthenticatorSMS}}
	s.Tenants[1].Clients[0].RedirectURIs = []string{callback}
}

func client(i int, change func(*auth.ClientSetup)) func(*auth.Setup) {
	return func(s *auth.Setup) { change(&s.Tenants[0].Clients[i]) }
}

// browser keeps cookies, and asks for pages.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookies map[string]string
	accepts string // languages
}

func (s *server) browser(t *testing.T) *browser {
	return &browser{t: t, handler: s, cookies: map[string]string{}}
}

func (b *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Accept-Language", b.accepts)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return rec
}

// ask sends an authorization request: the usual one with some parameters set otherwise, or left out when they are empty.
func (b *browser) ask(params ...string) *httptest.ResponseRecorder {
	return b.do("GET", authPath+"?"+asked(params...).Encode(), nil)
}

func asked(params ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"a state"}, "nonce": {"a nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(params); i += 2 {
		if q.Set(params[i], params[i+1]); params[i+1] == "" {
			q.Del(params[i])
		}
	}
	return q
}

var formValue = regexp.MustCompile(`name="form" value="([^"]+)"`)

// send fills the form of a page and sends it.
func (b *browser) send(page *httptest.ResponseRecorder, fields ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	m := formValue.FindStringSubmatch(page.Body.String())
	if m == nil {
		b.t.Fatalf("no form in %d %s %s", page.Code, page.Header().Get("Location"), page.Body)
	}
	form := url.Values{"form": {html.UnescapeString(m[1])}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", loginPage, form)
}

func (b *browser) logIn(page *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(page, "identifier", "ada@example.com", "password", authtest.Password)
}

// returned is what a redirect brings the client.
func returned(t *testing.T, r *httptest.ResponseRecorder) url.Values {
	t.Helper()
	to, query, ok := strings.Cut(r.Header().Get("Location"), "?")
	if r.Code != http.StatusSeeOther || !ok || to != callback {
		t.Fatalf("got %d to %q: %s", r.Code, r.Header().Get("Location"), r.Body)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if got := values.Get("iss"); got != authtest.Issuer { // RFC 9207, A-093
		t.Errorf("iss: got %q", got)
	}
	return values
}

// code is the code that a redirect brings.
func code(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	values := returned(t, r)
	if values.Get("code") == "" {
		t.Fatalf("got %v, want a code", values)
	}
	return values.Get("code")
}

func wantPage(t *testing.T, r *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	if r.Code != status || !strings.Contains(r.Body.String(), text) {
		t.Errorf("got %d %s %s, want %d with %q", r.Code, r.Header().Get("Location"), r.Body, status, text)
	}
}

func wantError(t *testing.T, r *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := returned(t, r).Get("error"); got != want {
		t.Errorf("error: got %q, want %q", got, want)
	}
}

// redemption is the token request for a code, with some parameters set otherwise.
func redemption(code string, params ...string) httpxtest.Call {
	q := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"app"}, "client_secret": {secret}, "code": {code}, "redirect_uri": {callback},
		"code_verifier": {verifier},
	}
	for i := 0; i < len(params); i += 2 {
		if q.Set(params[i], params[i+1]); params[i+1] == "" {
			q.Del(params[i])
		}
	}
	return form(q.Encode())
}

// tokens are what a code is exchanged for.
type tokens struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
}

func (s *server) redeem(t *testing.T, code string, params ...string) tokens {
	t.Helper()
	r := redemption(code, params...).Do(s)
	if err := httpxtest.Conforms(s.doc, "POST", "/oidc/token", r); err != nil {
		t.Error(err)
	}
	var out tokens
	if err := json.Unmarshal(r.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func (s *server) refreshes(t *testing.T, token string) bool {
	t.Helper()
	r := form(asApp + "grant_type=refresh_token&refresh_token=" + token).Do(s)
	return r.Code == http.StatusOK
}
