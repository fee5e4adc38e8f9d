package store

import (
	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Logo implements auth.Reads.
func (r reads) Logo(id string) (auth.Logo, error) {
	const verb = "read logo"
	rows, err := r.q.Logo(r.ctx, id)
	row, err := one(r, verb, rows, err)
	return auth.Logo{
		Tenant: auth.TenantID(row.TenantID), Organization: row.OrganizationID, ID: row.ID, URI: row.Uri, CreatedAt: moment(row.CreatedAt),
	}, err
}

// PutLogo implements auth.Writes.
func (w writes) PutLogo(l auth.Logo) error {
	err := w.q.PutLogo(w.ctx, sqlc.PutLogoParams{
		TenantID: string(l.Tenant), OrganizationID: l.Organization, ID: l.ID, Uri: l.URI, CreatedAt: micros(l.CreatedAt),
	})
	return w.h.fail(w.ctx, "put logo", err)
}
