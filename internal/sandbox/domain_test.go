package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/httpx/httpxtest"
	"countersign/internal/sandbox"
	"countersign/internal/seal"
)

// server is the sandbox over a domain whose users Ada and Charles have a simulated device each.
type server struct {
	http.Handler
	*authtest.Env
	service *auth.Service
}

func start(t *testing.T) *server {
	t.Helper()
	change := func(s *auth.Setup) {
		s.Tenants[0].ProgrammeKeys = []string{"test key of the programme"}
		s.Tenants[1].ProgrammeKeys = []string{"test key of the rival's"}
		for i := range 2 {
			s.Tenants[0].Users[i].Authenticators = []auth.AuthenticatorSetup{
				{Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true}, {Kind: auth.AuthenticatorSMS, Channel: auth.ChannelSMS},
			}
		}
	}
	e := authtest.Empty(t)
	setup := authtest.Setup()
	change(&setup)
	s := &server{Env: e, service: e.Another(t, func(c *auth.Config) { c.Sandbox = true })}
	if _, err := s.service.Apply(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	s.Handler = serve(t, sandbox.Config{Auth: s.service})
	return s
}

func (s *server) login(t *testing.T, name string) string {
	t.Helper()
	login, err := s.service.LoginPassword(t.Context(), s.Key(), auth.PasswordLogin{
		Kind: auth.ByEmail, Identifier: name + "@example.com", Password: seal.NewSecret(authtest.Password),
	})
	if err != nil {
		t.Fatal(err)
	}
	return login.Token
}

// push logs Ada in and asks her device to step up.
func (s *server) push(t *testing.T) (token string, id auth.ChallengeID) {
	t.Helper()
	token = s.login(t, "ada")
	idAsked, err := s.service.StepUpDevice(t.Context(), s.Key(), token, auth.ChannelBiometric)
	if err != nil {
		t.Fatal(err)
	}
	return token, idAsked.ID
}

func (s *server) steppedUp(t *testing.T, token string) bool {
	t.Helper()
	b, err := s.service.Authenticate(t.Context(), s.Key(), token, auth.TokenAccess)
	if err != nil {
		t.Fatal(err)
	}
	return !b.Token.SteppedUpAt.IsZero()
}

func get(path string) httpxtest.Call { return httpxtest.Call{Method: "GET", Path: path} }

func browse(path string) httpxtest.Call {
	return httpxtest.Call{Method: "GET", Path: path, Header: map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}}
}

func pageOf(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	if r.Code != http.StatusOK || r.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %v %s", r.Code, r.Header(), r.Body)
	}
	return r.Body.String()
}

type message struct {
	To, Channel, Kind, Subject, Text, Code, Link, Challenge, Tenant string
	At                                                              time.Time
}

func TestInbox(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.service.StepUp(t.Context(), s.Key(), s.login(t, "ada"), auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Second)
	_, id := s.push(t)
	all := decoded[[]message](t, get("/sandbox/inbox").Do(s), 200)
	if len(all) != 2 || all[0].Channel != "PUSH" || all[1].Channel != "SMS" {
		t.Fatalf("got %+v, want a push, and before it an SMS", all)
	}
	if got := all[0]; got.To != string(authtest.Ada) || got.Challenge != string(id) || got.Code != "" || !got.At.Equal(s.Clock.Now()) {
		t.Errorf("push: got %+v", got)
	}
	if all[1].Challenge == "" {
		t.Error("the SMS: no challenge is named")
	}
	want := message{
		To: "+35699111111", Channel: "SMS", Kind: "step_up", Subject: "about step_up", Text: "your code is 123456", Code: "123456", Tenant: "demo",
		At: authtest.Start(), Challenge: all[1].Challenge,
	}
	if got := all[1]; got != want {
		t.Errorf("SMS: got %+v, want %+v", got, want)
	}
	if got := decoded[[]message](t, get("/sandbox/inbox?to=%2B35699111111").Do(s), 200); len(got) != 1 || got[0] != want {
		t.Errorf("to one number: got %+v", got)
	}
	if got := decoded[[]message](t, get("/sandbox/inbox?to=nobody").Do(s), 200); got == nil || len(got) != 0 {
		t.Errorf("to nobody: got %+v, want an empty list", got)
	}
	page := pageOf(t, browse("/sandbox/inbox?refresh=on").Do(s))
	for _, part := range []string{"SMS to &#43;35699111111", "your code is 123456", "<code>123456</code>", `<label for="to">`, `content="5; url=/sandbox/inbox?refresh=on"`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s:\n%s", part, page)
		}
	}
	if page := pageOf(t, browse("/sandbox/inbox?to=%3Cscript%3E").Do(s)); strings.Contains(page, "<script") || strings.Contains(page, "http-equiv") {
		t.Errorf("a page that stands still, to an odd address:\n%s", page)
	}
}

