-- What was never confirmed goes in the end.

-- +goose Up
CREATE INDEX links_by_change ON links (updated_at) WHERE status <> 'CHALLENGE_COMPLETED';
