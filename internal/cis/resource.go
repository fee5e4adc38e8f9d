package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

// resourceRequest is what a resource is made of, and what is changed of it: nil leaves a member as it is.
type resourceRequest struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	URI         *string `json:"uri"`
	Access      *int64  `json:"access_token_ttl"` // seconds, as the two below
	Refresh     *int64  `json:"refresh_token_ttl"`
	Rotate      *int64  `json:"max_refresh_rotate"`
}

func (in resourceRequest) fill(r *auth.Resource) {
	put(&r.Name, in.Name)
	put(&r.Description, in.Description)
	put(&r.URI, in.URI)
	for _, limit := range []struct {
		field *time.Duration
		value *int64
	}{{&r.Limits.Access, in.Access}, {&r.Limits.Refresh, in.Refresh}, {&r.Limits.Rotate, in.Rotate}} {
		if limit.value != nil {
			*limit.field = seconds(*limit.value)
		}
	}
}

type apiResource struct {
	ID          string    `json:"resource_id"`
	TenantID    string    `json:"tenant_id"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	URI         string    `json:"uri"`
	Access      int64     `json:"access_token_ttl"`
	Refresh     int64     `json:"refresh_token_ttl"`
	Rotate      int64     `json:"max_refresh_rotate"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func resourceOf(r auth.Resource) apiResource {
	return apiResource{
		ID: string(r.ID), TenantID: string(r.Tenant), Name: r.Name, Description: r.Description, URI: r.URI,
		Access: int64(r.Limits.Access / time.Second), Refresh: int64(r.Limits.Refresh / time.Second),
		Rotate: int64(r.Limits.Rotate / time.Second), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func resourceID(c *call) auth.ResourceID { return auth.ResourceID(c.r.PathValue("resource_id")) }

// createResource is POST /v1/resources of contract/cis §1.8.
func (a *API) createResource(c *call) error {
	var in resourceRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var r auth.Resource
	in.fill(&r)
	r, err := a.auth.CreateResource(c.r.Context(), c.by, r)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{resourceOf(r)})
}

// listResources is GET /v1/resources.
func (a *API) listResources(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Resources(c.r.Context(), c.by)
	if err != nil {
		return err
	}
	list := make([]apiResource, len(all))
	for i, r := range all {
		list[i] = resourceOf(r)
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// getResource is GET /v1/resources/uri.
func (a *API) getResource(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	r, err := a.auth.ResourceByURI(c.r.Context(), c.by, c.r.URL.Query().Get("resourceUri"))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{resourceOf(r)})
}

// updateResource is PUT /v1/resources/{resource_id}.
func (a *API) updateResource(c *call) error {
	var in resourceRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	r, err := a.auth.ChangeResource(c.r.Context(), c.by, resourceID(c), in.fill)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{resourceOf(r)})
}

// deleteResource is DELETE /v1/resources/{resource_id}.
func (a *API) deleteResource(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteResource(c.r.Context(), c.by, resourceID(c)))
}
