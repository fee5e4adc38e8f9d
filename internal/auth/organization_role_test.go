package auth_test

import (
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// appRole makes a role of an application of Demo.
func appRole(t *testing.T, e *authtest.Env, app, name string, permissions ...string) string {
	t.Helper()
	r, err := e.CreateRole(t.Context(), e.Admin(), auth.AppRole{App: app, Name: name, Permissions: permissions})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.ID)
}

func setRoles(t *testing.T, e *authtest.Env, app, org string, id auth.UserID, roles ...string) {
	t.Helper()
	if err := e.SetMemberRoles(t.Context(), e.Admin(), app, org, id, roles); err != nil {
		t.Fatal(err)
	}
}

// rolesIn are the roles and permissions in the ID token of a login in an application.
func rolesIn(t *testing.T, e *authtest.Env, client auth.ClientID, name, org string) (roles, permissions []any) {
	t.Helper()
	in := backend(name, authtest.Password)
	in.OrgID, in.Claims = org, auth.Named("roles", "permissions")
	set, err := e.AuthenticatePassword(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: client}, in)
	if err != nil {
		t.Fatal(err)
	}
	id, access := claimsOf(t, set.IDToken), claimsOf(t, set.AccessToken)
	roles, _ = id["roles"].([]any)
	permissions, _ = id["permissions"].([]any)
	if both, _ := access["roles"].([]any); !slices.Equal(both, roles) {
		t.Errorf("the access token has roles %v, the ID token %v", both, roles)
	}
	return roles, permissions
}

// TestMemberHasRolesOfAnApplication is contract/cis §1.7, §1.8: they and their permissions are in the tokens of that application, for that
// organization, and nowhere else.
func TestMemberHasRolesOfAnApplication(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	teller, cashier := appRole(t, e, "app", "teller", "accounts:open"), appRole(t, e, "app", "cashier", "cash:count")
	foreign := appRole(t, e, "other", "teller", "all")
	setRoles(t, e, "app", enginesID, authtest.Charles, teller, cashier, "CARD_ASSIGNEE")
	setRoles(t, e, "other", enginesID, authtest.Charles, foreign, "CARD_ASSIGNEE")
	for name, tt := range map[string]struct {
		client             auth.ClientID
		org                string
		roles, permissions []any
	}{
		"there":          {"app", enginesID, []any{teller, cashier, "organizationCreator", "CARD_ASSIGNEE"}, []any{"accounts:open", "cash:count"}},
		"another app":    {"other", enginesID, []any{foreign, "organizationCreator", "CARD_ASSIGNEE"}, []any{"all"}},
		"another org":    {"app", "2002", []any{}, []any{}},
		"no org at all":  {"app", "", []any{}, []any{}},
		"nobody's, none": {"other", "2002", []any{}, []any{}},
	} {
		roles, permissions := rolesIn(t, e, tt.client, "charles", tt.org)
		if !slices.Equal(roles, tt.roles) || !slices.Equal(permissions, tt.permissions) {
			t.Errorf("%s: got %v and %v, want %v and %v", name, roles, permissions, tt.roles, tt.permissions)
		}
	}

	// What the user has in the application anyway is there once, and a role that is deleted counts for nothing.
	if err := e.AssignRole(t.Context(), e.Admin(), "app", auth.RoleID(teller), auth.EntityUser, []string{string(authtest.Charles)}); err != nil {
		t.Fatal(err)
	}
	if err := e.DeleteRole(t.Context(), e.Admin(), "app", auth.RoleID(cashier)); err != nil {
		t.Fatal(err)
	}
	if roles, permissions := rolesIn(t, e, "app", "charles", enginesID); len(roles) != 3 || !slices.Equal(permissions, []any{"accounts:open"}) {
		t.Errorf("got %v and %v", roles, permissions)
	}
	setRoles(t, e, "app", enginesID, authtest.Charles)
	if roles, _ := rolesIn(t, e, "other", "charles", enginesID); !slices.Equal(roles, []any{foreign, "organizationCreator"}) {
		t.Errorf("after a change in the other application: got %v", roles)
	}
}

