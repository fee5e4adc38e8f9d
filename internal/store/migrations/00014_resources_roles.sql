-- Resources with the lives of their tokens, roles of users and of clients, and the roles that a client and an application have. A node of an
-- older version goes on beside it, and knows no roles.

-- +goose Up
CREATE TABLE resources (
    tenant_id   TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id          TEXT COLLATE "C" NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    uri         TEXT NOT NULL,
    access_for  BIGINT NOT NULL,
    refresh_for BIGINT NOT NULL,
    rotate_for  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE roles (
    tenant_id    TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id           TEXT COLLATE "C" NOT NULL,
    app_id       TEXT NOT NULL, -- empty: of clients
    name         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description  TEXT NOT NULL,
    permissions  TEXT NOT NULL, -- JSON
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

ALTER TABLE clients ADD COLUMN roles TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE applications ADD COLUMN roles TEXT NOT NULL DEFAULT '[]'; -- JSON
