-- What a user's authorization gave a client, until its code is redeemed; and what a client's authorization may be. A node of an older
-- version goes on beside it: what it does not know has a default.

-- +goose Up
ALTER TABLE clients ADD COLUMN native BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE clients ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;

-- No foreign keys, for the reason given for sessions.
CREATE TABLE grants (
    hash         BYTEA NOT NULL PRIMARY KEY, -- a request brings nothing else
    tenant_id    TEXT COLLATE "C" NOT NULL,
    client_id    TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    browser_id   TEXT COLLATE "C" NOT NULL,
    session_id   TEXT COLLATE "C" NOT NULL,
    scope        TEXT NOT NULL,
    audience     TEXT NOT NULL,
    nonce        TEXT NOT NULL,
    org_type     TEXT NOT NULL,
    org_id       TEXT NOT NULL,
    claims       TEXT NOT NULL, -- JSON
    issued_at    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL
);
CREATE INDEX grants_by_end ON grants (expires_at);
