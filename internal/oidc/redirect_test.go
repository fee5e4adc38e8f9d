package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/httpx/httpxtest"
)

// redirectCorpus are redirect URIs that look like the registered ones, which are those of `registered`, and are not (B-41).
func redirectCorpus() map[string]string {
	return map[string]string{
		"none":                       "",
		"without the path":           "https://app.example",
		"with the root alone":        "https://app.example/",
		"a slash more":               "https://app.example/cb/",
		"a path below":               "https://app.example/cb/x",
		"a longer path":              "https://app.example/cbx",
		"another path":               "https://app.example/other",
		"a query more":               "https://app.example/cb?x=1",
		"an empty query":             "https://app.example/cb?",
		"parameters of ours":         "https://app.example/cb?code=x&iss=y",
		"a semicolon":                "https://app.example/cb;x=1",
		"a fragment":                 "https://app.example/cb#x",
		"an empty fragment":          "https://app.example/cb#",
		"an encoded fragment":        "https://app.example/cb%23x",
		"a domain behind":            "https://app.example.evil.example/cb",
		"another domain":             "https://evil.example/cb",
		"a domain in front":          "https://evilapp.example/cb",
		"a host below":               "https://x.app.example/cb",
		"a host above":               "https://example/cb",
		"a dot that is any":          "https://appxexample/cb",
		"a dot at the end":           "https://app.example./cb",
		"ours as the user":           "https://app.example@evil.example/cb",
		"ours as user and password":  "https://app.example:x@evil.example/cb",
		"ours as an encoded user":    "https://app.example%40evil.example/cb",
		"a user":                     "https://user@app.example/cb",
		"a user and password":        "https://user:x@app.example/cb",
		"ours in the path":           "https://evil.example/https://app.example/cb",
		"ours in the query":          "https://evil.example/?https://app.example/cb",
		"ours in the fragment":       "https://evil.example/#https://app.example/cb",
		"the port of the scheme":     "https://app.example:443/cb",
		"another port":               "https://app.example:8443/cb",
		"an empty port":              "https://app.example:/cb",
		"the host in capitals":       "https://APP.example/cb",
		"the scheme in capitals":     "HTTPS://app.example/cb",
		"the path in capitals":       "https://app.example/CB",
		"without TLS":                "http://app.example/cb",
		"another scheme":             "ftp://app.example/cb",
		"without a scheme":           "//app.example/cb",
		"a path alone":               "/cb",
		"a host alone":               "app.example/cb",
		"a scheme alone":             "https:cb",
		"three slashes":              "https:///app.example/cb",
		"one slash":                  "https:/app.example/cb",
		"two slashes in the path":    "https://app.example//cb",
		"a dot segment":              "https://app.example/./cb",
		"up and down":                "https://app.example/x/../cb",
		"up and down with a dot":     "https://app.example/x/..;/cb",
		"up, encoded":                "https://app.example/x/%2e%2e/cb",
		"up, encoded twice":          "https://app.example/%252e%252e/cb",
		"a letter, encoded":          "https://app.example/%63b",
		"a slash, encoded":           "https://app.example%2fcb",
		"a slash, encoded in cb":     "https://app.example/cb%2f",
		"a backslash for a slash":    "https:\\\\app.example/cb",
		"a backslash and a host":     "https://app.example\\@evil.example/cb",
		"a backslash in the host":    "https://evil.example\\.app.example/cb",
		"a backslash, encoded":       "https://app.example%5c@evil.example/cb",
		"a tab behind":               "https://app.example/cb\t",
		"a tab in the scheme":        "ht\ttps://app.example/cb",
		"a space in front":           " https://app.example/cb",
		"a space behind":             "https://app.example/cb ",
		"a line":                     "https://app.example/cb\r\nSet-Cookie: x=y",
		"a line, encoded":            "https://app.example/cb%0d%0aSet-Cookie:%20x=y",
		"NUL, encoded":               "https://app.example%00.evil.example/cb",
		"a Cyrillic letter":          "https://аpp.example/cb",
		"the same as an A-label":     "https://xn--pp-6kc.example/cb",
		"wide letters":               "https://ａｐｐ.example/cb",
		"a wide dot":                 "https://app。example/cb",
		"a wide slash":               "https://app.example／cb",
		"a soft hyphen":              "https://app\u00ad.example/cb",
		"a long s":                   "httpſ://app.example/cb",
		"a pattern":                  "https://*.example/cb",
		"two":                        "https://app.example/cb https://evil.example/",
		"two with a comma":           "https://app.example/cb,https://evil.example/",
		"a script":                   "javascript:alert(1)",
		"a script with a comment":    "javascript://app.example/cb%0aalert(1)",
		"data":                       "data:text/html,x",
		"out of band":                "urn:ietf:wg:oauth:2.0:oob",
		"a registered one's path":    "https://app.example/query",
		"another query":              "https://app.example/query?a=2",
		"a query in another order":   "https://app.example/query?b=2&a=1",
		"a query more than the own":  "https://app.example/query?a=1&b=2",
		"a port of loopback":         "http://127.0.0.1:8080/native",
		"loopback by name":           "http://localhost/native",
		"loopback by another number": "http://127.0.0.2/native",
		"loopback, short":            "http://127.1/native",
		"loopback as a number":       "http://2130706433/native",
		"loopback in octal":          "http://0177.0.0.1/native",
		"loopback of IPv6":           "http://[::1]/native",
		"loopback mapped to IPv6":    "http://[::ffff:127.0.0.1]/native",
		"any address":                "http://0.0.0.0/native",
		"loopback as the user":       "http://127.0.0.1@evil.example/native",
	}
}

