-- name: SigningKeys :many
SELECT * FROM signing_keys ORDER BY created_at, id;

-- name: PutSigningKey :exec
INSERT INTO signing_keys (id, alg, public, sealed, created_at, active_at, retire_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET alg = excluded.alg, public = excluded.public, sealed = excluded.sealed,
    created_at = excluded.created_at, active_at = excluded.active_at, retire_at = excluded.retire_at;
