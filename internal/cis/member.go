package cis

import (
	"net/http"

	"countersign/internal/auth"
)

type organizationInformationRequest struct {
	Enabled    *bool   `json:"enabled"`
	Department *string `json:"department"`
	Title      *string `json:"title"`
	Manager    *string `json:"manager"`
}

type addMemberRequest struct {
	createUserRequest
	OrganizationInformation organizationInformationRequest `json:"organization_information"`
	RoleIDs                 []string                       `json:"role_ids"`
	SendInvite              bool                           `json:"send_invite"`
}

func (in addMemberRequest) member() auth.NewMember {
	info := in.OrganizationInformation
	m := auth.NewMember{NewUser: in.user(), Roles: in.RoleIDs, Invite: in.SendInvite, Suspended: info.Enabled != nil && !*info.Enabled}
	set(&m.Department, info.Department)
	set(&m.Title, info.Title)
	set(&m.Manager, info.Manager)
	return m
}

type userID struct {
	UserID string `json:"user_id"`
}

// addMember is POST /v1/organizations/{organization_id}/members of contract/cis §1.7.
func (a *API) addMember(c *call) error {
	var in addMemberRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	id, err := a.auth.AddOrganizationMember(c.r.Context(), c.manager, c.organizationID(), in.member())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{userID{string(id)}})
}

type roleData struct {
	RoleID      string `json:"role_id"`
	RoleName    string `json:"role_name"`
	DisplayName string `json:"display_name,omitempty"`
}

func rolesOf(all []auth.MemberRole) []roleData {
	list := make([]roleData, len(all))
	for i, r := range all {
		list[i] = roleData{r.ID, r.Name, r.Display}
	}
	return list
}

type assignedApp struct {
	AppID string     `json:"app_id"`
	Roles []roleData `json:"roles"`
}

type organizationInformation struct {
	OrganizationID string        `json:"organization_id"`
	Name           string        `json:"name"`
	AddedBy        string        `json:"added_by"`
	Department     string        `json:"department,omitempty"`
	Title          string        `json:"title,omitempty"`
	Manager        string        `json:"manager,omitempty"`
	Enabled        bool          `json:"enabled"`
	AddedAt        int64         `json:"added_at,omitzero"`
	UpdatedAt      int64         `json:"updated_at,omitzero"`
	LogoURL        string        `json:"logo_url,omitempty"`
	Alias          string        `json:"alias,omitempty"`
	AssignedApps   []assignedApp `json:"assigned_apps"`
}

type apiMember struct {
	apiUser
	OrganizationInformation organizationInformation `json:"organization_information"`
	Roles                   []roleData              `json:"roles"`
}

// memberOf is the contract's ApiMember. Who became a member on /multi was added by nobody that is known, at no known time.
func (a *API) memberOf(c *call, m auth.OrganizationMember) apiMember {
	with, roles := m.Membership, rolesOf(a.auth.RolesOfMember(m.Membership, ""))
	info, org := with.Info, with.Identity.Organization
	out := apiMember{apiUser: a.userOf(c, m.Account), Roles: roles, OrganizationInformation: organizationInformation{
		OrganizationID: with.Identity.Ref.ID, Name: with.Identity.Name, AddedBy: info.AddedBy, Department: info.Department, Title: info.Title,
		Manager: info.Manager, Enabled: with.SuspendedAt.IsZero(), LogoURL: org.LogoURL, Alias: org.Alias, AssignedApps: []assignedApp{},
	}}
	if !info.AddedAt.IsZero() {
		out.OrganizationInformation.AddedAt = info.AddedAt.UnixMilli()
	}
	if !info.UpdatedAt.IsZero() {
		out.OrganizationInformation.UpdatedAt = info.UpdatedAt.UnixMilli()
	}
	for _, app := range a.auth.OrganizationApps(with.Identity) {
		out.OrganizationInformation.AssignedApps = append(out.OrganizationInformation.AssignedApps, assignedApp{app, rolesOf(a.auth.RolesOfMember(with, app))})
	}
	return out
}

