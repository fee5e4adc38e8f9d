-- The PINs of devices that the server checks. A node of an older version goes on beside it: it takes no answer with one.

-- +goose Up
ALTER TABLE devices ADD COLUMN pin TEXT NOT NULL DEFAULT ''; -- its hash; empty: none
