-- Access tokens that their clients revoked, and the claims that UserInfo returns. A node of an older version goes on beside it: what it
-- does not know has a default.

-- +goose Up
ALTER TABLE grants ADD COLUMN userinfo TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE refresh_tokens ADD COLUMN userinfo TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE directory ADD COLUMN revoked_until BIGINT NOT NULL DEFAULT 0; -- no client's own token that is revoked lives as long

CREATE TABLE revoked_tokens (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    id         TEXT NOT NULL, -- jti
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX revoked_tokens_by_end ON revoked_tokens (expires_at);
