-- name: Device :many
SELECT * FROM devices WHERE id = $1;

-- name: Devices :many
SELECT * FROM devices WHERE tenant_id = $1 AND user_id = $2 AND status <> 'revoked' ORDER BY bound_at, id;

-- name: AddDevice :execrows
INSERT INTO devices (id, tenant_id, user_id, version, name, public_key, push, certificate, status, failures, bound_at, used_at, ended_at,
    passkey_id, passkey_public, passkey_site, passkey_counter, passkey_backup_eligible, pin)
VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT DO NOTHING;

-- name: PutDevice :execrows
UPDATE devices SET version = sqlc.arg(version), name = sqlc.arg(name), push = sqlc.arg(push), status = sqlc.arg(status),
    failures = sqlc.arg(failures), used_at = sqlc.arg(used_at), ended_at = sqlc.arg(ended_at),
    passkey_counter = sqlc.arg(passkey_counter), pin = sqlc.arg(pin)
WHERE id = sqlc.arg(id) AND tenant_id = sqlc.arg(tenant_id) AND version = sqlc.arg(from_version);

-- name: HasDevice :many
SELECT id FROM devices WHERE id = $1 AND tenant_id = $2;

-- name: DropDeviceAttemptsOf :exec
DELETE FROM attempts WHERE attempts.tenant_id = sqlc.arg(tenant_id) AND attempts.subject IN (
    SELECT 'device:' || d.id FROM devices d WHERE d.tenant_id = sqlc.arg(tenant_id) AND d.user_id = sqlc.arg(user_id)
);

-- name: DropDevicesOf :exec
DELETE FROM devices WHERE tenant_id = $1 AND user_id = $2;

-- name: Ticket :many
SELECT * FROM tickets WHERE hash = $1;

-- name: AddTicket :execrows
INSERT INTO tickets (hash, tenant_id, user_id, session_id, created_at, expires_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, 0)
ON CONFLICT DO NOTHING;

-- name: UseTicket :execrows
UPDATE tickets SET used_at = sqlc.arg(at) WHERE hash = sqlc.arg(hash) AND used_at = 0;

-- name: HasTicket :many
SELECT hash FROM tickets WHERE hash = $1;

-- name: UseTicketsOf :execrows
UPDATE tickets SET used_at = sqlc.arg(at) WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND used_at = 0;

-- name: SweepTickets :execrows
DELETE FROM tickets WHERE hash IN (
    SELECT t.hash FROM tickets t WHERE t.expires_at < sqlc.arg(before) ORDER BY t.expires_at LIMIT sqlc.arg(n)
);

-- name: Approval :many
SELECT * FROM approvals WHERE tenant_id = $1 AND challenge_id = $2;

-- name: AddApproval :execrows
INSERT INTO approvals (tenant_id, challenge_id, user_id, device_id, decision, answer, certificate, event_id, answered_at, client_data,
    authenticator_data, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING;

-- name: CountDenied :many
SELECT COUNT(*) AS n, CAST(COALESCE(MIN(ended_at), 0) AS BIGINT) AS oldest FROM challenges
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND status = 'denied' AND channel IN ('BIOMETRIC', 'AUTHY')
    AND ended_at >= sqlc.arg(since);
