package cis

import (
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"countersign/internal/auth"
)

type createOrganizationRequest struct {
	Name      string   `json:"name"`
	Domain    string   `json:"domain"` // of old: one of them
	Domains   []string `json:"domains"`
	AppIDs    []string `json:"app_ids"`
	Enabled   *bool    `json:"enabled"`
	AliasName string   `json:"alias_name"`
	LogoURL   string   `json:"logo_url"`
}

func (in createOrganizationRequest) organization() auth.NewOrganization {
	domains := in.Domains
	if in.Domain != "" {
		domains = append(slices.Clone(domains), in.Domain)
	}
	return auth.NewOrganization{
		Name: in.Name, Domains: domains, Apps: in.AppIDs, Alias: in.AliasName, LogoURL: in.LogoURL,
		Suspended: in.Enabled != nil && !*in.Enabled,
	}
}

type organization struct {
	OrganizationID       string              `json:"organization_id"`
	AppIDs               []string            `json:"app_ids"`
	Name                 string              `json:"name"`
	Domain               string              `json:"domain"` // of old: the first
	Domains              []string            `json:"domains"`
	CreatedAt            int64               `json:"created_at"`
	UpdatedAt            int64               `json:"updated_at"`
	Enabled              bool                `json:"enabled"`
	ManagedOrganizations map[string][]string `json:"managed_organizations_by_app,omitempty"`
	ManagingOrganization string              `json:"managing_organization_id,omitempty"`
	LogoURL              string              `json:"logo_url,omitempty"`
	AliasName            string              `json:"alias_name,omitempty"`
}

// organizationOf is the contract's ApiOrganization; times are epoch milliseconds.
func (a *API) organizationOf(m auth.Managed) organization {
	o := m.Organization
	out := organization{
		OrganizationID: m.Ref.ID, AppIDs: append([]string{}, a.auth.OrganizationApps(m.Identity)...), Name: m.Name,
		Domains: append([]string{}, o.Domains...), CreatedAt: m.CreatedAt.UnixMilli(), UpdatedAt: later(o.UpdatedAt, m.CreatedAt).UnixMilli(),
		Enabled: m.SuspendedAt.IsZero(), ManagingOrganization: o.Manager, LogoURL: o.LogoURL, AliasName: o.Alias,
	}
	if len(o.Domains) > 0 {
		out.Domain = o.Domains[0]
	}
	for _, managed := range m.Manages {
		if out.ManagedOrganizations == nil {
			out.ManagedOrganizations = map[string][]string{}
		}
		in := managed.Organization.ManagedIn
		out.ManagedOrganizations[in] = append(out.ManagedOrganizations[in], managed.Ref.ID)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *call) organizationID() string { return c.r.PathValue("organization_id") }

// createOrganization is POST /v1/organizations of contract/cis §1.7.
func (a *API) createOrganization(c *call) error {
	var in createOrganizationRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	i, err := a.auth.CreateOrganization(c.r.Context(), c.by, in.organization())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{a.organizationOf(auth.Managed{Identity: i})})
}

// createManagedOrganization is POST /v1/organizations/{organization_id}/applications/{app_id}/managed-organizations.
func (a *API) createManagedOrganization(c *call) error {
	var in createOrganizationRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	app := c.r.PathValue("app_id")
	i, err := a.auth.CreateManagedOrganization(c.r.Context(), c.by, c.organizationID(), app, in.organization())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{a.organizationOf(auth.Managed{Identity: i})})
}

type organizationList struct {
	TotalCount int            `json:"total_count"`
	PageInfo   pageInfo       `json:"page_info"`
	Result     []organization `json:"result"`
}

// page is what a list of the contract says of the part that it is.
func page(offset, length, count int) pageInfo {
	return pageInfo{HasNextPage: offset+length < count && length > 0, HasPreviousPage: offset > 0 && count > 0}
}

// listOrganizations is GET /v1/organizations.
func (a *API) listOrganizations(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	query := c.r.URL.Query()
	offset := number(query.Get("page_offset"), 0)
	found, count, err := a.auth.Organizations(c.r.Context(), c.by, offset, number(query.Get("page_limit"), pageLimit))
	if err != nil {
		return err
	}
	list := organizationList{TotalCount: count, PageInfo: page(offset, len(found), count), Result: make([]organization, len(found))}
	for i, m := range found {
		list.Result[i] = a.organizationOf(m)
	}
	return c.w.JSON(http.StatusOK, list)
}

