package oidc

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/seal"
)

// maxQuery is the longest authorization request, in bytes as it is encoded. It has to fit into the form that the login page sends back.
const maxQuery = 3072

// authorize is the authorization endpoint (OIDC Core §3.1.2, contract/cis §1.5).
func (a *API) authorize(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		params, err := readQuery(r)
		if err != nil {
			return err
		}
		if params.Has("entry") {
			return a.enter(w, r, params)
		}
		in, err := a.requested(w, r, params)
		if err != nil || in.Client == "" { // which an answer to the client leaves empty
			return err
		}
		browser := a.browser(w, r)
		out, err := a.auth.Authorize(r.Context(), in, browser, auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
		if err != nil {
			return a.refuse(w, in, err)
		}
		return a.answer(w, r, out, "")
	})
}

// enter takes the user of a login that the client's own page has taken (contract/cis §5.5) to the client. Where a second factor is missing
// the client is told in the contract's own word.
func (a *API) enter(w *httpx.Response, r *http.Request, params url.Values) error {
	entry := auth.Entry{Client: auth.ClientID(params.Get("client_id")), Text: params.Get("entry")}
	out, err := a.auth.Enter(r.Context(), entry, a.browser(w, r), auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
	w.Tenant = string(out.Tenant)
	if out.Session != "" {
		a.setCookie(w, sessionCookie(out.Tenant), out.Session)
	}
	switch {
	case err == nil:
		return a.answer(w, r, out, "")
	case out.RedirectURI == "": // nobody to tell but the user
		return err
	case auth.CodeOf(err) == auth.CodeFactorsUnmet:
		w.Cause = err
		return a.redirectError(w, out.AuthorizationRequest, &oauthError{http.StatusBadRequest, "mfa_required", "The user has to prove a second factor"})
	}
	return a.refuse(w, out.AuthorizationRequest, err)
}

// requested is what the browser brings: a request, or the URI of one that the client has pushed, beside which no other parameter counts (RFC
// 9126 §4). The client is told of what is not served if the redirect URI is its own; the request is empty then.
func (a *API) requested(w *httpx.Response, r *http.Request, params url.Values) (auth.AuthorizationRequest, error) {
	in := requestOf(params)
	no := unserved(params, "request", "registration")
	if uri := params.Get("request_uri"); no == nil && uri != "" {
		pushed, err := a.auth.Pushed(r.Context(), in.Client, uri)
		if err == nil || auth.CodeOf(err) != auth.CodePushedInvalid {
			return pushed, err
		}
		no = wireOf(auth.CodePushedInvalid)
	}
	err := a.auth.CheckRedirect(r.Context(), in.Client, in.RedirectURI)
	switch {
	case no == nil:
		return in, err
	case err == nil:
		return auth.AuthorizationRequest{}, a.redirectError(w, in, no)
	case in.RedirectURI == "": // as it should be beside a request_uri
		return in, no
	}
	return in, err
}

// authorizePost takes the same request as a form (OIDC Core §3.1.2.1). It sends the browser to ask again by GET: a form of another site
// brings no cookies along.
func (a *API) authorizePost(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		params, err := readForm(r, "resource")
		if err != nil {
			return err
		}
		query := params.Encode()
		if len(query) > maxQuery {
			return tooLong()
		}
		return seeOther(w, authorizePath+"?"+query)
	})
}

func tooLong() error {
	return &oauthError{http.StatusBadRequest, "invalid_request", "The request is too long"}
}

// login takes what the user sent from the login page.
func (a *API) login(w *httpx.Response, r *http.Request) error {
	return a.orTell(w, r, func() error {
		form, err := readForm(r)
		if err != nil {
			return err
		}
		in := auth.PageAnswer{
			Form: form.Get("form"), Identifier: strings.TrimSpace(form.Get("identifier")), Password: seal.NewSecret(form.Get("password")),
			Code: strings.TrimSpace(form.Get("code")), Cancel: form.Has("cancel"),
		}
		browser := a.browser(w, r)
		out, err := a.auth.Answer(r.Context(), in, browser, auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
		w.Tenant = string(out.Tenant)
		if out.Session != "" {
			a.setCookie(w, sessionCookie(out.Tenant), out.Session)
		}
		if err != nil {
			if out.RedirectURI == "" { // nobody to tell but the user
				return err
			}
			return a.refuse(w, out.AuthorizationRequest, err)
		}
		return a.answer(w, r, out, in.Identifier)
	})
}

// readQuery reads the parameters of a query as those of a form: none comes twice but resource.
func readQuery(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, tooLong()
	}
	return httpx.DecodeForm([]byte(r.URL.RawQuery), "resource")
}

