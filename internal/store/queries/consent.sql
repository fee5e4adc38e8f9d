-- name: Consents :many
SELECT * FROM consents WHERE tenant_id = $1 AND user_id = $2 ORDER BY client_id;

-- name: PutConsent :exec
INSERT INTO consents (tenant_id, user_id, client_id, scopes, given_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, user_id, client_id) DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at,
    updated_at = excluded.updated_at;

-- name: DropConsent :execrows
DELETE FROM consents WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3;

-- name: DropConsentsOf :exec
DELETE FROM consents WHERE tenant_id = $1 AND user_id = $2;
