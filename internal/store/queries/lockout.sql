-- name: Attempts :many
SELECT * FROM attempts WHERE tenant_id = $1 AND subject = $2 AND factor = $3;

-- name: AddAttempts :execrows
INSERT INTO attempts (tenant_id, subject, factor, version, failures, pending, pending_at, failed_at, locked_until, succeeded_at,
    expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING;

-- name: SwapAttempts :execrows
UPDATE attempts SET version = sqlc.arg(version), failures = sqlc.arg(failures), pending = sqlc.arg(pending),
    pending_at = sqlc.arg(pending_at), failed_at = sqlc.arg(failed_at), locked_until = sqlc.arg(locked_until),
    succeeded_at = sqlc.arg(succeeded_at), expires_at = sqlc.arg(expires_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND factor = sqlc.arg(factor)
    AND version = sqlc.arg(from_version);

-- name: SweepAttempts :execrows
DELETE FROM attempts WHERE (tenant_id, subject, factor) IN (
    SELECT a.tenant_id, a.subject, a.factor FROM attempts a
    WHERE a.expires_at < sqlc.arg(before) AND a.expires_at <> 0 ORDER BY a.expires_at LIMIT sqlc.arg(n)
) AND +expires_at < sqlc.arg(before) AND expires_at <> 0; -- see SweepAnswers
