-- How the users of an application prove themselves, and how an app that shows codes was set up. A node of an older version goes on beside
-- it: an application that it writes keeps what it does not know.

-- +goose Up
ALTER TABLE applications ADD COLUMN methods TEXT NOT NULL DEFAULT '{}'; -- JSON

ALTER TABLE totps ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'sha1';
ALTER TABLE totps ADD COLUMN digits BIGINT NOT NULL DEFAULT 6;
ALTER TABLE totps ADD COLUMN period BIGINT NOT NULL DEFAULT 30; -- seconds of a time step
