-- Devices that answer challenges with keys of their own, the tickets that bind them, and what they answered.

-- +goose Up
ALTER TABLE challenges ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE challenges ADD COLUMN number TEXT NOT NULL DEFAULT '';

CREATE TABLE devices (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the key's thumbprint: a request brings nothing else
    tenant_id   TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    public_key  TEXT NOT NULL, -- JWK
    push        BYTEA NOT NULL, -- sealed
    certificate TEXT NOT NULL,
    status      TEXT NOT NULL,
    failures    BIGINT NOT NULL,
    bound_at    BIGINT NOT NULL,
    used_at     BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX devices_of_user ON devices (tenant_id, user_id);

CREATE TABLE tickets (
    hash       BYTEA NOT NULL PRIMARY KEY,
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX tickets_of_user ON tickets (tenant_id, user_id);
CREATE INDEX tickets_by_end ON tickets (expires_at);

-- Evidence: kept when the device and the user are gone.
CREATE TABLE approvals (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    challenge_id TEXT COLLATE "C" NOT NULL,
    user_id      TEXT NOT NULL,
    device_id    TEXT NOT NULL,
    decision     TEXT NOT NULL,
    answer       TEXT NOT NULL,
    certificate  TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    answered_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, challenge_id)
);
