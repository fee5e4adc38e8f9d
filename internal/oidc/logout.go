package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// maxLogoutQuery is the longest logout request, in bytes as it is encoded: an ID token is in it.
const maxLogoutQuery = 8192

// endSession is RP-initiated logout (OIDC RP-Initiated Logout §2, contract/cis §1.5). logout_hint changes nothing: who is to be logged out is
// whose session the browser brings.
func (a *API) endSession(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		if len(r.URL.RawQuery) > maxLogoutQuery {
			return tooLong()
		}
		params, err := httpx.DecodeForm([]byte(r.URL.RawQuery))
		if err != nil {
			return err
		}
		browser := a.browser(w, r)
		out, err := a.auth.EndSession(r.Context(), auth.LogoutRequest{
			Hint: params.Get("id_token_hint"), Client: auth.ClientID(params.Get("client_id")),
			RedirectURI: params.Get("post_logout_redirect_uri"), State: params.Get("state"), Tenants: a.loggedInTo(r),
		}, browser, auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
		if err != nil {
			return err
		}
		return a.leave(w, r, strings.Fields(params.Get("ui_locales")), out)
	})
}

// endSessionPost takes the same request as a form, and sends the browser to ask again by GET, since a form of another site brings no cookies
// along.
func (a *API) endSessionPost(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		params, err := readForm(r)
		if err != nil {
			return err
		}
		query := params.Encode()
		if len(query) > maxLogoutQuery {
			return tooLong()
		}
		return seeOther(w, endSessionPath+"?"+query)
	})
}

// answerLogout takes what the user sent from the page that asks.
func (a *API) answerLogout(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		form, err := readForm(r)
		if err != nil {
			return err
		}
		out, err := a.auth.AnswerLogout(r.Context(), auth.LogoutAnswer{Form: form.Get("form"), Stay: form.Has("stay")}, a.browser(w, r),
			auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
		if err != nil {
			return err
		}
		return a.leave(w, r, nil, out)
	})
}

// leave asks the user, or sends them on, or tells them that it is done.
func (a *API) leave(w *httpx.Response, r *http.Request, locales []string, out auth.Logout) error {
	w.Tenant = string(out.Tenant)
	for _, t := range out.Over {
		a.dropCookie(w, sessionCookie(t))
	}
	if out.Form == "" && out.RedirectURI != "" {
		to := out.RedirectURI
		if out.State != "" {
			mark := "?"
			if strings.Contains(to, "?") {
				mark = "&"
			}
			to += mark + url.Values{"state": {out.State}}.Encode()
		}
		return seeOther(w, to)
	}
	say := a.pages.speak(locales, r)
	v := view{
		words: say, theme: out.Theme, Step: stepOut, App: out.App, Form: out.Form, Action: answerLogoutPath, Title: say.Say("signed_out"),
	}
	switch {
	case out.Form != "":
		v.Step, v.Title = stepLogout, say.Say("logout_title")
	case out.Stayed:
		v.Title = say.Say("still_in")
	}
	return a.pages.write(w, http.StatusOK, origin(out.RedirectURI), v)
}

// Steps of a logout, beside those of an authorization.
const (
	stepLogout auth.AuthorizationStep = "logout"
	stepOut    auth.AuthorizationStep = "out"
)

// maxLogins bounds the tenants whose sessions are ended at once when no client is named.
const maxLogins = 8

// loggedInTo lists the tenants whose session cookies a browser brought.
func (a *API) loggedInTo(r *http.Request) []auth.TenantID {
	var all []auth.TenantID
	for _, c := range r.Cookies() {
		name, ok := strings.CutPrefix(c.Name, a.cookieName(sessionCookie("")))
		if t := auth.TenantID(name); ok && len(all) < maxLogins && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// dropCookie takes a cookie out of a browser.
func (a *API) dropCookie(w *httpx.Response, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Path: "/", MaxAge: -1, Secure: a.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
