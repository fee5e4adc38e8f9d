-- name: Link :many
SELECT * FROM links WHERE tenant_id = $1 AND type = $2 AND id = $3;

-- name: AddLink :execrows
INSERT INTO links (tenant_id, type, id, version, identity_type, identity_id, status, currency, amount, payee, account, text,
    created_at, updated_at, challenge_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING;

-- name: SwapLink :execrows
UPDATE links SET version = sqlc.arg(version), identity_type = sqlc.arg(identity_type), identity_id = sqlc.arg(identity_id),
    status = sqlc.arg(status), currency = sqlc.arg(currency), amount = sqlc.arg(amount), payee = sqlc.arg(payee),
    account = sqlc.arg(account), text = sqlc.arg(text), created_at = sqlc.arg(created_at), updated_at = sqlc.arg(updated_at),
    challenge_id = sqlc.arg(challenge_id)
WHERE tenant_id = sqlc.arg(tenant_id) AND type = sqlc.arg(type) AND id = sqlc.arg(id) AND version = sqlc.arg(from_version);

-- name: SweepLinks :execrows
DELETE FROM links WHERE (tenant_id, type, id) IN (
    SELECT l.tenant_id, l.type, l.id FROM links l
    WHERE l.status <> 'CHALLENGE_COMPLETED' AND l.updated_at < sqlc.arg(before) ORDER BY l.updated_at LIMIT sqlc.arg(n)
) AND +updated_at < sqlc.arg(before); -- see SweepAnswers
