-- name: CountMessages :many
SELECT COUNT(*) AS n, CAST(COALESCE(MIN(created_at), 0) AS BIGINT) AS oldest FROM outbox
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND created_at >= sqlc.arg(since)
    AND kind NOT IN ('webhook', 'wake', 'logout');

-- name: Queues :many
SELECT DISTINCT tenant_id, kind FROM outbox
WHERE status = 'pending' AND due_at <= sqlc.arg(now) AND leased_until <= sqlc.arg(now) ORDER BY tenant_id, kind;

-- The sub-select may have read what another node has leased since. The update looks at each row again once it has it, and so has to
-- repeat what a parcel must be like.
-- name: ClaimParcels :many
UPDATE outbox SET leased_until = sqlc.arg(until), tries = tries + 1
WHERE (tenant_id, id) IN (
    SELECT p.tenant_id, p.id FROM outbox p
    WHERE p.tenant_id = sqlc.arg(tenant_id) AND p.kind = sqlc.arg(kind) AND p.status = 'pending' AND p.due_at <= sqlc.arg(now)
        AND p.leased_until <= sqlc.arg(now)
    ORDER BY p.due_at LIMIT sqlc.arg(n)
) AND status = 'pending' AND due_at <= sqlc.arg(now) AND leased_until <= sqlc.arg(now)
RETURNING *;

-- name: SettleParcel :execrows
UPDATE outbox SET status = sqlc.arg(status), sealed = sqlc.arg(sealed), expires_at = sqlc.arg(expires_at),
    due_at = sqlc.arg(due_at), leased_until = sqlc.arg(leased_until), settled_at = sqlc.arg(settled_at), result = sqlc.arg(result)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND tries = sqlc.arg(tries);

-- name: RestartParcel :execrows
UPDATE outbox SET status = 'pending', tries = 0, due_at = sqlc.arg(due_at), leased_until = 0, settled_at = 0, result = sqlc.arg(result)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND status = 'failed';

-- name: HasParcel :many
SELECT id FROM outbox WHERE tenant_id = $1 AND id = $2;

-- name: SweepParcels :execrows
DELETE FROM outbox WHERE (tenant_id, id) IN (
    SELECT p.tenant_id, p.id FROM outbox p
    WHERE p.status = sqlc.arg(status) AND p.settled_at < sqlc.arg(before) ORDER BY p.settled_at LIMIT sqlc.arg(n)
) AND status || '' = sqlc.arg(status) AND +settled_at < sqlc.arg(before); -- see SweepAnswers
