-- Keys that devices of users hold, the challenges of clients that they signed, and what users approve at clients of /cis.

-- +goose Up
ALTER TABLE challenges ADD COLUMN approval TEXT NOT NULL DEFAULT '';

CREATE TABLE user_keys (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    key_use    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    type       TEXT NOT NULL,
    public     BYTEA NOT NULL,
    os         TEXT NOT NULL,
    name       TEXT NOT NULL,
    custom     TEXT NOT NULL,
    push_type  TEXT NOT NULL,
    push_token TEXT NOT NULL,
    blocked_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, key_use, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE spent_challenges (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, digest)
);
CREATE INDEX spent_challenges_by_end ON spent_challenges (expires_at);
