-- How many SMS were sent, by number, country, tenant and server, in windows of time. A node of an older version goes on beside it, and
-- neither counts its messages nor holds them back.

-- +goose Up
CREATE TABLE sms_counts (
    tenant_id TEXT COLLATE "C" NOT NULL,
    scope     TEXT COLLATE "C" NOT NULL,
    name      TEXT COLLATE "C" NOT NULL,
    shard     BIGINT NOT NULL,
    began_at  BIGINT NOT NULL,
    ends_at   BIGINT NOT NULL,
    sent      BIGINT NOT NULL,
    proved    BIGINT NOT NULL,
    allowed   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, scope, name, began_at, ends_at, shard)
);
CREATE INDEX sms_counts_by_end ON sms_counts (ends_at, scope);
