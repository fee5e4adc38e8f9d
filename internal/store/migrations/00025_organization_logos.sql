-- Images of organizations. A node of an older version goes on beside it, and shows none.

-- +goose Up
CREATE TABLE organization_logos (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL UNIQUE,
    uri             TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, organization_id)
);
