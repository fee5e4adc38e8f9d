-- name: Roles :many
SELECT * FROM roles ORDER BY tenant_id, id;

-- name: PutRole :exec
INSERT INTO roles (tenant_id, id, app_id, name, display_name, description, permissions, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, id) DO UPDATE SET app_id = excluded.app_id, name = excluded.name, display_name = excluded.display_name,
    description = excluded.description, permissions = excluded.permissions, created_at = excluded.created_at,
    updated_at = excluded.updated_at;

-- name: DropRole :execrows
DELETE FROM roles WHERE tenant_id = $1 AND id = $2;
