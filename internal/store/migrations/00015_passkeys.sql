-- Passkeys, and the ceremonies by which they are bound and used.

-- +goose Up
CREATE TABLE passkeys (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL, -- of the credential, in base64url: an authenticator of one user and no other
    user_id         TEXT COLLATE "C" NOT NULL,
    version         BIGINT NOT NULL,
    username        TEXT NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    label           TEXT NOT NULL,
    handle          BYTEA NOT NULL,
    public          BYTEA NOT NULL,
    aaguid          TEXT NOT NULL,
    attachment      TEXT NOT NULL,
    transports      TEXT NOT NULL, -- JSON
    site            TEXT NOT NULL,
    client_id       TEXT NOT NULL,
    counter         BIGINT NOT NULL,
    verified        BOOLEAN NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up       BOOLEAN NOT NULL,
    created_at      BIGINT NOT NULL,
    used_at         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX passkeys_by_user ON passkeys (tenant_id, user_id, created_at, id);
CREATE INDEX passkeys_by_name ON passkeys (tenant_id, name, created_at, id);

-- No foreign keys: who begins one is nobody yet.
CREATE TABLE ceremonies (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    purpose      TEXT NOT NULL,
    client_id    TEXT NOT NULL,
    username     TEXT NOT NULL,
    name         TEXT NOT NULL,
    handle       BYTEA NOT NULL,
    challenge    BYTEA NOT NULL,
    site         TEXT NOT NULL,
    allowed      TEXT NOT NULL, -- JSON
    approval     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ceremonies_by_end ON ceremonies (expires_at);
