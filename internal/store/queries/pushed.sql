-- name: SpendAssertion :execrows
INSERT INTO assertions (tenant_id, client_id, jti, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: SweepAssertions :execrows
DELETE FROM assertions WHERE (tenant_id, client_id, jti) IN (
    SELECT a.tenant_id, a.client_id, a.jti FROM assertions a WHERE a.expires_at < sqlc.arg(before) ORDER BY a.expires_at LIMIT sqlc.arg(n)
);

-- name: PushedRequest :many
SELECT * FROM pushed_requests WHERE hash = $1;

-- name: AddPushedRequest :execrows
INSERT INTO pushed_requests (hash, tenant_id, client_id, sealed, created_at, expires_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING;

-- name: UsePushedRequest :execrows
UPDATE pushed_requests SET used_at = sqlc.arg(at) WHERE hash = sqlc.arg(hash) AND used_at = 0;

-- name: HasPushedRequest :many
SELECT hash FROM pushed_requests WHERE hash = $1;

-- name: SweepPushedRequests :execrows
DELETE FROM pushed_requests WHERE hash IN (
    SELECT p.hash FROM pushed_requests p WHERE p.expires_at < sqlc.arg(before) ORDER BY p.expires_at LIMIT sqlc.arg(n)
);
