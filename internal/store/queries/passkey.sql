-- name: Passkey :many
SELECT * FROM passkeys WHERE tenant_id = $1 AND id = $2;

-- name: PasskeysOf :many
SELECT * FROM passkeys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id;

-- name: PasskeysNamed :many
SELECT * FROM passkeys WHERE tenant_id = sqlc.arg(tenant_id) AND name = sqlc.arg(name) ORDER BY created_at, id LIMIT sqlc.arg(n);

-- name: AddPasskey :execrows
INSERT INTO passkeys (tenant_id, id, user_id, version, username, name, label, handle, public, aaguid, attachment, transports, site,
    client_id, counter, verified, backup_eligible, backed_up, created_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT DO NOTHING;

-- name: SwapPasskey :execrows
UPDATE passkeys SET version = sqlc.arg(version), label = sqlc.arg(label), counter = sqlc.arg(counter), verified = sqlc.arg(verified),
    backed_up = sqlc.arg(backed_up), used_at = sqlc.arg(used_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND version = sqlc.arg(from_version);

-- name: DropPasskey :execrows
DELETE FROM passkeys WHERE tenant_id = $1 AND id = $2;

-- name: DropPasskeysOf :exec
DELETE FROM passkeys WHERE tenant_id = $1 AND user_id = $2;

-- name: DropPasskeyAttemptsOf :exec
DELETE FROM attempts WHERE attempts.tenant_id = sqlc.arg(tenant_id) AND attempts.subject IN (
    SELECT 'passkey:' || p.id FROM passkeys p WHERE p.tenant_id = sqlc.arg(tenant_id) AND p.user_id = sqlc.arg(user_id)
);

-- name: Ceremony :many
SELECT * FROM ceremonies WHERE tenant_id = $1 AND id = $2;

-- name: AddCeremony :execrows
INSERT INTO ceremonies (tenant_id, id, purpose, client_id, username, name, handle, challenge, site, allowed, approval, created_at,
    expires_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT DO NOTHING;

-- name: UseCeremony :execrows
UPDATE ceremonies SET used_at = sqlc.arg(at) WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND used_at = 0;

-- name: HasCeremony :many
SELECT id FROM ceremonies WHERE tenant_id = $1 AND id = $2;

-- name: SweepCeremonies :execrows
DELETE FROM ceremonies WHERE (tenant_id, id) IN (
    SELECT c.tenant_id, c.id FROM ceremonies c WHERE c.expires_at < sqlc.arg(before) ORDER BY c.expires_at LIMIT sqlc.arg(n)
);
