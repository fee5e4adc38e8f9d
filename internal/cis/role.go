package cis

import (
	"net/http"

	"countersign/internal/auth"
)

// roleRequest is what a role is made of, and what is changed of it: nil leaves a member as it is.
type roleRequest struct {
	Name        *string   `json:"role_name"`
	Permissions *[]string `json:"permissions"`
	Description *string   `json:"description"`
	DisplayName *string   `json:"display_name"`
}

func (in roleRequest) fill(r *auth.AppRole) {
	put(&r.Name, in.Name)
	put(&r.Permissions, in.Permissions)
	put(&r.Description, in.Description)
	put(&r.DisplayName, in.DisplayName)
}

type apiRole struct {
	ID          string   `json:"role_id"`
	Name        string   `json:"role_name"`
	Permissions []string `json:"permissions"`
	AppID       string   `json:"app_id,omitempty"` // none of a role of clients
	Description string   `json:"description,omitempty"`
	DisplayName string   `json:"display_name,omitempty"`
}

func roleOf(r auth.AppRole) apiRole {
	return apiRole{string(r.ID), r.Name, orEmpty(r.Permissions), string(r.App), r.Description, r.DisplayName}
}

// The handlers below serve the roles of an application, and those of clients where the path names no application.

func roleID(c *call) auth.RoleID { return auth.RoleID(c.r.PathValue("role_id")) }

// createRole is POST /v1/applications/{app_id}/roles of contract/cis §1.8.
func (a *API) createRole(c *call) error {
	var in roleRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	r := auth.AppRole{App: appID(c)}
	in.fill(&r)
	r, err := a.auth.CreateRole(c.r.Context(), c.by, r)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{roleOf(r)})
}

// listRoles is GET /v1/applications/{app_id}/roles.
func (a *API) listRoles(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Roles(c.r.Context(), c.by, appID(c))
	if err != nil {
		return err
	}
	list := make([]apiRole, len(all))
	for i, r := range all {
		list[i] = roleOf(r)
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// getRole is GET /v1/applications/{app_id}/roles/{role_id}.
func (a *API) getRole(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	r, err := a.auth.Role(c.r.Context(), c.by, appID(c), roleID(c))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{roleOf(r)})
}

// updateRole is PUT /v1/applications/{app_id}/roles/{role_id}; 202 is the contract's.
func (a *API) updateRole(c *call) error {
	var in roleRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	r, err := a.auth.ChangeRole(c.r.Context(), c.by, appID(c), roleID(c), in.fill)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusAccepted, result{roleOf(r)})
}

// deleteRole is DELETE /v1/applications/{app_id}/roles/{role_id}; 202 is the contract's.
func (a *API) deleteRole(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusAccepted, a.auth.DeleteRole(c.r.Context(), c.by, appID(c), roleID(c)))
}

// assignRole is POST /v1/applications/{app_id}/roles/{role_id}/assignments.
func (a *API) assignRole(c *call) error {
	var in struct {
		Entities []string `json:"entity_ids"`
		Type     string   `json:"entity_type"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.AssignRole(c.r.Context(), c.by, appID(c), roleID(c), in.Type, in.Entities))
}

// removeRole is DELETE /v1/applications/{app_id}/roles/{role_id}/assignments/{entity_id}.
func (a *API) removeRole(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.RemoveRole(c.r.Context(), c.by, appID(c), roleID(c), c.r.PathValue("entity_id")))
}
