-- Devices that are browsers: what they approve with is a passkey. A node of an older version goes on beside it and binds none; it refuses
-- their approvals, since what their answers say of their owners (uv) is new to it.

-- +goose Up
ALTER TABLE devices ADD COLUMN passkey_id TEXT NOT NULL DEFAULT ''; -- empty: none
ALTER TABLE devices ADD COLUMN passkey_public BYTEA NOT NULL DEFAULT ''; -- COSE_Key
ALTER TABLE devices ADD COLUMN passkey_site TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN passkey_counter BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN passkey_backup_eligible BOOLEAN NOT NULL DEFAULT FALSE;

-- The assertion beside an answer, in base64url; empty: none.
ALTER TABLE approvals ADD COLUMN client_data TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN authenticator_data TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN signature TEXT NOT NULL DEFAULT '';
