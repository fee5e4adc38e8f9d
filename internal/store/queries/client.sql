-- name: Clients :many
SELECT * FROM clients ORDER BY tenant_id, id;

-- PutClient changes no row when the id is another tenant's.
-- name: PutClient :execrows
INSERT INTO clients (tenant_id, id, kind, app_id, app_name, secrets, redirect_uris, resources, claims, alg, access_token_for,
    refresh_token_for, created_at, disabled_at, native, second_factor, auth_method, jwks, auth_alg, pkce, require_par, logout,
    name, description, session_for, rotate_for, updated_at, roles, bound_tokens, third_party)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
    $23, $24, $25, $26, $27, $28, $29, $30)
ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, app_id = excluded.app_id, app_name = excluded.app_name,
    secrets = excluded.secrets, redirect_uris = excluded.redirect_uris, resources = excluded.resources, claims = excluded.claims,
    alg = excluded.alg, access_token_for = excluded.access_token_for, refresh_token_for = excluded.refresh_token_for,
    created_at = excluded.created_at, disabled_at = excluded.disabled_at, native = excluded.native,
    second_factor = excluded.second_factor, auth_method = excluded.auth_method, jwks = excluded.jwks, auth_alg = excluded.auth_alg,
    pkce = excluded.pkce, require_par = excluded.require_par, logout = excluded.logout, name = excluded.name,
    description = excluded.description, session_for = excluded.session_for, rotate_for = excluded.rotate_for,
    updated_at = excluded.updated_at, roles = excluded.roles, bound_tokens = excluded.bound_tokens,
    third_party = excluded.third_party
WHERE clients.tenant_id = excluded.tenant_id;
