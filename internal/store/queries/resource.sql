-- name: Resources :many
SELECT * FROM resources ORDER BY tenant_id, id;

-- name: PutResource :exec
INSERT INTO resources (tenant_id, id, name, description, uri, access_for, refresh_for, rotate_for, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, description = excluded.description, uri = excluded.uri,
    access_for = excluded.access_for, refresh_for = excluded.refresh_for, rotate_for = excluded.rotate_for,
    created_at = excluded.created_at, updated_at = excluded.updated_at;

-- name: DropResource :execrows
DELETE FROM resources WHERE tenant_id = $1 AND id = $2;
