package cis_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/cis"
	"countersign/internal/httpx"
	"countersign/internal/httpx/httpxtest"
)

// withRole makes a client of Demo with one role, and returns its token.
func (s *server) withRole(permissions ...string) string {
	s.t.Helper()
	role, err := s.CreateRole(s.t.Context(), s.Admin(), auth.AppRole{Name: strings.Join(permissions, " "), Permissions: permissions})
	if err != nil {
		s.t.Fatal(err)
	}
	client, _, err := s.CreateAppClient(s.t.Context(), s.Admin(), "app", auth.ClientSetup{Roles: []auth.RoleID{role.ID}})
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := s.ClientToken(s.t.Context(), auth.Actor{Tenant: authtest.Demo, Client: client.ID}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return token.AccessToken
}

// TestEveryCallNeedsAPermission: a client with another role is refused before anything else is looked at, and with any one of the permissions
// that the call needs it is not (contract/cis §0.2). Calls that administer the tenant are refused to every client of an application.
func TestEveryCallNeedsAPermission(t *testing.T) {
	t.Parallel()
	s := serve(t)
	unrelated, user := s.withRole("reports:print"), s.user().AccessToken
	tokens := map[string]string{}
	refused := func(op *httpx.Operation, token string) bool {
		c := httpxtest.Call{Method: op.Method, Path: op.Path, Body: "nonsense", Header: map[string]string{"Authorization": "Bearer " + token}}
		r := c.Do(s)
		return r.Code == http.StatusForbidden && member(t, r, "message") == "The client may not do this"
	}
	for _, op := range guarded(t, s) {
		if s.doc.Paths.Value(op.Path).GetOperation(op.Method).Security != nil {
			if refused(op, user) {
				t.Errorf("%s %s: a user was asked for a client's permission", op.Method, op.Path)
			}
			continue
		}
		if !refused(op, unrelated) {
			t.Errorf("%s %s: not refused without a permission", op.Method, op.Path)
		}
		if cis.Managed(op.Path) {
			if !refused(op, s.app) {
				t.Errorf("%s %s: not refused to a client of an application", op.Method, op.Path)
			}
			continue
		}
		if refused(op, s.app) {
			t.Errorf("%s %s: refused to a client without a role", op.Method, op.Path)
		}
		for _, permission := range strings.Fields(cis.Needs(op.Method, op.Path)) {
			permission = strings.ReplaceAll(permission, "[appId]", "app")
			if tokens[permission] == "" {
				tokens[permission] = s.withRole(permission)
			}
			if refused(op, tokens[permission]) {
				t.Errorf("%s %s: refused with %s", op.Method, op.Path, permission)
			}
		}
	}
}

// TestNeeds are the rows of the contract.
func TestNeeds(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"POST /cis/v1/auth/password/validate":                "apps:execute [appId]:execute auth:execute",
		"POST /cis/v1/auth/token/refresh":                    "apps:execute [appId]:execute auth:execute",
		"POST /cis/v1/auth/session/logout":                   "apps:delete [appId]:delete sessions:delete",
		"DELETE /cis/v1/auth/users/{user_id}/sessions":       "apps:delete [appId]:delete sessions:delete",
		"POST /cis/v1/users":                                 "apps:create [appId]:create users:create",
		"POST /cis/v1/users/{user_id}/password":              "apps:create [appId]:create authenticators:create",
		"PUT /cis/v1/users/{user_id}/password":               "apps:edit [appId]:edit authenticators:edit",
		"POST /cis/v1/users/{user_id}/totp/revoke":           "apps:edit [appId]:edit authenticators:edit",
		"DELETE /cis/v1/resources/{resource_id}":             "apps:delete [appId]:delete resources:delete",
		"GET /cis/v1/users/{user_id}":                        "apps:read [appId]:read users:read",
		"POST /cis/v1/users/{user_id}/emails/{email}/verify": "apps:edit [appId]:edit users:edit",
	} {
		method, path, _ := strings.Cut(call, " ")
		if got := cis.Needs(method, path); got != want {
			t.Errorf("%s: got %q, want %q", call, got, want)
		}
	}
	if got := strings.Fields(cis.Needs("GET", "/cis/v1/auth/users/{user_id}/sessions")); !slices.Contains(got, "sessions:read") {
		t.Errorf("listing sessions needs %q", got)
	}
}
