-- name: Grant :many
SELECT * FROM grants WHERE hash = $1;

-- name: AddGrant :execrows
INSERT INTO grants (hash, tenant_id, client_id, redirect_uri, challenge, browser_id, session_id, scope, audience, nonce, org_type,
    org_id, claims, userinfo, issued_at, expires_at, used_at, jkt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT DO NOTHING;

-- name: UseGrant :execrows
UPDATE grants SET used_at = sqlc.arg(at) WHERE hash = sqlc.arg(hash) AND used_at = 0;

-- name: HasGrant :many
SELECT hash FROM grants WHERE hash = $1;

-- name: SweepGrants :execrows
DELETE FROM grants WHERE hash IN (
    SELECT g.hash FROM grants g WHERE g.expires_at < sqlc.arg(before) ORDER BY g.expires_at LIMIT sqlc.arg(n)
);
