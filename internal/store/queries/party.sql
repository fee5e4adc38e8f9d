-- name: Party :many
SELECT * FROM parties WHERE tenant_id = $1 AND session_id = $2;

-- name: AddParty :execrows
INSERT INTO parties (tenant_id, session_id, browser_id, user_id, client_id, ends_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: MoveParties :exec
UPDATE parties SET browser_id = sqlc.arg(successor), ends_at = CASE WHEN ends_at < sqlc.arg(until) THEN sqlc.arg(until) ELSE ends_at END
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND browser_id = sqlc.arg(browser_id);

-- TakeParties takes those of one session of the browser, or of all of the user's when it is empty.
-- name: TakeParties :many
DELETE FROM parties
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id)
    AND (CAST(sqlc.arg(browser_id) AS TEXT) = '' OR browser_id = CAST(sqlc.arg(browser_id) AS TEXT))
RETURNING *;

-- name: SweepParties :execrows
DELETE FROM parties WHERE (tenant_id, session_id) IN (
    SELECT p.tenant_id, p.session_id FROM parties p WHERE p.ends_at < sqlc.arg(before) ORDER BY p.ends_at LIMIT sqlc.arg(n)
) AND +ends_at < sqlc.arg(before); -- see SweepAnswers
