package oidc

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

//go:embed login.html
var loginText string

//go:embed login.css
var loginStyle string

// pages are what a user sees. They work without JavaScript and take nothing from another origin.
type pages struct {
	template *template.Template
	words    map[string]words // by language
}

func newPages() pages {
	return pages{template.Must(template.New("").Parse(loginText)), readWords()}
}

// view is what the template is filled with.
type view struct {
	words
	theme      auth.Theme
	Style      template.CSS
	Logo       template.URL
	Title      string
	Error      string
	Action     string
	Step       auth.AuthorizationStep // or one of a logout
	Tenant     string                 // its name
	App        string
	Form       string
	Identifier string
	Sent       bool
	Scopes     []string // in words
	ThirdParty bool
	Offline    string // how long the client goes on without the user; empty: it does not
}

// step shows the page of a step: once more when what was typed did not hold.
func (p pages) step(w *httpx.Response, r *http.Request, out auth.Authorization, typed string) error {
	say := p.speak(out.Locales, r)
	v := view{
		words: say, theme: out.Theme, Step: out.Step, App: out.App, Form: out.Form, Identifier: typed, Sent: out.Sent, Action: loginPath,
		Title: say.Say("sign_in"),
	}
	if v.Identifier == "" {
		v.Identifier = out.LoginHint
	}
	switch out.Step {
	case auth.StepCode:
		v.Title = say.Say("code_title")
	case auth.StepConsent:
		v.Title, v.Scopes, v.ThirdParty = say.Say("consent_title"), say.scopes(out.Scopes), out.ThirdParty
		if slices.Contains(out.Scopes, "offline_access") {
			v.Offline = say.days(out.KeepFor)
		}
	}
	status := http.StatusOK
	if no := out.Refused; no != nil {
		w.Code, w.Cause = no.Code.String(), no
		status, v.Error = refusedStatus(no.Code), say.why(no)
		if status != http.StatusForbidden {
			httpx.RetryAfter(w.Header(), max(no.RetryAfter, time.Second))
		}
	}
	return p.write(w, status, origin(out.RedirectURI), v)
}

// refusedStatus is the status of a page that is shown once more.
func refusedStatus(c auth.Code) int {
	switch c {
	case auth.CodeLocked, auth.CodeBusy, auth.CodeThrottled, auth.CodeTooSoon, auth.CodeChallengeLimit:
		return http.StatusTooManyRequests
	case auth.CodeOverloaded, auth.CodeMaintenance:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

// write fills the template. Only forms of ours, and the redirect to the client that may follow one, are let out of the page.
func (p pages) write(w *httpx.Response, status int, target string, v view) error {
	v.Style, v.Logo, v.Tenant = themed(v.theme), template.URL(v.theme.Logo), v.theme.Name // which has been checked, see auth.CheckLogo
	images := ""
	if v.Logo != "" {
		images = "; img-src data:"
	}
	hash := sha256.Sum256([]byte(v.Style))
	var text bytes.Buffer
	if err := p.template.ExecuteTemplate(&text, "page", v); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(hash[:])+"'"+images+"; form-action "+strings.TrimSpace("'self' "+target))
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, err := w.Write(text.Bytes())
	return err
}

// origin is a redirect URI as a source of form-action: browsers hold redirects after a form to it. An IPv6 address cannot be one (CSP 3
// §2.3.1, host-char), so its scheme stands for it.
func origin(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Host == "", strings.Contains(u.Hostname(), ":"):
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// orTell answers an error with a page when a browser asks, which has nobody else to tell.
func (a *API) orTell(w *httpx.Response, r *http.Request, serve func() error) error {
	err := serve()
	if err == nil || !strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html") {
		return err
	}
	e := wireOf(auth.CodeOf(err))
	var own *oauthError
	var invalid *httpx.Invalid
	switch {
	case errors.As(err, &own):
		e = own
	case errors.As(err, &invalid):
		e = &oauthError{invalid.Status, "invalid_request", "The request is not valid"}
	}
	w.Code, w.Cause = e.code, err
	var refusal *auth.Error
	if errors.As(err, &refusal) {
		w.Code = refusal.Code.String()
	}
	if e.status == http.StatusServiceUnavailable || e.status == http.StatusTooManyRequests {
		httpx.RetryAfter(w.Header(), time.Minute)
	}
	say := a.pages.speak(nil, r)
	told := say.Say("begin_again")
	if say.tag == fallback { // the dialect's own language
		told = e.description + ". " + told
	}
	return a.pages.write(w, e.status, "", view{words: say, Title: say.Say("failed"), Error: told})
}