type memberList struct {
	TotalCount int         `json:"total_count"`
	PageInfo   pageInfo    `json:"page_info"`
	Result     []apiMember `json:"result"`
}

// listMembers is GET /v1/organizations/{organization_id}/members.
func (a *API) listMembers(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	query := c.r.URL.Query()
	search := auth.MemberSearch{
		Filter: query.Get("search"), Roles: query["role_values"], Member: member,
		Offset: number(query.Get("page_offset"), 0), Limit: number(query.Get("page_limit"), pageLimit),
	}
	found, count, err := a.auth.OrganizationMembers(c.r.Context(), c.manager, c.organizationID(), search)
	if err != nil {
		return err
	}
	list := memberList{TotalCount: count, PageInfo: page(search.Offset, len(found), count), Result: make([]apiMember, len(found))}
	for i, m := range found {
		list.Result[i] = a.memberOf(c, m)
	}
	return c.w.JSON(http.StatusOK, list)
}

// getMember is GET /v1/organizations/{organization_id}/members/{user_id}.
func (a *API) getMember(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	m, err := a.auth.OrganizationMember(c.r.Context(), c.manager, c.organizationID(), c.userID())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.memberOf(c, m)})
}

// changeMember is PUT /v1/organizations/{organization_id}/members/{user_id}: the membership. What is left out stays.
func (a *API) changeMember(c *call) error {
	var in organizationInformationRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	f := auth.MemberFields{Department: in.Department, Title: in.Title, Manager: in.Manager, Suspended: not(in.Enabled)}
	err := a.auth.ChangeOrganizationMember(c.r.Context(), c.manager, c.organizationID(), c.userID(), f)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{userID{string(c.userID())}})
}

type changeMemberUserRequest struct {
	Name        *name   `json:"name"`
	Email       *string `json:"email"`
	PhoneNumber *string `json:"phone_number"`
	Language    *string `json:"language"`
}

// changeMemberUser is PATCH /v1/organizations/{organization_id}/members/{user_id}: the person.
func (a *API) changeMemberUser(c *call) error {
	var in changeMemberUserRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	f := changeUserRequest{Name: in.Name, Email: in.Email, PhoneNumber: in.PhoneNumber, Language: in.Language}.fields()
	err := a.auth.ChangeMemberUser(c.r.Context(), c.manager, c.organizationID(), c.userID(), f)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{userID{string(c.userID())}})
}

// removeMember is DELETE /v1/organizations/{organization_id}/members/{user_id}.
func (a *API) removeMember(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.RemoveOrganizationMember(c.r.Context(), c.manager, c.organizationID(), c.userID()))
}

// listMemberOrganizations is GET /v1/members/{member_id}/organizations: the roles of a member by organization.
func (a *API) listMemberOrganizations(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.MemberOrganizations(c.r.Context(), c.manager, auth.UserID(c.r.PathValue("member_id")))
	if err != nil {
		return err
	}
	wanted, roles := c.r.URL.Query().Get("organization_id"), map[string][]roleData{}
	for _, m := range all {
		if id := m.Identity.Ref.ID; wanted == "" || wanted == id {
			roles[id] = rolesOf(a.auth.RolesOfMember(m, ""))
		}
	}
	return c.w.JSON(http.StatusOK, result{roles})
}

type roleIDs struct {
	RoleIDs []string `json:"role_ids"`
}

// setMemberRoles is POST /v1/applications/{app_id}/organizations/{organization_id}/members/{member_id}/roles.
func (a *API) setMemberRoles(c *call) error {
	var in roleIDs
	if err := c.decode(&in); err != nil {
		return err
	}
	id := auth.UserID(c.r.PathValue("member_id"))
	err := a.auth.SetMemberRoles(c.r.Context(), c.by, c.r.PathValue("app_id"), c.organizationID(), id, in.RoleIDs)
	return c.done(http.StatusNoContent, err)
}
