package oidc_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func jsonOf(r *httptest.ResponseRecorder, v any) error { return json.Unmarshal(r.Body.Bytes(), v) }

// TestLoginTellsNothing: an account that does not exist, one without a password and a suspended one are a wrong password, to the byte,
// and lock like one.
func TestLoginTellsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	texts := map[string]string{}
	for _, name := range []string{"ada@example.com", "stranger@example.com", "mary@example.com", "annie@example.com"} {
		b := s.browser(t)
		page := b.ask()
		for try := range 6 {
			page = b.send(page, "identifier", name, "password", "wrong")
			want := http.StatusForbidden
			if try == 5 {
				want = http.StatusTooManyRequests
			}
			if page.Code != want || page.Header().Get("Location") != "" {
				t.Errorf("%s, try %d: got %d", name, try, page.Code)
			}
			text := formValue.ReplaceAllString(page.Body.String(), "FORM")
			text = strings.ReplaceAll(text, html.EscapeString(name), "NAME") + fmt.Sprint(page.Header()["Retry-After"])
			key := fmt.Sprint("try ", try)
			if texts[key] == "" {
				texts[key] = text
			} else if texts[key] != text {
				t.Errorf("%s, try %d: got\n%s, want\n%s", name, try, text, texts[key])
			}
		}
	}
	// A lock holds a right password off, too, and ends.
	b := s.browser(t)
	page := b.logIn(b.ask())
	wantPage(t, page, http.StatusTooManyRequests, "30 minutes")
	s.Clock.Advance(30 * time.Minute)
	code(t, b.logIn(b.ask()))
}

// TestFormsAreBound: a form is good in the browser that it was made for, unchanged and for half an hour (A-138, B-49).
func TestFormsAreBound(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	mine, other := s.browser(t), s.browser(t)
	page := mine.ask()
	other.ask()
	wantPage(t, other.logIn(page), 400, `role="alert"`)                               // another's cookie
	wantPage(t, s.browser(t).logIn(page), 400, `role="alert"`)                        // none
	wantPage(t, mine.do("POST", loginPage, url.Values{}), 400, `role="alert"`)        // no form
	wantPage(t, mine.do("POST", loginPage, url.Values{"form": {"x"}}), 400, `alert"`) // made up
	text := formValue.FindStringSubmatch(page.Body.String())[1]
	for _, i := range []int{0, 50, len(text) - 1} {
		flipped := []byte(text)
		if flipped[i]++; flipped[i] == 'z'+1 || flipped[i] == 'Z'+1 || flipped[i] == '9'+1 {
			flipped[i] = 'A'
		}
		form := url.Values{"form": {string(flipped)}, "identifier": {"ada"}, "password": {authtest.Password}}
		wantPage(t, mine.do("POST", loginPage, form), 400, `role="alert"`)
	}
	s.Clock.Advance(30*time.Minute - time.Second)
	code(t, mine.logIn(page))
	s.Clock.Advance(time.Second)
	wantPage(t, mine.logIn(page), 400, `role="alert"`)
}

func TestCancelledLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	wantError(t, b.send(b.ask(), "cancel", "yes"), "access_denied")
	consent := b.logIn(b.ask("prompt", "login consent"))
	wantPage(t, consent, 200, "know who you are")
	wantError(t, b.send(consent, "cancel", "yes"), "access_denied")
	// A page whose session has gone begins again, and allows nothing.
	delete(b.cookies, "__Host-countersign-session-demo")
	wantPage(t, b.send(consent), http.StatusForbidden, "Sign in again")
}

// TestDuePasswords: a password that has to be replaced opens nothing.
func TestDuePasswords(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, name := range []string{"grace", "alan"} {
		b := s.browser(t)
		wantPage(t, b.send(b.ask(), "identifier", name, "password", authtest.Password), http.StatusForbidden, "has to be replaced")
		wantError(t, b.ask("prompt", "none"), "login_required")
	}
}

