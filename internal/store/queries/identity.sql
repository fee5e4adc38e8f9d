-- name: Identity :many
SELECT * FROM identities WHERE tenant_id = $1 AND type = $2 AND id = $3;

-- name: AddIdentity :execrows
INSERT INTO identities (tenant_id, type, id, name, profile, details, diligence, created_at, suspended_at, organization, manager)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING;

-- name: PutIdentity :execrows
UPDATE identities SET name = sqlc.arg(name), profile = sqlc.arg(profile), details = sqlc.arg(details),
    diligence = sqlc.arg(diligence), created_at = sqlc.arg(created_at), suspended_at = sqlc.arg(suspended_at),
    organization = sqlc.arg(organization), manager = sqlc.arg(manager)
WHERE tenant_id = sqlc.arg(tenant_id) AND type = sqlc.arg(type) AND id = sqlc.arg(id);

-- name: AddMembership :execrows
INSERT INTO memberships (tenant_id, user_id, identity_type, identity_id, credential, position, last_used_at, roles, tag,
    suspended_at, member)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING;

-- name: PutMembership :execrows
UPDATE memberships SET roles = sqlc.arg(roles), tag = sqlc.arg(tag), suspended_at = sqlc.arg(suspended_at),
    member = sqlc.arg(member)
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id)
    AND identity_type = sqlc.arg(identity_type) AND identity_id = sqlc.arg(identity_id);

-- name: TouchMembership :execrows
UPDATE memberships SET last_used_at = CASE WHEN last_used_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE last_used_at END
WHERE tenant_id = sqlc.arg(tenant_id) AND user_id = sqlc.arg(user_id)
    AND identity_type = sqlc.arg(identity_type) AND identity_id = sqlc.arg(identity_id);

-- name: DropMembership :execrows
DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2 AND identity_type = $3 AND identity_id = $4;

-- name: DropIdentity :execrows
DELETE FROM identities WHERE tenant_id = $1 AND type = $2 AND id = $3;

-- name: DropMembershipsOfIdentity :exec
DELETE FROM memberships WHERE tenant_id = $1 AND identity_type = $2 AND identity_id = $3;

-- name: DomainsOf :many
SELECT domain FROM organization_domains WHERE tenant_id = $1 AND identity_type = $2 AND identity_id = $3;

-- name: AddDomain :execrows
INSERT INTO organization_domains (tenant_id, domain, identity_type, identity_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: DropDomain :exec
DELETE FROM organization_domains WHERE tenant_id = $1 AND domain = $2 AND identity_type = $3 AND identity_id = $4;
