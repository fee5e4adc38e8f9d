-- name: SMSCounts :many
SELECT tenant_id, name, began_at, ends_at, CAST(SUM(sent) AS BIGINT) AS sent, CAST(SUM(proved) AS BIGINT) AS proved FROM sms_counts
WHERE scope = sqlc.arg(scope) AND ends_at > sqlc.arg(since)
GROUP BY tenant_id, name, began_at, ends_at ORDER BY tenant_id, name, began_at, ends_at;

-- name: SweepSMSCounts :execrows
DELETE FROM sms_counts WHERE (tenant_id, scope, name, began_at, ends_at, shard) IN (
    SELECT c.tenant_id, c.scope, c.name, c.began_at, c.ends_at, c.shard FROM sms_counts c
    WHERE c.ends_at < sqlc.arg(before) ORDER BY c.ends_at LIMIT sqlc.arg(n)
);