// TestRedirectCorpus: what is not the registered text goes nowhere, wherever it comes from: a browser's query or form, a pushed request, or
// the redemption of a code (B-41, A-089, A-094). The client is no native one.
func TestRedirectCorpus(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	good := code(t, b.logIn(b.ask()))
	for title, uri := range redirectCorpus() {
		query := asked("prompt", "none", "redirect_uri", uri)
		r := b.do("GET", authPath+"?"+query.Encode(), nil)
		wantPage(t, r, http.StatusBadRequest, `role="alert"`)
		if to := r.Header().Get("Location"); to != "" {
			t.Errorf("%s: sent to %q", title, to)
		}
		if text := r.Body.String(); uri != "" && strings.Contains(text, uri) {
			t.Errorf("%s: the page shows %q", title, uri)
		}
		if policy := r.Header().Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self'") {
			t.Errorf("%s: policy: got %q", title, policy)
		}
		if posted := b.do("POST", authPath, query); posted.Code == http.StatusSeeOther {
			wantPage(t, b.do("GET", posted.Header().Get("Location"), nil), http.StatusBadRequest, `role="alert"`)
		} else if posted.Code != http.StatusBadRequest {
			t.Errorf("%s: posted: got %d", title, posted.Code)
		}
		if r := s.push(t, "redirect_uri", uri); r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), `"error":"invalid_request"`) {
			t.Errorf("%s: pushed: got %d %s", title, r.Code, r.Body)
		}
		want := "invalid_grant"
		if uri == "" {
			want = "invalid_request"
		}
		if got := s.redeem(t, good, "redirect_uri", uri); got.Error != want {
			t.Errorf("%s: redeemed: got %+v, want %s", title, got, want)
		}
	}
	if got := s.redeem(t, good); got.IDToken == "" {
		t.Errorf("the registered text itself: got %+v", got)
	}
}

