package store

import (
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func role(row sqlc.Role) (auth.AppRole, error) {
	r := auth.AppRole{
		Tenant:      auth.TenantID(row.TenantID),
		ID:          auth.RoleID(row.ID),
		App:         auth.AppID(row.AppID),
		Name:        row.Name,
		DisplayName: row.DisplayName,
		Description: row.Description,
		CreatedAt:   moment(row.CreatedAt),
		UpdatedAt:   moment(row.UpdatedAt),
	}
	err := decode(row.Permissions, &r.Permissions)
	return r, err
}

// PutRole implements auth.Writes.
func (w writes) PutRole(r auth.AppRole) error {
	permissions, err := encode(r.Permissions)
	if err != nil {
		return fmt.Errorf("put role: %w", err)
	}
	return w.put("put role", w.q.PutRole(w.ctx, sqlc.PutRoleParams{
		TenantID:    string(r.Tenant),
		ID:          string(r.ID),
		AppID:       string(r.App),
		Name:        r.Name,
		DisplayName: r.DisplayName,
		Description: r.Description,
		Permissions: permissions,
		CreatedAt:   micros(r.CreatedAt),
		UpdatedAt:   micros(r.UpdatedAt),
	}))
}

// DropRole implements auth.Writes.
func (w writes) DropRole(t auth.TenantID, id auth.RoleID) (bool, error) {
	n, err := w.q.DropRole(w.ctx, sqlc.DropRoleParams{TenantID: string(t), ID: string(id)})
	return n > 0, w.put("drop role", err)
}
