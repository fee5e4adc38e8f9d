-- Keys that codes and refresh tokens are bound to, by their thumbprints. A node of an older version goes on beside it, and binds nothing.

-- +goose Up
ALTER TABLE grants ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE refresh_tokens ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN bound_tokens BOOLEAN NOT NULL DEFAULT FALSE;