// getOrganization is GET /v1/organizations/{organization_id}, and by name.
func (a *API) getOrganization(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	m, err := a.auth.Organization(c.r.Context(), c.by, c.organizationID(), c.r.PathValue("organization_name"))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.organizationOf(m)})
}

type changeOrganizationRequest struct {
	Name      *string   `json:"name"`
	Domain    *string   `json:"domain"`
	Domains   *[]string `json:"domains"`
	Enabled   *bool     `json:"enabled"`
	AliasName *string   `json:"alias_name"`
	LogoURL   *string   `json:"logo_url"`
}

// changeOrganization is PUT /v1/organizations/{organization_id}; what is left out stays.
func (a *API) changeOrganization(c *call) error {
	var in changeOrganizationRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	f := auth.OrganizationFields{Name: in.Name, Alias: in.AliasName, LogoURL: in.LogoURL, Domains: in.Domains, Suspended: not(in.Enabled)}
	if in.Domains == nil && in.Domain != nil {
		f.Domains = &[]string{*in.Domain}
	}
	m, err := a.auth.ChangeOrganization(c.r.Context(), c.by, c.organizationID(), f)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.organizationOf(m)})
}

// not is the contrary of a value that was given.
func not(v *bool) *bool {
	if v == nil {
		return nil
	}
	contrary := !*v
	return &contrary
}

// setLogo is POST /v1/organizations/{organization_id}/logo of contract/cis §1.7, which has no body for it: this one is ours.
func (a *API) setLogo(c *call) error {
	var in struct {
		Logo string `json:"logo"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	m, err := a.auth.SetOrganizationLogo(c.r.Context(), c.by, c.organizationID(), in.Logo)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.organizationOf(m)})
}

// showLogo is where logo_url leads then. What it sends can be nothing but an image, whatever a browser takes it for.
func (a *API) showLogo(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	media, encoded, err := a.auth.OrganizationLogo(c.r.Context(), c.r.PathValue("logo_id"))
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "public, max-age=86400, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	return c.w.Bytes(http.StatusOK, raw)
}

// deleteOrganization is DELETE /v1/organizations/{organization_id}.
func (a *API) deleteOrganization(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteOrganization(c.r.Context(), c.by, c.organizationID()))
}

type appIDs struct {
	AppIDs []string `json:"app_ids"`
}

// addApps is PUT /v1/organizations/{organization_id}/apps.
func (a *API) addApps(c *call) error {
	var in appIDs
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.AddOrganizationApps(c.r.Context(), c.by, c.organizationID(), in.AppIDs))
}

// removeApps is DELETE /v1/organizations/{organization_id}/apps.
func (a *API) removeApps(c *call) error {
	var in appIDs
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.RemoveOrganizationApps(c.r.Context(), c.by, c.organizationID(), in.AppIDs))
}

type roleGroups struct {
	RoleGroups   []struct{} `json:"role_groups"`
	DefaultRoles []roleData `json:"default_organization_roles"`
}

// listRoleGroups is GET /v1/applications/{app_id}/organizations/{organization_id}/role-groups: there are none.
func (a *API) listRoleGroups(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.CheckOrganizationApp(c.r.Context(), c.by, c.organizationID(), c.r.PathValue("app_id")); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{roleGroups{[]struct{}{}, rolesOf(auth.OrganizationRoles())}})
}

type roleGroupIDs struct {
	RoleGroupIDs []string `json:"role_group_ids"`
}

// setRoleGroups is POST /v1/applications/{app_id}/organizations/{organization_id}/role-groups/set: of groups that are not there none can be
// set, and to set none changes nothing.
func (a *API) setRoleGroups(c *call) error {
	var in roleGroupIDs
	if err := c.decode(&in); err != nil {
		return err
	}
	err := a.auth.CheckOrganizationApp(c.r.Context(), c.by, c.organizationID(), c.r.PathValue("app_id"))
	if err == nil && len(in.RoleGroupIDs) > 0 {
		err = &auth.Error{Code: auth.CodeRoleNotFound, Field: "role_group_ids"}
	}
	return c.done(http.StatusAccepted, err)
}
