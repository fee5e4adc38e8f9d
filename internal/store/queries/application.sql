-- name: Applications :many
SELECT * FROM applications ORDER BY tenant_id, id;

-- name: PutApplication :exec
INSERT INTO applications (tenant_id, id, name, description, logo, login_uri, invite_uri, created_by, created_at, updated_at, roles, options,
    methods)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, description = excluded.description, logo = excluded.logo,
    login_uri = excluded.login_uri, invite_uri = excluded.invite_uri, created_by = excluded.created_by,
    created_at = excluded.created_at, updated_at = excluded.updated_at, roles = excluded.roles, options = excluded.options,
    methods = excluded.methods;

-- name: DropApplication :execrows
DELETE FROM applications WHERE tenant_id = $1 AND id = $2;
