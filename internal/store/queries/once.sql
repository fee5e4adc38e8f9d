-- name: Answer :many
SELECT * FROM answers WHERE tenant_id = $1 AND key_id = $2 AND operation = $3 AND ref = $4;

-- An answer that has expired makes room for the next, though nobody has swept it.
-- name: AddAnswer :execrows
INSERT INTO answers (tenant_id, key_id, operation, ref, digest, status, sealed, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, key_id, operation, ref) DO UPDATE SET digest = excluded.digest, status = excluded.status,
    sealed = excluded.sealed, created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE answers.expires_at <= excluded.created_at AND answers.expires_at <> 0;

-- As that of parcels, and other sweeps of rows that are written anew, this repeats the condition: see ClaimParcels. The sign keeps it from the
-- index, in which the sub-select has found all that there is to find.
-- name: SweepAnswers :execrows
DELETE FROM answers WHERE (tenant_id, key_id, operation, ref) IN (
    SELECT a.tenant_id, a.key_id, a.operation, a.ref FROM answers a
    WHERE a.expires_at < sqlc.arg(before) AND a.expires_at <> 0 ORDER BY a.expires_at LIMIT sqlc.arg(n)
) AND +expires_at < sqlc.arg(before) AND expires_at <> 0;
