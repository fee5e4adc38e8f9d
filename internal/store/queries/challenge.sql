-- name: Challenge :many
SELECT * FROM challenges WHERE tenant_id = $1 AND id = $2;

-- LatestChallenge takes any session, and any channel, when that is empty. Of two ids the longer one is the greater number.
-- name: LatestChallenge :many
SELECT * FROM challenges
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND purpose = sqlc.arg(purpose)
    AND (CAST(sqlc.arg(session_id) AS TEXT) = '' OR session_id = CAST(sqlc.arg(session_id) AS TEXT))
    AND (CAST(sqlc.arg(channel) AS TEXT) = '' OR channel = CAST(sqlc.arg(channel) AS TEXT))
ORDER BY created_at DESC, LENGTH(id) DESC, id DESC LIMIT 1;

-- name: PendingChallenges :many
SELECT * FROM challenges
WHERE tenant_id = sqlc.arg(tenant_id) AND status = 'pending' AND channel IN ('BIOMETRIC', 'AUTHY')
ORDER BY created_at, LENGTH(id), id LIMIT sqlc.arg(n);

-- name: PendingChallengesOf :many
SELECT * FROM challenges
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND status = 'pending' AND channel IN ('BIOMETRIC', 'AUTHY')
ORDER BY created_at, LENGTH(id), id LIMIT sqlc.arg(n);

-- name: OverdueChallenges :many
SELECT * FROM challenges
WHERE status = 'pending' AND expires_at <= sqlc.arg(now) ORDER BY expires_at, tenant_id, id LIMIT sqlc.arg(n);

-- name: CountPushed :many
SELECT COUNT(*) AS n, CAST(COALESCE(MIN(sent_at), 0) AS BIGINT) AS oldest FROM challenges
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND channel IN ('BIOMETRIC', 'AUTHY')
    AND sent_at >= sqlc.arg(since);

-- name: AddChallenge :execrows
INSERT INTO challenges (tenant_id, id, version, purpose, channel, status, subject, user_id, session_id, token, key_id, identity_type,
    identity_id, target, code_hash, digest, links, failures, sends, created_at, sent_at, expires_at, ended_at, nonce, number,
    approval)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
ON CONFLICT DO NOTHING;

-- name: PutChallenge :execrows
UPDATE challenges SET version = sqlc.arg(version), purpose = sqlc.arg(purpose), channel = sqlc.arg(channel),
    status = sqlc.arg(status), subject = sqlc.arg(subject), user_id = sqlc.arg(user_id), session_id = sqlc.arg(session_id),
    token = sqlc.arg(token), key_id = sqlc.arg(key_id), identity_type = sqlc.arg(identity_type),
    identity_id = sqlc.arg(identity_id), target = sqlc.arg(target), code_hash = sqlc.arg(code_hash), digest = sqlc.arg(digest),
    links = sqlc.arg(links), failures = sqlc.arg(failures), sends = sqlc.arg(sends), created_at = sqlc.arg(created_at),
    sent_at = sqlc.arg(sent_at), expires_at = sqlc.arg(expires_at), ended_at = sqlc.arg(ended_at), approval = sqlc.arg(approval)
WHERE tenant_id = sqlc.arg(tenant_id) AND id = sqlc.arg(id) AND version = sqlc.arg(from_version);

-- name: HasChallenge :many
SELECT id FROM challenges WHERE tenant_id = $1 AND id = $2;

-- CancelChallenges takes any purpose when it is empty.
-- name: CancelChallenges :execrows
UPDATE challenges SET version = version + 1, status = 'cancelled', ended_at = sqlc.arg(at)
WHERE tenant_id = sqlc.arg(tenant_id) AND subject = sqlc.arg(subject) AND status = 'pending'
    AND (CAST(sqlc.arg(purpose) AS TEXT) = '' OR purpose = CAST(sqlc.arg(purpose) AS TEXT));

-- The CAST is there for SQLite, which uses an index on an expression only if the expression has a type.
-- name: SweepChallenges :execrows
DELETE FROM challenges WHERE (tenant_id, id) IN (
    SELECT c.tenant_id, c.id FROM challenges c
    WHERE CAST(CASE WHEN c.ended_at = 0 THEN c.expires_at ELSE c.ended_at END AS BIGINT) < sqlc.arg(before)
        AND NOT (c.purpose = 'confirm' AND c.status = 'approved')
    ORDER BY CAST(CASE WHEN c.ended_at = 0 THEN c.expires_at ELSE c.ended_at END AS BIGINT) LIMIT sqlc.arg(n)
) AND +CASE WHEN ended_at = 0 THEN expires_at ELSE ended_at END < sqlc.arg(before); -- see SweepAnswers
