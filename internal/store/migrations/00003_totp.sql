-- The authenticators of codes by time.

-- +goose Up
CREATE TABLE totps (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    label      TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    step       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
