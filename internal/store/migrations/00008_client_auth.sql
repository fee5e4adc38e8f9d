-- How a client proves itself, and how its authorizations arrive. A node of an older version goes on beside it: what it does not know has a
-- default, and a client without a secret is refused there.

-- +goose Up
ALTER TABLE clients ADD COLUMN auth_method TEXT NOT NULL DEFAULT 'client_secret';
ALTER TABLE clients ADD COLUMN jwks TEXT NOT NULL DEFAULT ''; -- JSON
ALTER TABLE clients ADD COLUMN auth_alg TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN pkce TEXT NOT NULL DEFAULT 'required';
ALTER TABLE clients ADD COLUMN require_par BOOLEAN NOT NULL DEFAULT FALSE;
