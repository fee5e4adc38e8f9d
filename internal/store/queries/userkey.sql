-- name: UserKey :many
SELECT * FROM user_keys WHERE tenant_id = $1 AND user_id = $2 AND key_use = $3 AND id = $4;

-- name: UserKeys :many
SELECT * FROM user_keys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, key_use, id;

-- name: AddUserKey :execrows
INSERT INTO user_keys (tenant_id, user_id, key_use, id, version, type, public, os, name, custom, push_type, push_token, blocked_at,
    created_at, updated_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT DO NOTHING;

-- name: SwapUserKey :execrows
UPDATE user_keys SET version = sqlc.arg(version), name = sqlc.arg(name), custom = sqlc.arg(custom), push_type = sqlc.arg(push_type),
    push_token = sqlc.arg(push_token), blocked_at = sqlc.arg(blocked_at), updated_at = sqlc.arg(updated_at), used_at = sqlc.arg(used_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id) AND key_use = sqlc.arg(key_use) AND id = sqlc.arg(id)
    AND version = sqlc.arg(from_version);

-- name: DropUserKey :execrows
DELETE FROM user_keys WHERE tenant_id = $1 AND user_id = $2 AND key_use = $3 AND id = $4;

-- name: DropUserKeysOf :exec
DELETE FROM user_keys WHERE tenant_id = $1 AND user_id = $2;

-- name: DropKeyAttempts :exec
DELETE FROM attempts WHERE tenant_id = $1 AND subject = $2 AND factor = 'key';

-- DropKeyAttemptsOf takes the first subject and the one after the last.
-- name: DropKeyAttemptsOf :exec
DELETE FROM attempts
WHERE tenant_id = sqlc.arg(tenant_id) AND factor = 'key' AND subject >= sqlc.arg(first) AND subject < sqlc.arg(after);

-- name: UseChallenge :execrows
INSERT INTO spent_challenges (tenant_id, digest, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: SweepSpentChallenges :execrows
DELETE FROM spent_challenges WHERE (tenant_id, digest) IN (
    SELECT s.tenant_id, s.digest FROM spent_challenges s WHERE s.expires_at < sqlc.arg(before) ORDER BY s.expires_at LIMIT sqlc.arg(n)
);
