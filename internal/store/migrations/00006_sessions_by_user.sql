-- A user's sessions are listed and ended together.

-- +goose Up
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);