// requestOf reads the parameters that are served; others are ignored (RFC 6749 §3.1).
func requestOf(params url.Values) auth.AuthorizationRequest {
	in := auth.AuthorizationRequest{
		Client:          auth.ClientID(params.Get("client_id")),
		RedirectURI:     params.Get("redirect_uri"),
		ResponseType:    params.Get("response_type"),
		ResponseMode:    params.Get("response_mode"),
		Scopes:          strings.Fields(params.Get("scope")),
		State:           params.Get("state"),
		Nonce:           params.Get("nonce"),
		Key:             params.Get("dpop_jkt"),
		Challenge:       params.Get("code_challenge"),
		ChallengeMethod: params.Get("code_challenge_method"),
		Prompts:         strings.Fields(params.Get("prompt")),
		MaxAge:          params.Get("max_age"),
		ACRs:            strings.Fields(params.Get("acr_values")),
		LoginHint:       params.Get("login_hint"),
		Resource:        strings.Join(params["resource"], " "), // two are none that is configured
		OrgID:           params.Get("org_id"),
		Hint:            params.Get("id_token_hint"),
		Locales:         strings.Fields(params.Get("ui_locales")),
	}
	if text := params.Get("claims"); text != "" && !readClaims(text, &in) {
		in.Unclear = "claims"
	}
	return in
}

// claimRequest is one member of OIDC Core §5.5.1.
type claimRequest struct {
	Value  string   `json:"value"`
	Values []string `json:"values"`
	Fields []string `json:"fields"` // contract/cis §2.5
}

// readClaims reads OIDC Core §5.5. acr and sub of the ID token ask for an authentication, the others for claims.
func readClaims(text string, in *auth.AuthorizationRequest) bool {
	var claims struct {
		IDToken  map[string]jsontext.Value `json:"id_token"`
		UserInfo map[string]jsontext.Value `json:"userinfo"`
	}
	if json.Unmarshal([]byte(text), &claims) != nil {
		return false
	}
	for name, value := range claims.UserInfo {
		var c claimRequest
		if value.Kind() == '{' && json.Unmarshal(value, &c) != nil {
			return false
		}
		in.UserInfo = append(in.UserInfo, auth.ClaimRequest{Name: name, Fields: c.Fields})
	}
	for name, value := range claims.IDToken {
		var c claimRequest
		if value.Kind() == '{' && json.Unmarshal(value, &c) != nil {
			return false
		}
		switch {
		case name == "sub":
			in.Subject = auth.UserID(c.Value)
		case name == "acr" && c.Value != "":
			in.ACRs = []string{c.Value}
		case name == "acr" && len(c.Values) > 0:
			in.ACRs = c.Values
		default:
			in.Claims = append(in.Claims, auth.ClaimRequest{Name: name, Fields: c.Fields})
		}
	}
	return true
}

// answer shows the page of a step, or takes the user back to the client.
func (a *API) answer(w *httpx.Response, r *http.Request, out auth.Authorization, typed string) error {
	w.Tenant = string(out.Tenant)
	if out.Step == auth.StepDone {
		return a.redirect(w, out.AuthorizationRequest, url.Values{"code": {out.Code}})
	}
	return a.pages.step(w, r, out, typed)
}

// refuse tells the client why it gets no code. A fault of ours is not for it.
func (a *API) refuse(w *httpx.Response, in auth.AuthorizationRequest, why error) error {
	var refusal *auth.Error
	if !errors.As(why, &refusal) || refusal.Code == auth.CodeInternal || refusal.Code == auth.CodeMaintenance || refusal.Code == auth.CodeRedirectInvalid {
		return why
	}
	w.Cause = why
	own := wireOf(refusal.Code)
	_ = errors.As(told(w, why), &own)
	return a.redirectError(w, in, own)
}

func (a *API) redirectError(w *httpx.Response, in auth.AuthorizationRequest, e *oauthError) error {
	w.Code = e.code
	return a.redirect(w, in, url.Values{"error": {e.code}, "error_description": {e.description}})
}

// redirect takes the browser back to the client, whose redirect URI has been checked, with the issuer that answers (RFC 9207 §2). It is
// 303, which no browser repeats a password with.
func (a *API) redirect(w *httpx.Response, in auth.AuthorizationRequest, params url.Values) error {
	params.Set("iss", a.auth.Issuer())
	if in.State != "" {
		params.Set("state", in.State)
	}
	mark := "?"
	if strings.Contains(in.RedirectURI, "?") {
		mark = "&"
	}
	return seeOther(w, in.RedirectURI+mark+params.Encode())
}

func seeOther(w *httpx.Response, to string) error {
	w.Header().Set("Location", to)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Empty(http.StatusSeeOther)
	return nil
}

// Cookies. Their names end in the tenant where they are a tenant's: one browser may be logged in to several.
const formCookie = "form"

func sessionCookie(t auth.TenantID) string { return "session-" + string(t) }

// cookieName pins a cookie to this very host wherever browsers allow that, which is over HTTPS.
func (a *API) cookieName(name string) string {
	if a.secure() {
		return "__Host-countersign-" + name
	}
	return "countersign-" + name
}

func (a *API) secure() bool { return strings.HasPrefix(a.base, "https:") }

// setCookie sets a cookie that ends with the browser's session: how long its secret is good is ours to decide.
func (a *API) setCookie(w *httpx.Response, name, value string) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", Secure: a.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (a *API) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// browser reads what a browser brought, and gives it the cookie that its forms are bound to if it has none.
func (a *API) browser(w *httpx.Response, r *http.Request) auth.Browser {
	form := a.cookie(r, formCookie)
	if form == "" {
		form = rand.Text()
		a.setCookie(w, formCookie, form)
	}
	return auth.Browser{Form: form, Session: func(t auth.TenantID) string { return a.cookie(r, sessionCookie(t)) }}
}
