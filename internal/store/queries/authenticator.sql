-- name: Authenticators :many
SELECT * FROM authenticators WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id;

-- name: AddAuthenticator :execrows
INSERT INTO authenticators (tenant_id, user_id, id, kind, channel, status, target, simulated, created_at, bound_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING;

-- name: PutAuthenticator :execrows
UPDATE authenticators SET kind = sqlc.arg(kind), channel = sqlc.arg(channel), status = sqlc.arg(status), target = sqlc.arg(target),
    simulated = sqlc.arg(simulated), created_at = sqlc.arg(created_at), bound_at = sqlc.arg(bound_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND id = sqlc.arg(id);

-- name: DropAuthenticator :execrows
DELETE FROM authenticators WHERE tenant_id = $1 AND id = $2;
