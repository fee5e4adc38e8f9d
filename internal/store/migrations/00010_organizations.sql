-- What an identity is as an organization, and a membership as its member's. A node of an older version goes on beside it: what it does
-- not know has a default.

-- +goose Up
ALTER TABLE identities ADD COLUMN organization TEXT NOT NULL DEFAULT '{}'; -- JSON
ALTER TABLE identities ADD COLUMN manager TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE memberships ADD COLUMN member TEXT NOT NULL DEFAULT '{}'; -- JSON
CREATE INDEX identities_by_creation ON identities (tenant_id, type, created_at, id);

-- A domain is one organization's. The list in identities.organization is the one that is read.
CREATE TABLE organization_domains (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    domain        TEXT COLLATE "C" NOT NULL,
    identity_type TEXT COLLATE "C" NOT NULL,
    identity_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, domain),
    FOREIGN KEY (tenant_id, identity_type, identity_id) REFERENCES identities (tenant_id, type, id)
);
CREATE INDEX organization_domains_of_identity ON organization_domains (tenant_id, identity_type, identity_id);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (tenant_id, user_id);
