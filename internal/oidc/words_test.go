package oidc_test

import (
	"encoding/json"
	"html"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/internal/auth"
)

// wordFiles are the texts of each language.
func wordFiles(t *testing.T) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob("locale/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %v, %v", files, err)
	}
	all := map[string]map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".json")] = texts
	}
	return all
}

// TestEveryLanguageSaysTheSame: each has every text that is said, no other, and mentions what the others mention.
func TestEveryLanguageSaysTheSame(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, name := range []string{"login.html", "page.go", "logout.go", "words.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Say[ (]"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			said[m[1]] = true
		}
	}
	for _, scope := range auth.AuthorizationScopes() {
		said["scope_"+scope] = true
	}
	mention := regexp.MustCompile(`%\[\d\][a-z]`)
	all := wordFiles(t)
	for tag, texts := range all {
		for key := range said {
			if texts[key] == "" {
				t.Errorf("%s: %s is not there", tag, key)
			}
			got, want := mention.FindAllString(texts[key], -1), mention.FindAllString(all["en"][key], -1)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || strings.Count(texts[key], "%") != len(got) {
				t.Errorf("%s: %s mentions %q, want %q", tag, key, got, want)
			}
		}
		if len(texts) != len(said) {
			t.Errorf("%s: has %d texts, of which %d are said", tag, len(texts), len(said))
		}
	}
}

// TestPageSpeaks the first language that the client asks for and there is, then that of the browser, then English.
func TestPageSpeaks(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	all := wordFiles(t)
	for _, tt := range []struct{ asked, accepts, want string }{
		{"", "", "en"},
		{"", "de", "de"},
		{"", "de-CH, fr;q=0.9", "de"},
		{"", "en;q=0.1, fr;q=0.9, xx", "fr"},
		{"", "fr;q=0, de;q=0.2", "de"},
		{"", "*", "en"},
		{"", "fr;q=much, de;q=0.1", "de"},
		{"", strings.Repeat("xx,", 50) + "de", "en"},
		{"fr", "de", "fr"},
		{"xx FR-ca de", "", "fr"},
		{"xx", "de", "de"},
		{"../../en", "", "en"},
	} {
		b := s.browser(t)
		b.accepts = tt.accepts
		r := b.ask("ui_locales", tt.asked)
		body := r.Body.String()
		if !strings.Contains(body, `<html lang="`+tt.want+`">`) || !strings.Contains(body, "<h1>"+all[tt.want]["sign_in"]+"</h1>") ||
			strings.Contains(body, "%!") {
			t.Errorf("asked %q, browser %q: want %s, got %s", tt.asked, tt.accepts, tt.want, body)
		}
	}
}

// TestEveryPageSpeaks goes through the login page in each language, wrong login included; the form keeps what the client asked for.
func TestEveryPageSpeaks(t *testing.T) {
	t.Parallel()
	for tag, texts := range wordFiles(t) {
		s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.ThirdParty = true }))
		b := s.browser(t)
		page := b.ask("ui_locales", tag, "acr_values", "mfa", "prompt", "consent", "scope", "openid offline_access")
		said := func(step string, r *httptest.ResponseRecorder, key string) {
			t.Helper()
			body := html.UnescapeString(r.Body.String())
			for _, text := range strings.Split(texts[key], "%[1]s") {
				if !strings.Contains(body, text) || strings.Contains(body, "%!") || strings.Contains(body, "%[") {
					t.Errorf("%s: %s says %s", tag, step, body)
				}
			}
		}
		said("the login", page, "identifier")
		wrong := b.send(page, "identifier", "ada", "password", "wrong")
		said("a wrong login", wrong, "wrong_login")
		said("a wrong login", wrong, "error")
		code := b.logIn(wrong)
		said("a code", code, "code_sent")
		said("a code", code, "code_again")
		consent := b.send(code, "code", sentCode)
		said("consent", consent, "consent_wants")
		said("consent", consent, "scope_offline_access")
		said("consent", consent, "third_party_trust")
		out := b.do("GET", "/cis/oidc/session/end?ui_locales="+tag, nil)
		said("a logout", out, "logout_all")
		b.accepts = tag
		said("a failure", b.do("GET", "/cis/oidc/auth?client_id=stranger", nil), "begin_again")
	}
}