// TestSecondFactor asks for a code by SMS where it is demanded, and says what was proved (A-102, RFC 9470 §5).
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	for title, params := range map[string][]string{
		"acr_values":  {"acr_values", "mfa"},
		"in order":    {"acr_values", "other mfa pwd"},
		"acr claim":   {"claims", `{"id_token":{"acr":{"essential":true,"value":"mfa"}}}`},
		"acr claims":  {"claims", `{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`},
		"a new login": {"acr_values", "mfa", "prompt", "login"},
	} {
		s := serve(t, registered)
		b := s.browser(t)
		page := b.logIn(b.ask(params...))
		wantPage(t, page, 200, `autocomplete="one-time-code"`)
		wrong := b.send(page, "code", "000000")
		wantPage(t, wrong, http.StatusForbidden, "not right")
		wantPage(t, b.send(wrong), http.StatusTooManyRequests, "ask for another one")
		id := payload(t, s.redeem(t, code(t, b.send(wrong, "code", sentCode))).IDToken)
		if got := fmt.Sprintf("%v %v", id["acr"], id["amr"]); got != "mfa [pwd sms mfa]" {
			t.Errorf("%s: got %s", title, got)
		}
		code(t, b.ask("acr_values", "mfa", "prompt", "none"))
		wantPage(t, b.logIn(b.ask("acr_values", "mfa", "prompt", "login")), 200, "one-time-code") // and not the code of before
	}
}

func TestSecondFactorOfASession(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	code(t, b.logIn(b.ask()))
	wantError(t, b.ask("acr_values", "mfa", "prompt", "none"), "login_required")
	page := b.ask("acr_values", "mfa")
	wantPage(t, page, 200, "Send me a code")
	wantPage(t, b.send(page, "code", sentCode), http.StatusForbidden, "Ask for another one") // none was sent
	page = b.send(page)
	wantPage(t, page, 200, "one-time-code")
	code(t, b.send(page, "code", sentCode))
}

func TestSecondFactorOfAClient(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.SecondFactor = true }))
	b := s.browser(t)
	wantPage(t, b.logIn(b.ask("acr_values", "pwd")), 200, "one-time-code")
	wantError(t, b.send(b.ask("prompt", "login"), "identifier", "charles", "password", authtest.Password), "unmet_authentication_requirements")
}

func TestUnmetFactors(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	charles := func(params ...string) *httptest.ResponseRecorder {
		return b.send(b.ask(append(params, "prompt", "login")...), "identifier", "charles", "password", authtest.Password)
	}
	wantError(t, charles("acr_values", "mfa"), "unmet_authentication_requirements")
	wantError(t, charles("acr_values", "other"), "unmet_authentication_requirements")
	if got := payload(t, s.redeem(t, code(t, charles("acr_values", "mfa pwd"))).IDToken)["acr"]; got != "pwd" {
		t.Errorf("second best: got %v", got)
	}
}

// TestLoginThatDoesNotDo: the client gets no code from a login that is not all it wants, but the user is logged in, and the browser has the
// session that was opened in the place of the one before.
func TestLoginThatDoesNotDo(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	page := b.ask("acr_values", "mfa", "prompt", "login")
	wantError(t, b.send(page, "identifier", "charles", "password", authtest.Password), "unmet_authentication_requirements")
	code(t, b.ask("prompt", "none"))
}

// TestMethodsThatAreOff: an application without passwords says so on the login page, and one without codes by SMS has no second factor.
func TestMethodsThatAreOff(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	off := func(m auth.Methods) {
		t.Helper()
		_, err := s.ChangeAppMethods(t.Context(), s.Admin(), s.Client(s.App()).AppID, func(now *auth.Methods) error { *now = m; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	off(auth.Methods{SMS: &auth.CodeMethod{Off: true}})
	wantError(t, b.logIn(b.ask("acr_values", "mfa", "prompt", "login")), "unmet_authentication_requirements")
	code(t, b.logIn(b.ask("prompt", "login")))
	off(auth.Methods{Password: &auth.PasswordMethod{Off: true}})
	wantPage(t, b.logIn(b.ask("prompt", "login")), http.StatusForbidden, "You cannot sign in here with a password.")
	off(auth.Methods{})
	wantPage(t, b.logIn(b.ask("acr_values", "mfa", "prompt", "login")), 200, "one-time-code")
}

// TestWrongCodesLock: wrong codes count for the user, over all of their sessions (A-053, B-16).
func TestWrongCodesLock(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	last := 0
	for range 3 {
		b := s.browser(t)
		page := b.logIn(b.ask("acr_values", "mfa"))
		for range 2 {
			page = b.send(page, "code", "000000")
			last = page.Code
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after six wrong codes: got %d", last)
	}
	b := s.browser(t)
	page := b.logIn(b.ask("acr_values", "mfa"))
	wantPage(t, page, http.StatusTooManyRequests, "too many wrong tries")
}
