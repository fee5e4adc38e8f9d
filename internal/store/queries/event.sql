-- name: Events :many
SELECT * FROM events
WHERE tenant_id = sqlc.arg(tenant_id) AND id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(n);
