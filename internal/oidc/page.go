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
	style    string // as a source of the policy
}

func newPages() pages {
	hash := sha256.Sum256([]byte(loginStyle))
	return pages{
		template.Must(template.New("").Parse(loginText)), "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'",
	}
}

// view is what the template is filled with.
type view struct {
	Style      template.CSS
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
func (p pages) step(w *httpx.Response, out auth.Authorization, typed string) error {
	v := view{
		Step: out.Step, Tenant: out.Name, App: out.App, Form: out.Form, Identifier: typed, Sent: out.Sent, Action: loginPath, Title: "Sign in",
	}
	if v.Identifier == "" {
		v.Identifier = out.LoginHint
	}
	switch out.Step {
	case auth.StepCode:
		v.Title = "Enter your code"
	case auth.StepConsent:
		v.Title, v.Scopes, v.ThirdParty = "Allow access?", scopesInWords(out.Scopes), out.ThirdParty
		if slices.Contains(out.Scopes, "offline_access") {
			v.Offline = days(out.KeepFor)
		}
	}
	status := http.StatusOK
	if no := out.Refused; no != nil {
		w.Code, w.Cause = no.Code.String(), no
		status, v.Error = refusedStatus(no.Code), inWords(no)
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

// inWords says why what was typed did not hold. Whatever would tell that an account exists says the same as a wrong password.
func inWords(no *auth.Error) string {
	switch no.Code {
	case auth.CodeLocked, auth.CodeChallengeLimit:
		return "There were too many wrong tries. Try again in " + wait(no.RetryAfter) + "."
	case auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded, auth.CodeMaintenance:
		return "We cannot do this right now. Try again in " + wait(no.RetryAfter) + "."
	case auth.CodeTooSoon:
		return "A code was sent just now. You can ask for another one in " + wait(no.RetryAfter) + "."
	case auth.CodePasswordExpired, auth.CodePasswordTemp:
		return "Your password has to be replaced before you can sign in here."
	case auth.CodeWrongOTP:
		return "This code is not right. Check it and try again."
	case auth.CodeOneTryLeft:
		return "This code is not right. You have one try left."
	case auth.CodeOTPExpired, auth.CodeNoChallenge:
		return "This code is no longer good. Ask for another one."
	case auth.CodeChannelUnsupported:
		return "You cannot sign in here with a password."
	case auth.CodeSessionNotFound:
		return "Your session has ended. Sign in again."
	}
	return "The name or the password is not right. Check both and try again."
}

// wait is a time as people say it, rounded up.
func wait(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return "a minute"
	case d <= 2*time.Hour:
		return fmt.Sprintf("%d minutes", int((d+time.Minute-1)/time.Minute))
	}
	return fmt.Sprintf("%d hours", int((d+time.Hour-1)/time.Hour))
}

// days is a time in days, rounded up.
func days(d time.Duration) string {
	n := int((d + 24*time.Hour - 1) / (24 * time.Hour))
	if n <= 1 {
		return "a day"
	}
	return fmt.Sprintf("%d days", n)
}

func scopesInWords(scopes []string) []string {
	var all []string
	for _, s := range scopes {
		switch s {
		case "openid":
			all = append(all, "know who you are")
		case "email":
			all = append(all, "see your e-mail address")
		case "phone":
			all = append(all, "see your phone number")
		case "offline_access":
			all = append(all, "keep this access when you are away")
		}
	}
	return all
}

// write fills the template. Only forms of ours, and the redirect to the client that may follow one, are let out of the page.
func (p pages) write(w *httpx.Response, status int, target string, v view) error {
	v.Style = template.CSS(loginStyle)
	var text bytes.Buffer
	if err := p.template.ExecuteTemplate(&text, "page", v); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src "+p.style+
		"; form-action "+strings.TrimSpace("'self' "+target))
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, err := w.Write(text.Bytes())
	return err
}

// origin is a redirect URI as a source of form-action: browsers hold redirects after a form to it.
func origin(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Host == "":
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
	return a.pages.write(w, e.status, "", view{Title: "This did not work", Error: e.description + ". Go back to the app and begin again."})
}
