-- name: Logo :many
SELECT * FROM organization_logos WHERE id = $1;

-- name: PutLogo :exec
INSERT INTO organization_logos (tenant_id, organization_id, id, uri, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, organization_id) DO UPDATE SET id = excluded.id, uri = excluded.uri, created_at = excluded.created_at;

-- name: DropLogoOf :exec
DELETE FROM organization_logos WHERE tenant_id = $1 AND organization_id = $2;
