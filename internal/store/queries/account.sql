-- What a login needs of a user. One row per membership, one with empty
-- memberships when there is none, and for an identifier that nobody has one
-- row, with somebody else of the tenant in the user's place, whom "found" tells
-- from them: to read nobody would take less time, and tell (decision 5). The
-- attempts are those of auth.SubjectOf.
--
-- Here and elsewhere "d.id = 1" tells the planner of PostgreSQL that the
-- directory is one row. It guesses 1850 otherwise, since nothing ever analyses
-- so small a table, and then joins whole tables by hashing.

-- name: AccountByIdentifier :many
SELECT
    d.revision, n.user_id AS found,
    u.id AS user_id, u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at,
    u.username, u.profile, u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at, u.phone_changed_at,
    p.version AS password_version, p.hash, p.shape, p.set_at, p.expires_at AS password_expires_at, p.expired, p.temporary,
    a.version AS attempts_version, a.failures, a.pending, a.pending_at, a.failed_at, a.locked_until, a.succeeded_at,
    a.expires_at AS attempts_expires_at,
    m.identity_type, m.identity_id, m.credential, m.position, m.last_used_at, m.roles, m.tag, m.suspended_at, m.member,
    i.name AS identity_name, i.profile AS identity_profile, i.diligence, i.created_at AS identity_created_at,
    i.suspended_at AS identity_suspended_at, i.organization, i.manager
FROM directory d
LEFT JOIN identifiers n ON n.tenant_id = sqlc.arg(tenant_id) AND n.kind = sqlc.arg(kind) AND n.canonical = sqlc.arg(canonical)
LEFT JOIN users u ON u.tenant_id = sqlc.arg(tenant_id) AND u.id = COALESCE(n.user_id, (
    SELECT v.id FROM users v WHERE v.tenant_id = sqlc.arg(tenant_id) AND v.id > CAST(sqlc.arg(stand_in) AS TEXT) ORDER BY v.id LIMIT 1
), (
    SELECT v.id FROM users v WHERE v.tenant_id = sqlc.arg(tenant_id) ORDER BY v.id LIMIT 1
))
LEFT JOIN passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id
LEFT JOIN attempts a ON a.tenant_id = sqlc.arg(tenant_id) AND a.factor = 'password'
    AND a.subject = COALESCE('user:' || n.user_id, CAST(sqlc.arg(phantom) AS TEXT))
LEFT JOIN memberships m ON m.tenant_id = u.tenant_id AND m.user_id = u.id
LEFT JOIN identities i ON i.tenant_id = m.tenant_id AND i.type = m.identity_type AND i.id = m.identity_id
WHERE d.id = 1;

-- name: AccountByUser :many
SELECT
    d.revision, u.id AS found,
    u.id AS user_id, u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at,
    u.username, u.profile, u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at, u.phone_changed_at,
    p.version AS password_version, p.hash, p.shape, p.set_at, p.expires_at AS password_expires_at, p.expired, p.temporary,
    a.version AS attempts_version, a.failures, a.pending, a.pending_at, a.failed_at, a.locked_until, a.succeeded_at,
    a.expires_at AS attempts_expires_at,
    m.identity_type, m.identity_id, m.credential, m.position, m.last_used_at, m.roles, m.tag, m.suspended_at, m.member,
    i.name AS identity_name, i.profile AS identity_profile, i.diligence, i.created_at AS identity_created_at,
    i.suspended_at AS identity_suspended_at, i.organization, i.manager
FROM directory d
LEFT JOIN users u ON u.tenant_id = sqlc.arg(tenant_id) AND u.id = sqlc.arg(user_id)
LEFT JOIN passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id
LEFT JOIN attempts a ON a.tenant_id = u.tenant_id AND a.factor = 'password' AND a.subject = 'user:' || u.id
LEFT JOIN memberships m ON m.tenant_id = u.tenant_id AND m.user_id = u.id
LEFT JOIN identities i ON i.tenant_id = m.tenant_id AND i.type = m.identity_type AND i.id = m.identity_id
WHERE d.id = 1;
