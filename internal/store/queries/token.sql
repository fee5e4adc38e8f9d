-- A token whose session is missing gets the end 0: it is good for nothing and swept at once.
-- name: AddToken :execrows
INSERT INTO tokens (hash, tenant_id, session_id, kind, identity_type, identity_id, credential, issued_at, expires_at, used_at,
    stepped_up_at, session_ends_at)
VALUES (sqlc.arg(hash), sqlc.arg(tenant_id), sqlc.arg(session_id), sqlc.arg(kind), sqlc.arg(identity_type), sqlc.arg(identity_id),
    sqlc.arg(credential), sqlc.arg(issued_at), sqlc.arg(expires_at), sqlc.arg(used_at), sqlc.arg(stepped_up_at),
    COALESCE((SELECT s.ends_at FROM sessions s WHERE s.tenant_id = sqlc.arg(tenant_id) AND s.id = sqlc.arg(session_id)), 0))
ON CONFLICT DO NOTHING;

-- name: UseToken :execrows
UPDATE tokens SET used_at = sqlc.arg(at) WHERE hash = sqlc.arg(hash) AND used_at = 0;

-- name: StepUpToken :execrows
UPDATE tokens SET stepped_up_at = sqlc.arg(at)
WHERE hash = sqlc.arg(hash) AND used_at = 0
    AND EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = tokens.tenant_id AND s.id = tokens.session_id AND s.ended_at = 0);

-- name: HasToken :many
SELECT hash FROM tokens WHERE hash = $1;

-- name: SweepTokens :execrows
DELETE FROM tokens WHERE hash IN (
    SELECT t.hash FROM tokens t WHERE t.session_ends_at < sqlc.arg(before) ORDER BY t.session_ends_at LIMIT sqlc.arg(n)
);

-- name: AddRefresh :execrows
INSERT INTO refresh_tokens (hash, tenant_id, root, session_id, user_id, client_id, audience, scope, org_type, org_id, claims, userinfo,
    issued_at, expires_at, rotated_at, jkt, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0)
ON CONFLICT DO NOTHING;

-- name: RotateRefresh :execrows
UPDATE refresh_tokens SET rotated_at = sqlc.arg(at)
WHERE refresh_tokens.hash = sqlc.arg(hash) AND rotated_at = 0
    AND EXISTS (SELECT 1 FROM refresh_tokens f WHERE f.hash = refresh_tokens.root AND f.revoked_at = 0);

-- name: RevokeRefreshFamily :execrows
UPDATE refresh_tokens SET revoked_at = sqlc.arg(at) WHERE hash = sqlc.arg(root) AND revoked_at = 0;

-- name: HasRefresh :many
SELECT hash FROM refresh_tokens WHERE hash = $1;

-- name: SweepRefreshTokens :execrows
DELETE FROM refresh_tokens WHERE hash IN (
    SELECT r.hash FROM refresh_tokens r WHERE r.expires_at < sqlc.arg(before) ORDER BY r.expires_at LIMIT sqlc.arg(n)
);

-- RevokedToken finds why an access token is revoked: it was itself, or the family that it was issued with.
-- name: RevokedToken :many
SELECT r.id FROM revoked_tokens r WHERE r.tenant_id = sqlc.arg(tenant_id) AND r.id = sqlc.arg(id)
UNION ALL
SELECT f.user_id FROM refresh_tokens f WHERE f.hash = sqlc.arg(root) AND f.tenant_id = sqlc.arg(tenant_id) AND f.revoked_at > 0;

-- name: RevokeToken :execrows
INSERT INTO revoked_tokens (tenant_id, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: SweepRevokedTokens :execrows
DELETE FROM revoked_tokens WHERE (tenant_id, id) IN (
    SELECT r.tenant_id, r.id FROM revoked_tokens r WHERE r.expires_at < sqlc.arg(before) ORDER BY r.expires_at LIMIT sqlc.arg(n)
);
