-- Where a client's users go after a logout, and where the client hears of one. A node of an older version goes on beside it: what it does
-- not know has a default.

-- +goose Up
ALTER TABLE clients ADD COLUMN logout TEXT NOT NULL DEFAULT '{}'; -- JSON
