-- The schema, in one text for PostgreSQL and SQLite.
--
-- Times are Unix microseconds, durations microseconds; the time 0 is "never".
-- JSON is TEXT, since nothing inside it is searched for. COLLATE "C" compares
-- text by its bytes, as SQLite does anyway; it is taken out for SQLite, which
-- knows the same rule under another name.
--
-- Sessions, tokens and attempts have no foreign keys: every insert would lock
-- and rewrite the user's row. They are joined to their parents on each use, so
-- an orphan is good for nothing.

-- +goose Up
CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row. Every change of what Directory returns raises its revision.
CREATE TABLE directory (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL
);
INSERT INTO directory (id, revision) VALUES (1, 1);

-- No rows: serialisable transactions lock it on PostgreSQL to let one of them go first.
CREATE TABLE turns (
    id BIGINT NOT NULL PRIMARY KEY
);

CREATE TABLE tenants (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    mode       TEXT NOT NULL,
    settings   TEXT NOT NULL, -- JSON
    webhook    TEXT NOT NULL, -- JSON
    created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT NOT NULL,
    hash       BYTEA NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE programme_keys (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    hash      BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);

CREATE TABLE clients (
    tenant_id         TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id                TEXT COLLATE "C" NOT NULL UNIQUE, -- a token request names nothing else
    kind              TEXT NOT NULL,
    app_id            TEXT NOT NULL,
    app_name          TEXT NOT NULL,
    secrets           TEXT NOT NULL, -- JSON
    redirect_uris     TEXT NOT NULL, -- JSON
    resources         TEXT NOT NULL, -- JSON
    claims            TEXT NOT NULL, -- JSON
    alg               TEXT NOT NULL,
    access_token_for  BIGINT NOT NULL,
    refresh_token_for BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    disabled_at       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE signing_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    alg        TEXT NOT NULL,
    public     TEXT NOT NULL, -- JWK
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retire_at  BIGINT NOT NULL
);

CREATE TABLE users (
    tenant_id         TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id                TEXT COLLATE "C" NOT NULL,
    status            TEXT NOT NULL,
    status_changed_at BIGINT NOT NULL,
    epoch             BIGINT NOT NULL,
    email             TEXT NOT NULL,
    email_verified_at BIGINT NOT NULL,
    phone             TEXT NOT NULL,
    phone_verified_at BIGINT NOT NULL,
    username          TEXT NOT NULL,
    profile           TEXT NOT NULL, -- JSON
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE identifiers (
    tenant_id TEXT COLLATE "C" NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    canonical TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, kind, canonical),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE identities (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    type       TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, type, id)
);

CREATE TABLE memberships (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    identity_type TEXT COLLATE "C" NOT NULL,
    identity_id   TEXT COLLATE "C" NOT NULL,
    credential    TEXT NOT NULL,
    position      BIGINT NOT NULL,
    last_used_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, identity_type, identity_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, identity_type, identity_id) REFERENCES identities (tenant_id, type, id)
);

CREATE TABLE authenticators (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    kind       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    simulated  BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX authenticators_of_user ON authenticators (tenant_id, user_id);

CREATE TABLE passwords (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    hash       TEXT NOT NULL,
    shape      TEXT COLLATE "C" NOT NULL,
    set_at     BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    expired    BOOLEAN NOT NULL,
    temporary  BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX passwords_by_shape ON passwords (tenant_id, shape);

CREATE TABLE password_history (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    hash        TEXT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, version),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE attempts (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    subject      TEXT COLLATE "C" NOT NULL,
    factor       TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    pending      BIGINT NOT NULL,
    pending_at   BIGINT NOT NULL,
    failed_at    BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    succeeded_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject, factor)
);
CREATE INDEX attempts_by_end ON attempts (expires_at);

CREATE TABLE sessions (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    surface    TEXT NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    epoch      BIGINT NOT NULL,
    client_id  TEXT NOT NULL,
    methods    TEXT NOT NULL, -- each with a space before and behind, so that one statement can add to the set
    org_type   TEXT NOT NULL,
    org_id     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    auth_at    BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    idle_limit BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    ended_why  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE tokens (
    hash            BYTEA NOT NULL PRIMARY KEY, -- a request brings nothing else
    tenant_id       TEXT COLLATE "C" NOT NULL,
    session_id      TEXT COLLATE "C" NOT NULL,
    kind            TEXT NOT NULL,
    identity_type   TEXT NOT NULL,
    identity_id     TEXT NOT NULL,
    credential      TEXT NOT NULL,
    issued_at       BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    used_at         BIGINT NOT NULL,
    stepped_up_at   BIGINT NOT NULL,
    session_ends_at BIGINT NOT NULL -- for the sweeper
);
CREATE INDEX tokens_by_end ON tokens (session_ends_at);

CREATE TABLE refresh_tokens (
    hash       BYTEA NOT NULL PRIMARY KEY, -- a request brings nothing else
    tenant_id  TEXT COLLATE "C" NOT NULL,
    root       BYTEA NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    client_id  TEXT NOT NULL,
    audience   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    org_type   TEXT NOT NULL,
    org_id     TEXT NOT NULL,
    claims     TEXT NOT NULL, -- JSON
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL -- of the whole family; set in its root alone
);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

CREATE TABLE events (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    at            BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    identity_type TEXT NOT NULL,
    identity_id   TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    actor         TEXT NOT NULL,
    address       TEXT NOT NULL,
    request       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    note          TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
