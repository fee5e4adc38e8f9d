-- Users who were deleted, and the order in which users are listed.

-- +goose Up

-- What is left of a deleted user: an id that nobody gets again.
CREATE TABLE former_users (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX users_by_creation ON users (tenant_id, created_at, id);
