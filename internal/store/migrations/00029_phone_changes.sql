-- When a verified phone number was replaced. A node of an older version goes on beside it, and notes no change.

-- +goose Up
ALTER TABLE users ADD COLUMN phone_changed_at BIGINT NOT NULL DEFAULT 0;