// TestPagesNeedNothingElse: no script, nothing from elsewhere, and the policy says so; its hash is that of the style.
func TestPagesNeedNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.push(t)
	for _, path := range []string{"/sandbox/inbox", "/sandbox/phone"} {
		r := browse(path).Do(s)
		page := pageOf(t, r)
		_, rest, _ := strings.Cut(page, "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		policy := r.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || !strings.Contains(policy, "style-src '"+hashSource(style)+"'") ||
			!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got policy %s", path, policy)
		}
		for _, part := range []string{"<script", " style=", " onclick", "http://", "https://", "<img", "<link"} {
			if strings.Contains(page, part) {
				t.Errorf("%s: the page has %s", path, part)
			}
		}
		for _, part := range []string{`<html lang="en">`, "<title>", "<main>", "<h1>", "<nav aria-label="} {
			if !strings.Contains(page, part) {
				t.Errorf("%s: the page lacks %s", path, part)
			}
		}
	}
}

type waiting struct {
	Tenant, Challenge, User, Name, Email, Purpose, Channel string
	Approve                                                []string
	ExpiresAt                                              time.Time
}

func TestPhone(t *testing.T) {
	t.Parallel()
	s := start(t)
	if got := decoded[[]waiting](t, get("/sandbox/phone").Do(s), 200); got == nil || len(got) != 0 {
		t.Errorf("at first: got %+v, want an empty list", got)
	}
	if page := pageOf(t, browse("/sandbox/phone?late=true").Do(s)); !strings.Contains(page, "Nothing is waiting") || !strings.Contains(page, `role="status"`) {
		t.Errorf("at first:\n%s", page)
	}
	_, id := s.push(t)
	list := decoded[[]waiting](t, get("/sandbox/phone").Do(s), 200)
	if len(list) != 1 {
		t.Fatalf("got %+v, want one", list)
	}
	if p := list[0]; p.Tenant != "demo" || p.Challenge != string(id) || p.User != "1001" || p.Name != "ada Lovelace" || p.Email != "ada@example.com" ||
		p.Purpose != "step_up" || p.Channel != "BIOMETRIC" || p.Approve == nil || !p.ExpiresAt.After(s.Clock.Now()) {
		t.Errorf("got %+v", p)
	}
	page := pageOf(t, browse("/sandbox/phone").Do(s))
	for _, part := range []string{
		"ada Lovelace", `action="/sandbox/phone/demo/` + string(id) + `"`, `value="approve"`, `value="deny"`, `value="fail"`,
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s:\n%s", part, page)
		}
	}
}

// TestButtons: each button of the phone, pressed by a program and on the page.
func TestButtons(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"approve", "deny", "fail", "expire"} {
		for _, form := range []bool{false, true} {
			s := start(t)
			token, id := s.push(t)
			press := post("/sandbox/phone/demo/"+string(id), `{"decision":"`+decision+`"}`)
			if form {
				press.Body = "decision=" + decision
				press.Path += "?refresh=on"
				press.Header = map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
			}
			first, again := press.Do(s), press.Do(s)
			if form {
				if first.Code != 303 || first.Header().Get("Location") != "/sandbox/phone?refresh=on" ||
					again.Header().Get("Location") != "/sandbox/phone?late=true&refresh=on" {
					t.Errorf("%s on the page: got %d %v, then %v", decision, first.Code, first.Header(), again.Header())
				}
			} else if first.Code != 204 || again.Code != 404 {
				t.Errorf("%s: got %d %s, then %d, want 204, then 404", decision, first.Code, first.Body, again.Code)
			}
			if got := s.steppedUp(t, token); got != (decision == "approve") {
				t.Errorf("%s: stepped up %t", decision, got)
			}
			if left := decoded[[]waiting](t, get("/sandbox/phone").Do(s), 200); len(left) != 0 {
				t.Errorf("%s: got %+v left", decision, left)
			}
		}
	}
}

// TestIgnoredRequests run out by the clock.
func TestIgnoredRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, id := s.push(t)
	s.Clock.Advance(time.Hour)
	if left := decoded[[]waiting](t, get("/sandbox/phone").Do(s), 200); len(left) != 0 {
		t.Errorf("got %+v", left)
	}
	if r := post("/sandbox/phone/demo/"+string(id), `{"decision":"approve"}`).Do(s); r.Code != 404 {
		t.Errorf("late: got %d", r.Code)
	}
}

func (s *server) simulate(key, token, path string) *httptest.ResponseRecorder {
	c := post("/simulate/api/"+path, "")
	c.Header = map[string]string{"programme-key": key}
	if token != "" {
		c.Header["Authorization"] = "Bearer " + token
	}
	return c.Do(s)
}

const programme = "test key of the programme"

func TestSimulatedFactors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verb      string
		withToken bool
		stepped   bool
	}{
		{"verify_success", true, true}, {"verify_success", false, true}, {"verify_invalid", true, false}, {"verify_expired", false, false},
	} {
		s := start(t)
		token, id := s.push(t)
		path, bearer := "factors/1001/challenges/"+string(id)+"/"+tt.verb, ""
		if tt.withToken {
			bearer = token
		}
		if got := decoded[struct{ Code string }](t, s.simulate(programme, bearer, path), 200); got.Code != "COMPLETED" {
			t.Errorf("%s: got %+v", tt.verb, got)
		}
		if got := decoded[struct{ Code string }](t, s.simulate(programme, bearer, path), 200); got.Code != "DENIED" {
			t.Errorf("%s again: got %+v", tt.verb, got)
		}
		if got := s.steppedUp(t, token); got != tt.stepped {
			t.Errorf("%s: stepped up %t", tt.verb, got)
		}
	}
}

