package cis

import (
	"net/http"
	"strings"

	"countersign/internal/httpx"
)

// needs are the permissions of a client's roles any one of which opens a call (contract/cis §0.2), by what the path is about: the contract has
// one rule for all of them, apps:ACTION, [appId]:ACTION and RESOURCE:ACTION.
func needs(method, path string) string {
	resource, action := subject(path), map[string]string{
		http.MethodGet: "read", http.MethodPost: "create", http.MethodPut: "edit", http.MethodPatch: "edit", http.MethodDelete: "delete",
	}[method]
	switch {
	case strings.HasSuffix(path, "/session/logout"):
		action = "delete"
	case resource == "auth":
		action = "execute"
	case resource == "authenticators" && !strings.HasSuffix(path, "/password") && method == http.MethodPost, strings.HasSuffix(path, "/verify"):
		action = "edit"
	}
	all := []string{"apps:" + action, "[appId]:" + action, resource + ":" + action}
	if method == http.MethodGet && !strings.HasSuffix(path, "}") {
		all = append(all, "apps:list", "[appId]:list", resource+":list")
	}
	return strings.Join(all, " ")
}

// subject is the resource, as permissions call it, that a path is about.
func subject(path string) string {
	switch {
	case strings.HasSuffix(path, "/sessions"), strings.HasPrefix(path, "/cis/v1/sessions/"), strings.HasSuffix(path, "/session/logout"):
		return "sessions"
	case strings.HasPrefix(path, "/cis/v1/auth/"):
		return "auth"
	case strings.HasPrefix(path, "/cis/v1/resources"):
		return "resources"
	case strings.Contains(path, "/device-keys"):
		return "devices"
	case strings.Contains(path, "/organizations"), strings.Contains(path, "/members"):
		return "organizations"
	case strings.HasSuffix(path, "/groups"):
		return "groups"
	}
	for _, part := range []string{"/authenticators", "/password", "/totp", "/webauthn-credentials"} {
		if strings.Contains(path, part) {
			return "authenticators"
		}
	}
	return "users"
}

// managed reports whether a call is for clients of kind management alone (contract/cis §0.2 AdminAccessToken).
func managed(path string) bool {
	for _, prefix := range []string{"/cis/v1/applications", "/cis/v1/client-roles", "/cis/v1/manage/", "/cis/loginPreferences/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return strings.HasPrefix(path, "/cis/v1/organizations") && !strings.Contains(path, "/members")
}

// client makes what lets a client in by its own access token, if it may make the call, before anything else is looked at.
func (a *API) client(r route) func(*call) error {
	permissions := needs(r.method, r.path)
	return func(c *call) error {
		by, err := a.auth.AuthenticateClientToken(c.r.Context(), httpx.AccessToken(c.r), c.via())
		if c.by = by; err != nil {
			return err
		}
		if managed(r.path) {
			return a.auth.Manages(by)
		}
		c.by.Needs = permissions
		return a.auth.Permitted(c.by)
	}
}