// TestUserInfoHasRolesOfTheApplication: UserInfo says of roles what the tokens say.
func TestUserInfoHasRolesOfTheApplication(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	teller := appRole(t, e, "app", "teller")
	setRoles(t, e, "app", enginesID, authtest.Charles, teller)
	in := backend("charles", authtest.Password)
	in.OrgID, in.UserInfo = enginesID, auth.Named("roles")
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, claims, err := e.UserInfo(t.Context(), set.AccessToken, auth.Via{})
	if got := jsonText(t, claims["roles"]); err != nil || got != jsonText(t, []string{teller, "organizationCreator"}) {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestNoForeignRoleIsGiven: a member has roles of the application that is named, or of one of the organization's; from an administrator only
// those that they have themselves.
func TestNoForeignRoleIsGiven(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	teller, foreign := appRole(t, e, "app", "teller"), appRole(t, e, "other", "teller")
	ofClients := appRole(t, e, "", "reader")
	for name, id := range map[string]string{"another application's": foreign, "one of clients": ofClients, "none": "9009"} {
		err := e.SetMemberRoles(t.Context(), e.Admin(), "app", enginesID, authtest.Charles, []string{id})
		refusedWith(t, name, err, auth.CodeRoleNotFound)
	}
	if err := e.RemoveOrganizationApps(t.Context(), e.Admin(), enginesID, []string{"other"}); err != nil {
		t.Fatal(err)
	}
	client := auth.MemberManager{Actor: e.App()}
	_, err := e.AddOrganizationMember(t.Context(), client, enginesID, newcomer("new@example.com", foreign))
	refusedWith(t, "of an application that the organization has not", err, auth.CodeRoleNotFound)

	owner := mustManage(t, e, "charles", enginesID)
	_, err = e.AddOrganizationMember(t.Context(), owner, enginesID, newcomer("new@example.com", teller))
	refusedWith(t, "one that the administrator does not have", err, auth.CodeNotPermitted)
	setRoles(t, e, "app", enginesID, authtest.Charles, teller)
	id, err := e.AddOrganizationMember(t.Context(), owner, enginesID, newcomer("new@example.com", teller))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.OrganizationMember(t.Context(), client, enginesID, id)
	if err != nil || !slices.Equal(m.Membership.AppRoles, []auth.RoleID{auth.RoleID(teller)}) {
		t.Errorf("got %v, %v", m.Membership.AppRoles, err)
	}
}

// TestKeptRefreshTokens is contract/cis §1.8: what does not revoke the refresh tokens of an application's members leaves only that
// application's, and a suspended member cannot use them.
func TestKeptRefreshTokens(t *testing.T) {
	t.Parallel()
	suspended, active := true, false
	suspend := func(to *bool) func(*testing.T, *authtest.Env) error {
		return func(t *testing.T, e *authtest.Env) error {
			by := auth.MemberManager{Actor: e.App()}
			return e.ChangeOrganizationMember(t.Context(), by, enginesID, authtest.Charles, auth.MemberFields{Suspended: to})
		}
	}
	roles := func(t *testing.T, e *authtest.Env) error {
		return e.SetMemberRoles(t.Context(), e.Admin(), "app", enginesID, authtest.Charles, []string{"CARD_ASSIGNEE"})
	}
	for name, tt := range map[string]struct {
		keeps      auth.RefreshKeeping
		do, undo   func(*testing.T, *authtest.Env) error
		then, kept bool // good after do, and after undo
	}{
		"suspension":               {auth.RefreshKeeping{}, suspend(&suspended), suspend(&active), false, false},
		"suspension, kept":         {auth.RefreshKeeping{OnSuspension: true}, suspend(&suspended), suspend(&active), false, true},
		"suspension, roles kept":   {auth.RefreshKeeping{OnRoles: true}, suspend(&suspended), suspend(&active), false, false},
		"roles":                    {auth.RefreshKeeping{}, roles, roles, false, false},
		"roles, kept":              {auth.RefreshKeeping{OnRoles: true}, roles, roles, true, true},
		"roles, suspension's kept": {auth.RefreshKeeping{OnSuspension: true}, roles, roles, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			if _, err := e.ChangeApplication(t.Context(), e.Admin(), "app", func(a *auth.Application) { a.Keeps = tt.keeps }); err != nil {
				t.Fatal(err)
			}
			tokens := map[auth.ClientID]string{}
			for _, client := range []auth.ClientID{"app", "other"} {
				in := backend("charles", authtest.Password)
				in.OrgID = enginesID
				set, err := e.AuthenticatePassword(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: client}, in)
				if err != nil {
					t.Fatal(err)
				}
				tokens[client] = set.RefreshToken
			}
			good := func(client auth.ClientID) bool {
				set, err := e.Refresh(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: client}, tokens[client])
				if err == nil {
					tokens[client] = set.RefreshToken
				} else if codeOf(err) != auth.CodeInvalidRefresh {
					t.Errorf("got %v", err)
				}
				return err == nil
			}
			if err := tt.do(t, e); err != nil {
				t.Fatal(err)
			}
			if good("app") != tt.then || good("other") {
				t.Errorf("at first: want the application's %t, the other's never", tt.then)
			}
			if err := tt.undo(t, e); err != nil {
				t.Fatal(err)
			}
			if good("app") != tt.kept || good("other") {
				t.Errorf("afterwards: want the application's %t, the other's never", tt.kept)
			}
		})
	}
}
