package store

import (
	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func resource(row sqlc.Resource) (auth.Resource, error) {
	return auth.Resource{
		Tenant:      auth.TenantID(row.TenantID),
		ID:          auth.ResourceID(row.ID),
		Name:        row.Name,
		Description: row.Description,
		URI:         row.Uri,
		Limits:      auth.TokenLimits{Access: span(row.AccessFor), Refresh: span(row.RefreshFor), Rotate: span(row.RotateFor)},
		CreatedAt:   moment(row.CreatedAt),
		UpdatedAt:   moment(row.UpdatedAt),
	}, nil
}

// PutResource implements auth.Writes.
func (w writes) PutResource(r auth.Resource) error {
	return w.put("put resource", w.q.PutResource(w.ctx, sqlc.PutResourceParams{
		TenantID:    string(r.Tenant),
		ID:          string(r.ID),
		Name:        r.Name,
		Description: r.Description,
		Uri:         r.URI,
		AccessFor:   r.Limits.Access.Microseconds(),
		RefreshFor:  r.Limits.Refresh.Microseconds(),
		RotateFor:   r.Limits.Rotate.Microseconds(),
		CreatedAt:   micros(r.CreatedAt),
		UpdatedAt:   micros(r.UpdatedAt),
	}))
}

// DropResource implements auth.Writes.
func (w writes) DropResource(t auth.TenantID, id auth.ResourceID) (bool, error) {
	n, err := w.q.DropResource(w.ctx, sqlc.DropResourceParams{TenantID: string(t), ID: string(id)})
	return n > 0, w.put("drop resource", err)
}
