-- What clients prove themselves with once, and the authorization requests that they push. A node of an older version knows neither.

-- +goose Up

-- No foreign keys here and below, for the reason given for sessions.
CREATE TABLE assertions (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    client_id  TEXT COLLATE "C" NOT NULL,
    jti        BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, jti)
);
CREATE INDEX assertions_by_end ON assertions (expires_at);

CREATE TABLE pushed_requests (
    hash       BYTEA NOT NULL PRIMARY KEY, -- a request brings nothing else
    tenant_id  TEXT COLLATE "C" NOT NULL,
    client_id  TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);
