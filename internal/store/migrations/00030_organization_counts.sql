-- How many organizations a tenant has, beside the number of its users. A node of an older version counts none: the drift that it leaves is
-- found and put right.

-- +goose Up

ALTER TABLE user_counts ADD COLUMN organizations BIGINT NOT NULL DEFAULT 0;
INSERT INTO user_counts (tenant_id, part, users, organizations)
SELECT tenant_id, 0, 0, COUNT(*) FROM identities WHERE type = 'CORPORATE' GROUP BY tenant_id
ON CONFLICT (tenant_id, part) DO UPDATE SET organizations = excluded.organizations;
