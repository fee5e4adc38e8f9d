-- name: Authenticators :many
SELECT * FROM authenticators WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id;

-- name: AddAuthenticator :execrows
INSERT INTO authenticators (tenant_id, user_id, id, kind, channel, simulated, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING;
