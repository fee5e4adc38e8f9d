-- Keys that sign the tokens of one application. A node of an older version signs with the server's own, and takes no token of these: let none
-- sign before every node knows them.

-- +goose Up
CREATE TABLE app_keys (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id         TEXT COLLATE "C" NOT NULL, -- kid
    app_id     TEXT NOT NULL,             -- empty: of all applications of the tenant
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    alg        TEXT NOT NULL,
    public     TEXT NOT NULL, -- JWK
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
