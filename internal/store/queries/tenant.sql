-- name: Revision :many
SELECT revision FROM directory;

-- name: RaiseRevision :exec
UPDATE directory SET revision = revision + 1;

-- name: RevokedUntil :many
SELECT revoked_until FROM directory;

-- name: RaiseRevokedUntil :exec
UPDATE directory SET revision = revision + 1, revoked_until = sqlc.arg(until) WHERE revoked_until < sqlc.arg(until);

-- name: Tenants :many
SELECT * FROM tenants ORDER BY id;

-- name: PutTenant :exec
INSERT INTO tenants (id, name, mode, settings, webhook, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, mode = excluded.mode, settings = excluded.settings,
    webhook = excluded.webhook, created_at = excluded.created_at;

-- name: APIKeys :many
SELECT * FROM api_keys ORDER BY tenant_id, id;

-- name: PutAPIKey :exec
INSERT INTO api_keys (tenant_id, id, name, hash, sealed, created_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, hash = excluded.hash, sealed = excluded.sealed,
    created_at = excluded.created_at, revoked_at = excluded.revoked_at;

-- name: ProgrammeKeys :many
SELECT * FROM programme_keys ORDER BY tenant_id, hash;

-- name: PutProgrammeKey :exec
INSERT INTO programme_keys (tenant_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING;
