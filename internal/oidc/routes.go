// Package oidc serves the OAuth 2 and OpenID Connect endpoints beside /cis: the authorization endpoint with its login page, the token
// endpoint, the key set, discovery.
//
// It owns the reading of OAuth forms, client authentication as it stands on the wire, and the error bodies that readers of RFC 6749 and
// of the vendor's contract both understand. It owns no rule and no token.
package oidc

import (
	"net/http"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// API is the dialect over a domain.
type API struct {
	auth  *auth.Service
	base  string
	pages pages
}

// New makes the dialect; base is the public URL of the server without a trailing slash, and Host headers are never believed.
func New(s *auth.Service, base string) *API {
	return &API{auth: s, base: strings.TrimSuffix(base, "/"), pages: newPages()}
}

// Paths of what a browser is sent to.
const (
	authorizePath = "/cis/oidc/auth"
	loginPath     = "/cis/oidc/login"

	endSessionPath   = "/cis/oidc/session/end"
	answerLogoutPath = "/cis/oidc/session/end/confirm"
)

// Paths that are served below /cis as well.
const (
	tokenPath = "/oidc/token"
	pushPath  = "/oidc/request"
)

// Paths of what is done with tokens; the first two are below /cis as well.
const (
	introspectionPath = "/oidc/token/introspection"
	revocationPath    = "/oidc/token/revocation"
	userInfoPath      = "/cis/oidc/me"
)

// Paths of what is published.
const (
	keysPath          = "/cis/oidc/jwks"
	configurationPath = "/cis/oidc/.well-known/openid-configuration"
)

// Mount adds the dialect's routes.
func (a *API) Mount(m *httpx.Mux) {
	onError := func(w *httpx.Response, _ *http.Request, err error) { writeError(w, err) }
	m.Prefix("/oidc", onError)
	m.Prefix("/cis/oidc", onError)
	m.Handle("POST", tokenPath, a.token)
	m.Handle("POST", "/cis"+tokenPath, a.token)
	m.Handle("POST", pushPath, a.push)
	m.Handle("POST", "/cis"+pushPath, a.push)
	for _, prefix := range []string{"", "/cis"} {
		m.Handle("POST", prefix+introspectionPath, a.introspect)
		m.Handle("POST", prefix+revocationPath, a.revoke)
	}
	m.Handle("GET", userInfoPath, a.userInfo)
	m.Handle("POST", userInfoPath, a.userInfo)
	m.Handle("GET", authorizePath, a.authorize)
	m.Handle("POST", authorizePath, a.authorizePost)
	m.Handle("POST", loginPath, a.login)
	m.Handle("GET", endSessionPath, a.endSession)
	m.Handle("POST", endSessionPath, a.endSessionPost)
	m.Handle("POST", answerLogoutPath, a.answerLogout)
	m.Handle("GET", keysPath, a.keys)
	m.Handle("GET", configurationPath, a.configuration)
	for path, methods := range crossOrigin() {
		m.Handle("OPTIONS", path, a.preflight(methods))
	}
}

// published is how long verifiers may keep what is published: less than a key is published before it signs.
const published = "public, max-age=300"

func (a *API) keys(w *httpx.Response, r *http.Request) error {
	set, err := a.auth.KeySet(r.Context())
	if err != nil {
		return err
	}
	if err := a.allowOrigin(w, r); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", published)
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(set)
	return err
}

type configuration struct {
	Issuer                 string   `json:"issuer"`
	JWKSURI                string   `json:"jwks_uri"`
	AuthorizationEndpoint  string   `json:"authorization_endpoint"`
	TokenEndpoint          string   `json:"token_endpoint"`
	EndSessionEndpoint     string   `json:"end_session_endpoint"`
	BackchannelLogout      bool     `json:"backchannel_logout_supported"`
	BackchannelSession     bool     `json:"backchannel_logout_session_supported"`
	UserInfoEndpoint       string   `json:"userinfo_endpoint"`
	IntrospectionEndpoint  string   `json:"introspection_endpoint"`
	RevocationEndpoint     string   `json:"revocation_endpoint"`
	ResponseTypes          []string `json:"response_types_supported"`
	ResponseModes          []string `json:"response_modes_supported"`
	ChallengeMethods       []string `json:"code_challenge_methods_supported"`
	ResponseIssuer         bool     `json:"authorization_response_iss_parameter_supported"`
	RequestURISupport      bool     `json:"request_uri_parameter_supported"`
	ACRs                   []string `json:"acr_values_supported"`
	Prompts                []string `json:"prompt_values_supported"`
	SubjectTypes           []string `json:"subject_types_supported"`
	IDTokenAlgs            []string `json:"id_token_signing_alg_values_supported"`
	GrantTypes             []string `json:"grant_types_supported"`
	TokenEndpointAuth      []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ProofAlgs              []string `json:"dpop_signing_alg_values_supported"`
	PushEndpoint           string   `json:"pushed_authorization_request_endpoint"`
	PushRequired           bool     `json:"require_pushed_authorization_requests"`
	IntrospectionAuth      []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth         []string `json:"revocation_endpoint_auth_methods_supported"`
	Scopes                 []string `json:"scopes_supported"`
	Claims                 []string `json:"claims_supported"`
	Languages              []string `json:"ui_locales_supported"`
	ClaimsParameterSupport bool     `json:"claims_parameter_supported"`
}

// configuration is OpenID Connect Discovery §3: what is offered, and nothing that is not.
func (a *API) configuration(w *httpx.Response, r *http.Request) error {
	if err := a.allowOrigin(w, r); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", published)
	always := []string{"sub", "iss", "aud", "iat", "exp", "tid", "auth_time", "amr", "acr", "at_hash", "sid", "nonce"}
	return w.JSON(http.StatusOK, configuration{
		Issuer: a.auth.Issuer(), JWKSURI: a.base + keysPath, TokenEndpoint: a.base + tokenPath,
		UserInfoEndpoint: a.base + userInfoPath, IntrospectionEndpoint: a.base + introspectionPath, RevocationEndpoint: a.base + revocationPath,
		EndSessionEndpoint: a.base + endSessionPath, BackchannelLogout: true, BackchannelSession: true,
		AuthorizationEndpoint: a.base + authorizePath, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		ChallengeMethods: []string{"S256"}, ResponseIssuer: true, ACRs: auth.AuthorizationACRs(), Prompts: auth.AuthorizationPrompts(),
		SubjectTypes: []string{"public"}, IDTokenAlgs: []string{"ES256", "RS256"},
		GrantTypes:        []string{"authorization_code", "client_credentials", "refresh_token"},
		TokenEndpointAuth: authMethods(), TokenEndpointAlgs: names(auth.ClientAuthAlgs()), ProofAlgs: names(auth.ProofAlgs()), PushEndpoint: a.base + "/cis" + pushPath,
		IntrospectionAuth: authMethods()[:3], RevocationAuth: authMethods(),
		Scopes: auth.AuthorizationScopes(), Claims: append(always, auth.RequestableClaims()...), ClaimsParameterSupport: true,
		Languages: a.pages.languages(),
	})
}
