package auth

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ResourceID names a resource within its tenant.
type ResourceID string

// Resource is what an access token may be for, with the lives of the tokens that are (contract/cis §1.8). A URI that clients may ask for need
// not be one: then their tokens live as the client says.
type Resource struct {
	Tenant      TenantID
	ID          ResourceID
	Name        string
	Description string
	URI         string // becomes aud
	Limits      TokenLimits
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

type uriRef struct {
	tenant TenantID
	uri    string
}

// lives are those of a client's tokens for an audience: the resource's, if that is one.
func (s *Service) lives(c *Client, audience string) TokenLimits {
	if r := s.dir.Load().uris[uriRef{c.Tenant, audience}]; r != nil {
		return r.Limits
	}
	return c.Limits()
}

// asResources turns ids of resources among a client's into their URIs. What is neither an id nor a URI is refused (RFC 8707 §2).
//
// Error: CodeValueInvalid.
func (d *directory) asResources(t TenantID, names []string) ([]string, error) {
	uris := make([]string, 0, len(names))
	for _, name := range names {
		if r := d.resource(t, ResourceID(name)); r != nil {
			name = r.URI
		}
		if !resourceURI(name) {
			return nil, refuseField(CodeValueInvalid, "resources")
		}
		if !slices.Contains(uris, name) {
			uris = append(uris, name)
		}
	}
	return uris, nil
}

// resourceURI reports whether a text is an absolute URI without a fragment.
func resourceURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && !strings.Contains(text, "#")
}

func (d *directory) resource(t TenantID, id ResourceID) *Resource {
	for i := range d.Directory.Resources {
		if r := &d.Directory.Resources[i]; r.Tenant == t && r.ID == id {
			return r
		}
	}
	return nil
}

// ResourceNames are what a client's resources are called on the wire: by id if they have one, or else by URI.
func (s *Service) ResourceNames(c Client) []string {
	d, names := s.dir.Load(), make([]string, len(c.Resources))
	for i, uri := range c.Resources {
		names[i] = uri
		if r := d.uris[uriRef{c.Tenant, uri}]; r != nil {
			names[i] = string(r.ID)
		}
	}
	return names
}

// Resources lists the resources of the tenant by name.
func (s *Service) Resources(ctx context.Context, by Actor) ([]Resource, error) {
	d, err := s.present(ctx, by)
	if err != nil {
		return nil, err
	}
	var all []Resource
	for _, r := range d.Directory.Resources {
		if r.Tenant == by.Tenant {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Resource) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// ResourceByURI finds one resource.
//
// Error: CodeResourceNotFound.
func (s *Service) ResourceByURI(ctx context.Context, by Actor, uri string) (Resource, error) {
	d, err := s.present(ctx, by)
	if err != nil {
		return Resource{}, err
	}
	if r := d.uris[uriRef{by.Tenant, uri}]; r != nil {
		return *r, nil
	}
	return Resource{}, refuse(CodeResourceNotFound)
}

// settleResource reports whether a resource can be as it is described.
//
// Errors: CodeValueInvalid, CodeResourceExists.
func (d *directory) settleResource(r Resource) error {
	if !resourceURI(r.URI) {
		return refuseField(CodeValueInvalid, "uri")
	}
	if other := d.uris[uriRef{r.Tenant, r.URI}]; other != nil && other.ID != r.ID {
		return refuseField(CodeResourceExists, "uri")
	}
	return nil
}

// CreateResource adds a resource, whose URI must be free.
//
// Errors: CodeValueInvalid, CodeResourceExists.
func (s *Service) CreateResource(ctx context.Context, by Actor, r Resource) (Resource, error) {
	now := s.now()
	r.Tenant, r.ID, r.CreatedAt, r.UpdatedAt = by.Tenant, ResourceID(randomText(16)), now, now
	return r, s.rewrite(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if err := d.settleResource(r); err != nil {
			return Event{}, err
		}
		return s.note(by, EventResourceCreated, string(r.ID), now), tx.PutResource(r)
	})
}

// ChangeResource changes a resource. A new URI takes the place of the former one with all clients. change may be called more than once.
//
// Errors: CodeResourceNotFound, CodeValueInvalid, CodeResourceExists.
func (s *Service) ChangeResource(ctx context.Context, by Actor, id ResourceID, change func(*Resource)) (Resource, error) {
	now := s.now()
	var out Resource
	err := s.rewrite(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present := d.resource(by.Tenant, id)
		if present == nil {
			return Event{}, refuse(CodeResourceNotFound)
		}
		out = *present
		change(&out)
		out.UpdatedAt = now
		if err := d.settleResource(out); err != nil {
			return Event{}, err
		}
		for _, c := range d.using(present) {
			i := slices.Index(c.Resources, present.URI)
			c.Resources = slices.Clone(c.Resources)
			c.Resources[i] = out.URI
			if err := tx.PutClient(c); err != nil {
				return Event{}, err
			}
		}
		return s.note(by, EventResourceChanged, string(id), now), tx.PutResource(out)
	})
	return out, err
}

// DeleteResource deletes a resource that no client may ask for any more.
//
// Errors: CodeResourceNotFound, CodeResourceInUse.
func (s *Service) DeleteResource(ctx context.Context, by Actor, id ResourceID) error {
	return s.rewrite(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present := d.resource(by.Tenant, id)
		switch {
		case present == nil:
			return Event{}, refuse(CodeResourceNotFound)
		case len(d.using(present)) > 0:
			return Event{}, refuse(CodeResourceInUse)
		}
		_, err := tx.DropResource(by.Tenant, id)
		return s.note(by, EventResourceDeleted, string(id), s.now()), err
	})
}

// using lists the live clients that may ask for a resource.
func (d *directory) using(r *Resource) []Client {
	var all []Client
	for _, c := range d.Directory.Clients {
		if c.Tenant == r.Tenant && c.DisabledAt.IsZero() && slices.Contains(c.Resources, r.URI) {
			all = append(all, c)
		}
	}
	return all
}
