-- name: Identity :many
SELECT * FROM identities WHERE tenant_id = $1 AND type = $2 AND id = $3;

-- name: AddIdentity :execrows
INSERT INTO identities (tenant_id, type, id, name, profile, details, diligence, created_at, suspended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING;

-- name: PutIdentity :execrows
UPDATE identities SET name = sqlc.arg(name), profile = sqlc.arg(profile), details = sqlc.arg(details),
    diligence = sqlc.arg(diligence), created_at = sqlc.arg(created_at), suspended_at = sqlc.arg(suspended_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND type = sqlc.arg(type) AND id = sqlc.arg(id);

-- name: AddMembership :execrows
INSERT INTO memberships (tenant_id, user_id, identity_type, identity_id, credential, position, last_used_at, roles, tag,
    suspended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING;

-- name: PutMembership :execrows
UPDATE memberships SET roles = sqlc.arg(roles), tag = sqlc.arg(tag), suspended_at = sqlc.arg(suspended_at)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id)
    AND identity_type = sqlc.arg(identity_type) AND identity_id = sqlc.arg(identity_id);

-- name: TouchMembership :execrows
UPDATE memberships SET last_used_at = CASE WHEN last_used_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE last_used_at END
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id)
    AND identity_type = sqlc.arg(identity_type) AND identity_id = sqlc.arg(identity_id);
