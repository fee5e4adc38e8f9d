-- AddUser gives no id that a deleted user had.
-- name: AddUser :execrows
INSERT INTO users (tenant_id, id, status, status_changed_at, epoch, email, email_verified_at, phone, phone_verified_at, username,
    profile, created_at, updated_at, email_changed_at, phone_changes, weakened_at, phone_changed_at)
SELECT CAST(sqlc.arg(tenant_id) AS TEXT), CAST(sqlc.arg(id) AS TEXT), CAST(sqlc.arg(status) AS TEXT),
    CAST(sqlc.arg(status_changed_at) AS BIGINT), CAST(sqlc.arg(epoch) AS BIGINT), CAST(sqlc.arg(email) AS TEXT),
    CAST(sqlc.arg(email_verified_at) AS BIGINT), CAST(sqlc.arg(phone) AS TEXT), CAST(sqlc.arg(phone_verified_at) AS BIGINT),
    CAST(sqlc.arg(username) AS TEXT), CAST(sqlc.arg(profile) AS TEXT), CAST(sqlc.arg(created_at) AS BIGINT),
    CAST(sqlc.arg(updated_at) AS BIGINT), CAST(sqlc.arg(email_changed_at) AS BIGINT), CAST(sqlc.arg(phone_changes) AS BIGINT),
    CAST(sqlc.arg(weakened_at) AS BIGINT), CAST(sqlc.arg(phone_changed_at) AS BIGINT)
WHERE NOT EXISTS (
    SELECT 1 FROM former_users f WHERE f.tenant_id = CAST(sqlc.arg(tenant_id) AS TEXT) AND f.id = CAST(sqlc.arg(id) AS TEXT)
)
ON CONFLICT DO NOTHING;

-- name: AddIdentifier :execrows
INSERT INTO identifiers (tenant_id, kind, canonical, user_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: HasUser :many
SELECT id FROM users WHERE tenant_id = $1 AND id = $2;

-- name: MoveUserStatus :execrows
UPDATE users SET status = sqlc.arg(status_to), status_changed_at = sqlc.arg(at), updated_at = sqlc.arg(at), epoch = epoch + 1
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND status = sqlc.arg(status_from);

-- name: ActivateUser :execrows
UPDATE users SET status = 'active', status_changed_at = sqlc.arg(at), updated_at = sqlc.arg(at)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND status = 'pending';

-- name: RaiseEpoch :execrows
UPDATE users SET epoch = epoch + 1 WHERE tenant_id = $1 AND id = $2;

-- name: NameUser :execrows
UPDATE users SET username = sqlc.arg(username), updated_at = sqlc.arg(at)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND username = '';

-- name: PutUser :execrows
UPDATE users SET email = sqlc.arg(email), email_verified_at = sqlc.arg(email_verified_at), phone = sqlc.arg(phone),
    phone_verified_at = sqlc.arg(phone_verified_at), username = sqlc.arg(username), profile = sqlc.arg(profile),
    created_at = sqlc.arg(created_at), updated_at = sqlc.arg(updated_at), email_changed_at = sqlc.arg(email_changed_at),
    phone_changes = sqlc.arg(phone_changes), weakened_at = sqlc.arg(weakened_at),
    phone_changed_at = sqlc.arg(phone_changed_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id);

-- name: IdentifiersOf :many
SELECT kind, canonical FROM identifiers WHERE tenant_id = $1 AND user_id = $2;

-- name: DropIdentifier :execrows
DELETE FROM identifiers WHERE tenant_id = $1 AND kind = $2 AND canonical = $3 AND user_id = $4;

-- name: DropUser :execrows
DELETE FROM users WHERE tenant_id = $1 AND id = $2;

-- name: AddFormerUser :exec
INSERT INTO former_users (tenant_id, id, deleted_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: DropIdentifiersOf :exec
DELETE FROM identifiers WHERE tenant_id = $1 AND user_id = $2;

-- name: DropMembershipsOf :exec
DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2;

-- name: DropAuthenticatorsOf :exec
DELETE FROM authenticators WHERE tenant_id = $1 AND user_id = $2;

-- name: DropPasswordOf :many
DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2 RETURNING shape;

-- name: DropPasswordHistoryOf :exec
DELETE FROM password_history WHERE tenant_id = $1 AND user_id = $2;

-- name: DropAttemptsOf :exec
DELETE FROM attempts WHERE tenant_id = $1 AND subject = $2;

-- name: RaiseCounts :exec
INSERT INTO user_counts (tenant_id, part, users, organizations)
VALUES (sqlc.arg(tenant_id), sqlc.arg(part), sqlc.arg(users), sqlc.arg(organizations))
ON CONFLICT (tenant_id, part) DO UPDATE SET
    users = user_counts.users + excluded.users, organizations = user_counts.organizations + excluded.organizations;

-- name: Counts :many
SELECT CAST(COALESCE(SUM(users), 0) AS BIGINT) AS users, CAST(COALESCE(SUM(organizations), 0) AS BIGINT) AS organizations
FROM user_counts WHERE tenant_id = $1;

-- Miscounted looks at every user and organization, and at one snapshot.
-- name: Miscounted :many
WITH missing AS MATERIALIZED (
    SELECT t.id,
        CAST((SELECT COUNT(*) FROM users u WHERE u.tenant_id = t.id)
            - COALESCE((SELECT SUM(c.users) FROM user_counts c WHERE c.tenant_id = t.id), 0) AS BIGINT) AS users,
        CAST((SELECT COUNT(*) FROM identities i WHERE i.tenant_id = t.id AND i.type = 'CORPORATE')
            - COALESCE((SELECT SUM(c.organizations) FROM user_counts c WHERE c.tenant_id = t.id), 0) AS BIGINT) AS organizations
    FROM tenants t
)
SELECT id, users, organizations FROM missing WHERE users <> 0 OR organizations <> 0 ORDER BY id;