// TestParametersTwice: of two values neither counts, in any order and place (RFC 6749 §3.1, §3.2; B-41).
func TestParametersTwice(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, name := range []string{"redirect_uri", "client_id", "response_type", "scope", "state", "code_challenge", "prompt", "request_uri"} {
		usual := asked("prompt", "none").Encode()
		second := name + "=" + url.QueryEscape("https://evil.example/")
		for _, query := range []string{usual + "&" + second, second + "&" + usual, usual + "&" + second + "&" + second} {
			if name == "request_uri" && strings.Count(query, second) == 1 {
				query += "&" + second
			}
			r := s.browser(t).do("GET", authPath+"?"+query, nil)
			wantPage(t, r, http.StatusBadRequest, `role="alert"`)
			if to := r.Header().Get("Location"); to != "" {
				t.Errorf("%s twice: sent to %q", name, to)
			}
			c := form(query + "&client_secret=" + url.QueryEscape(secret))
			c.Path = pushPath
			if r := c.Do(s); r.Code != http.StatusBadRequest {
				t.Errorf("%s twice, pushed: got %d %s", name, r.Code, r.Body)
			}
		}
	}
}

// TestStateComesBackWhole: whatever it is, it stays one parameter of the redirect, and no header or other parameter grows out of it.
func TestStateComesBackWhole(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	for _, state := range []string{"a b&code=x", "x#y", "\r\nSet-Cookie: x=y", "ünïcode 状态", "%41", "\"><script>", "a;b", "a+b", "a=b&iss=https://evil.example"} {
		r := s.browser(t).ask("prompt", "none", "state", state)
		got := returned(t, r)
		if got.Get("state") != state || len(got["state"]) != 1 || len(got["iss"]) != 1 || got.Has("code") {
			t.Errorf("%q: got %v", state, got)
		}
		if len(r.Result().Header["Location"]) != 1 || strings.ContainsAny(r.Header().Get("Location"), "\r\n \"<>") {
			t.Errorf("%q: Location %q", state, r.Header()["Location"])
		}
	}
}

// TestAnswersAreNobodyElses: nothing of the flow is kept by a cache, framed by another site or told to one (RFC 9700 §4.2.4, §4.16; A-138).
func TestAnswersAreNobodyElses(t *testing.T) {
	t.Parallel()
	s := serve(t, registered)
	b := s.browser(t)
	page := b.ask()
	wrong := b.send(page, "identifier", "ada", "password", "wrong")
	again := b.ask()
	done := b.logIn(again)
	text := code(t, done)
	nowhere := b.ask("redirect_uri", "https://evil.example/")
	for title, r := range map[string]http.Header{
		"the page": page.Header(), "a wrong password": wrong.Header(), "a code": done.Header(), "an error": b.ask("scope", "email").Header(),
		"nowhere": nowhere.Header(), "a posted request": b.do("POST", authPath, asked()).Header(), "a forged form": b.do("POST", loginPage, url.Values{}).Header(),
	} {
		if got := r.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control: got %q", title, got)
		}
		if got := r.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy: got %q", title, got)
		}
		if policy := r.Get("Content-Security-Policy"); strings.Contains(r.Get("Content-Type"), "html") && !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy: got %q", title, policy)
		}
		for name := range r {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s is for other origins", title, name)
			}
		}
	}
	for title, c := range map[string]httpxtest.Call{"tokens": redemption(text), "a refusal": redemption(text, "client_secret", "wrong")} {
		r := c.Do(s)
		if got := r.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control: got %q", title, got)
		}
		if got := r.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: for origin %q", title, got)
		}
	}
}

// TestFormActionOfAddresses: a policy cannot name an IPv6 address (CSP 3 §2.3.1, host-char), and a browser that is given one does not follow
// the redirect after the form.
func TestFormActionOfAddresses(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		callback:                       "https://app.example",
		"http://127.0.0.1:5000/native": "http://127.0.0.1:5000",
		"http://[::1]:5000/native":     "http:",
		"com.example.app:/cb":          "com.example.app:",
	} {
		s := serve(t, registered, client(0, func(c *auth.ClientSetup) { c.RedirectURIs = []string{uri} }))
		policy := s.browser(t).ask("redirect_uri", uri).Header().Get("Content-Security-Policy")
		if _, got, _ := strings.Cut(policy, "form-action 'self' "); got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}
