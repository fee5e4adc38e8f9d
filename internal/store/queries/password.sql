-- name: Password :many
SELECT * FROM passwords WHERE tenant_id = $1 AND user_id = $2;

-- name: AddPassword :execrows
INSERT INTO passwords (tenant_id, user_id, version, hash, shape, set_at, expires_at, expired, temporary)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING;

-- name: SwapPassword :execrows
UPDATE passwords SET version = sqlc.arg(version), hash = sqlc.arg(hash), shape = sqlc.arg(shape), set_at = sqlc.arg(set_at),
    expires_at = sqlc.arg(expires_at), expired = sqlc.arg(expired), temporary = sqlc.arg(temporary)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND version = sqlc.arg(from_version);

-- RaiseRevisionForShape is called where a shape comes into use or falls out of it.
-- name: RaiseRevisionForShape :exec
UPDATE directory SET revision = revision + 1
WHERE NOT EXISTS (SELECT 1 FROM passwords p WHERE p.tenant_id = $1 AND p.shape = $2);

-- One step of the index for each shape, since a scan would touch every password.
-- name: Shapes :many
WITH RECURSIVE used (tenant_id, shape) AS (
    SELECT t.id, (SELECT MIN(p.shape) FROM passwords p WHERE p.tenant_id = t.id)
    FROM tenants t
    UNION ALL
    SELECT u.tenant_id, (SELECT MIN(p.shape) FROM passwords p WHERE p.tenant_id = u.tenant_id AND p.shape > u.shape)
    FROM used u WHERE u.shape IS NOT NULL
)
SELECT CAST(tenant_id AS TEXT) AS tenant_id, CAST(shape AS TEXT) AS shape FROM used WHERE shape IS NOT NULL ORDER BY 1, 2;

-- name: KeepPassword :execrows
INSERT INTO password_history (tenant_id, user_id, version, hash, replaced_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: DropOldPasswords :exec
DELETE FROM password_history
WHERE password_history.tenant_id = sqlc.arg(tenant_id) AND password_history.user_id = sqlc.arg(user_id) AND password_history.version <= (
    SELECT h.version FROM password_history h WHERE h.tenant_id = sqlc.arg(tenant_id) AND h.user_id = sqlc.arg(user_id)
    ORDER BY h.version DESC LIMIT 1 OFFSET sqlc.arg(keep)
);

-- name: PasswordHistory :many
SELECT hash FROM password_history
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) ORDER BY version DESC LIMIT sqlc.arg(n);