func TestRefusalsOfTheSimulator(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, id := s.push(t)
	other := s.login(t, "charles")
	mine := "factors/1001/challenges/" + string(id) + "/verify_success"
	for _, tt := range []struct {
		name, key, token, path string
		status                 int
	}{
		{"no key", "", token, mine, 401},
		{"unknown key", "nonsense", token, mine, 401},
		{"an API key", "test key of demo", token, mine, 401},
		{"another tenant's key", "test key of the rival's", "", mine, 404},
		{"another tenant's key, with the token", "test key of the rival's", token, mine, 401},
		{"another user's token", programme, other, mine, 401},
		{"a made-up token", programme, "nonsense", mine, 401},
		{"another user", programme, "", "factors/1002/challenges/" + string(id) + "/verify_success", 404},
		{"unknown challenge", programme, token, "factors/1001/challenges/12/verify_success", 404},
		{"unknown consumer", programme, "", "consumers/77/verify", 404},
		{"a consumer as a corporate", programme, "", "corporates/1001/verify", 404},
		{"no such path", programme, "", "consumers/1001/approve", 404},
	} {
		r := s.simulate(tt.key, tt.token, tt.path)
		if got := decoded[struct{ Message string }](t, r, tt.status); got.Message == "" || len(got.Message) > 255 {
			t.Errorf("%s: got %s", tt.name, r.Body)
		}
	}
	malformed := decoded[struct {
		Message    string
		Validation struct {
			Invalid bool
			Fields  []struct {
				Name   string
				Errors []struct{ Type string }
			}
		}
	}](t, s.simulate(programme, "", "factors/ada/challenges/x/verify_success"), 400)
	if v := malformed.Validation; !v.Invalid || len(v.Fields) != 2 || v.Fields[0].Name != "credentials_id" || v.Fields[0].Errors[0].Type != "REGEX" {
		t.Errorf("malformed ids: got %+v", malformed)
	}
	if !s.steppedUp(t, token) && s.simulate(programme, token, mine).Code != 200 {
		t.Error("the refusals used up the challenge")
	}
}

func TestSimulatedVerification(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"consumers/1001/verify", "consumers/1001/verify", "corporates/2001/verify"} {
		if r := s.simulate(programme, "", path); r.Code != 204 || r.Body.Len() > 0 {
			t.Errorf("%s: got %d %s", path, r.Code, r.Body)
		}
	}
	account, err := s.service.User(t.Context(), s.Admin(), authtest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	if u := account.User; u.PhoneVerifiedAt.IsZero() || u.EmailVerifiedAt.IsZero() {
		t.Errorf("got %+v, want both addresses verified", u)
	}
}

// TestReset brings back the store, the limits, the faults and the clock.
func TestReset(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, _ := s.push(t)
	post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","status":500}`).Do(s)
	post("/sandbox/clock", `{"advance":"1000h"}`).Do(s)
	got := decoded[struct{ Now time.Time }](t, post("/sandbox/reset", "").Do(s), 200)
	if ahead := time.Until(got.Now); ahead > time.Minute || ahead < -time.Minute {
		t.Errorf("the clock is %s ahead of the machine's", ahead)
	}
	if _, err := s.service.AccessToken(t.Context(), s.Key(), token, auth.IdentityRef{}); auth.CodeOf(err) != auth.CodeInvalidToken {
		t.Errorf("a token from before: got %v", err)
	}
	for _, path := range []string{"/sandbox/faults", "/sandbox/phone", "/sandbox/inbox"} {
		if left := decoded[[]any](t, get(path).Do(s), 200); len(left) != 0 {
			t.Errorf("%s: got %v left", path, left)
		}
	}
	s.push(t)
}

// leaving is a store whose database does not answer any more, once it has left.
type leaving struct {
	auth.Store
	left bool
}

func (l *leaving) View(ctx context.Context, fn func(auth.Reads) error) error {
	if l.left {
		return fmt.Errorf("view: %w", auth.ErrUnavailable)
	}
	return l.Store.View(ctx, fn)
}

// TestNoDatabase is C-18: whoever asks is told that it is no fault of theirs, and when to ask again.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	s := start(t)
	db := &leaving{Store: s.Store}
	h := serve(t, sandbox.Config{Auth: s.Another(t, func(c *auth.Config) { c.Sandbox, c.Store = true, db })})
	db.left = true
	got := get("/sandbox/inbox").Do(h)
	after, err := strconv.Atoi(got.Header().Get("Retry-After")) // from one to five seconds: not all are to come at once (C-21)
	if got.Code != http.StatusServiceUnavailable || err != nil || after < 1 || after > 5 || !strings.Contains(got.Body.String(), "the database does not answer") {
		t.Errorf("got %d, %v, %s", got.Code, got.Header(), got.Body)
	}
}
