-- The clients that got tokens in a session of the browser, and hear of its end.

-- +goose Up

-- No foreign keys, for the reason given for sessions.
CREATE TABLE parties (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    browser_id TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    client_id  TEXT NOT NULL,
    ends_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session_id)
);
CREATE INDEX parties_of_user ON parties (tenant_id, user_id, browser_id);
CREATE INDEX parties_by_end ON parties (ends_at);
