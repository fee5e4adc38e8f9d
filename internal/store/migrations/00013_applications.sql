-- Applications, which until now were but an id and a name of their clients; and what a client says of itself. A node of an older version
-- goes on beside it: a client that it adds belongs to an application by its id, with or without a row here.

-- +goose Up
CREATE TABLE applications (
    tenant_id   TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id          TEXT COLLATE "C" NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    logo        TEXT NOT NULL,
    login_uri   TEXT NOT NULL,
    invite_uri  TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
INSERT INTO applications (tenant_id, id, name, description, logo, login_uri, invite_uri, created_by, created_at, updated_at)
SELECT tenant_id, app_id, MIN(app_name), '', '', '', '', '', MIN(created_at), MIN(created_at)
FROM clients WHERE kind = 'application' GROUP BY tenant_id, app_id;

ALTER TABLE clients ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN session_for BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN rotate_for BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
