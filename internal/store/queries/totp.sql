-- name: TOTP :many
SELECT * FROM totps WHERE tenant_id = $1 AND user_id = $2;

-- name: AddTOTP :execrows
INSERT INTO totps (tenant_id, user_id, version, label, sealed, step, created_at, used_at, algorithm, digits, period)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING;

-- name: SwapTOTP :execrows
UPDATE totps SET version = sqlc.arg(version), label = sqlc.arg(label), sealed = sqlc.arg(sealed), step = sqlc.arg(step),
    created_at = sqlc.arg(created_at), used_at = sqlc.arg(used_at), algorithm = sqlc.arg(algorithm), digits = sqlc.arg(digits),
    period = sqlc.arg(period)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND version = sqlc.arg(from_version);

-- name: DropTOTP :execrows
DELETE FROM totps WHERE tenant_id = $1 AND user_id = $2;
