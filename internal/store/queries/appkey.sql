-- name: AppKeys :many
SELECT * FROM app_keys ORDER BY tenant_id, created_at, id;

-- name: PutAppKey :exec
INSERT INTO app_keys (tenant_id, id, app_id, name, status, alg, public, sealed, created_at, updated_at, active_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, id) DO UPDATE SET app_id = excluded.app_id, name = excluded.name, status = excluded.status, alg = excluded.alg,
    public = excluded.public, sealed = excluded.sealed, created_at = excluded.created_at, updated_at = excluded.updated_at,
    active_at = excluded.active_at;

-- name: DropAppKey :execrows
DELETE FROM app_keys WHERE tenant_id = $1 AND id = $2;
