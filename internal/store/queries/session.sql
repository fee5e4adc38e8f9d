-- name: AddSession :execrows
INSERT INTO sessions (tenant_id, id, surface, user_id, epoch, client_id, methods, org_type, org_id, created_at, auth_at, seen_at,
    idle_limit, ends_at, ended_at, ended_why)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT DO NOTHING;

-- JoinSession adds one method, or none when it is empty.
-- name: JoinSession :execrows
UPDATE sessions
SET methods = CASE
        WHEN CAST(sqlc.arg(method) AS TEXT) = '' THEN methods
        WHEN REPLACE(methods, ' ' || CAST(sqlc.arg(method) AS TEXT) || ' ', '') <> methods THEN methods
        ELSE methods || CAST(sqlc.arg(method) AS TEXT) || ' '
    END,
    seen_at = CASE WHEN seen_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE seen_at END,
    auth_at = CASE WHEN auth_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE auth_at END
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND ended_at = 0;

-- name: TouchSession :execrows
UPDATE sessions
SET seen_at = CASE WHEN seen_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE seen_at END
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND ended_at = 0;

-- name: EndSession :execrows
UPDATE sessions SET ended_at = sqlc.arg(at), ended_why = sqlc.arg(why)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND ended_at = 0;

-- name: EndSessionsOf :many
UPDATE sessions SET ended_at = sqlc.arg(at), ended_why = sqlc.arg(why)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND surface = sqlc.arg(surface) AND ended_at = 0
    AND (client_id = sqlc.arg(client_id) OR CAST(sqlc.arg(client_id) AS TEXT) = '')
RETURNING *;

-- name: HasSession :many
SELECT id FROM sessions WHERE tenant_id = $1 AND id = $2;

-- name: SweepSessions :execrows
DELETE FROM sessions WHERE (tenant_id, id) IN (
    SELECT s.tenant_id, s.id FROM sessions s WHERE s.ends_at < sqlc.arg(before) ORDER BY s.ends_at LIMIT sqlc.arg(n)
);

-- name: SessionsOf :many
SELECT * FROM sessions
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND surface = sqlc.arg(surface) AND ended_at = 0
ORDER BY seen_at DESC, id LIMIT sqlc.arg(n);
