-- What an application has beside what it is called. A node of an older version goes on beside it, and knows no options.

-- +goose Up
ALTER TABLE applications ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON
