-- Challenges, what they confirm, the outbox and answers to be given again; and what a user, an identity, a membership and an
-- authenticator have since the first version. A node of that version goes on beside it: what it does not know has a default.

-- +goose Up
ALTER TABLE users ADD COLUMN email_changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN phone_changes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN weakened_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX identifiers_of_user ON identifiers (tenant_id, user_id);

ALTER TABLE identities ADD COLUMN profile TEXT NOT NULL DEFAULT '';
ALTER TABLE identities ADD COLUMN details TEXT NOT NULL DEFAULT ''; -- JSON
ALTER TABLE identities ADD COLUMN diligence TEXT NOT NULL DEFAULT '';
ALTER TABLE identities ADD COLUMN suspended_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE memberships ADD COLUMN roles TEXT NOT NULL DEFAULT ''; -- each with a space before and behind, to be searched for
ALTER TABLE memberships ADD COLUMN tag TEXT NOT NULL DEFAULT '';
ALTER TABLE memberships ADD COLUMN suspended_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX memberships_of_identity ON memberships (tenant_id, identity_type, identity_id);

-- Until now an authenticator was bound when it was made, one of kind sms had no channel, and a user could have several of one.
ALTER TABLE authenticators ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE authenticators ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE authenticators ADD COLUMN bound_at BIGINT NOT NULL DEFAULT 0;
UPDATE authenticators SET bound_at = created_at;
UPDATE authenticators SET channel = 'SMS', target = COALESCE((
    SELECT u.phone FROM users u WHERE u.tenant_id = authenticators.tenant_id AND u.id = authenticators.user_id
), '') WHERE kind = 'sms';
DELETE FROM authenticators WHERE EXISTS (
    SELECT 1 FROM authenticators o
    WHERE o.tenant_id = authenticators.tenant_id AND o.user_id = authenticators.user_id AND o.channel = authenticators.channel
        AND (o.created_at < authenticators.created_at OR o.created_at = authenticators.created_at AND o.id < authenticators.id)
);
CREATE UNIQUE INDEX authenticators_of_channel ON authenticators (tenant_id, user_id, channel);
DROP INDEX authenticators_of_user;

ALTER TABLE events ADD COLUMN challenge_id TEXT NOT NULL DEFAULT '';

-- No foreign keys here and below, for the reason given for sessions.
CREATE TABLE challenges (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    purpose       TEXT COLLATE "C" NOT NULL,
    channel       TEXT NOT NULL,
    status        TEXT NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    user_id       TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    token         BYTEA NOT NULL,
    key_id        TEXT NOT NULL,
    identity_type TEXT NOT NULL,
    identity_id   TEXT NOT NULL,
    target        TEXT NOT NULL,
    code_hash     BYTEA NOT NULL,
    digest        BYTEA NOT NULL,
    links         TEXT NOT NULL, -- JSON
    failures      BIGINT NOT NULL,
    sends         BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    sent_at       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX challenges_of_subject ON challenges (tenant_id, subject, purpose, created_at);
CREATE INDEX challenges_pending ON challenges (expires_at) WHERE status = 'pending';
CREATE INDEX challenges_by_end ON challenges ((CAST(CASE WHEN ended_at = 0 THEN expires_at ELSE ended_at END AS BIGINT)))
    WHERE NOT (purpose = 'confirm' AND status = 'approved'); -- one that confirmed something is evidence, and is kept

CREATE TABLE links (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    type          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    identity_type TEXT NOT NULL,
    identity_id   TEXT NOT NULL,
    status        TEXT NOT NULL,
    currency      TEXT NOT NULL,
    amount        BIGINT NOT NULL, -- minor units
    payee         TEXT NOT NULL,
    account       TEXT NOT NULL,
    text          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    challenge_id  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, type, id)
);

CREATE TABLE outbox (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL,
    user_id      TEXT COLLATE "C" NOT NULL,
    sealed       BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    tries        BIGINT NOT NULL,
    settled_at   BIGINT NOT NULL,
    result       TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE status = 'pending';
CREATE INDEX outbox_queue ON outbox (tenant_id, kind, due_at) WHERE status = 'pending';
CREATE INDEX outbox_of_user ON outbox (tenant_id, user_id, created_at);
CREATE INDEX outbox_settled ON outbox (status, settled_at);

CREATE TABLE answers (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    key_id     TEXT COLLATE "C" NOT NULL,
    operation  TEXT COLLATE "C" NOT NULL,
    ref        TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL,
    status     BIGINT NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_id, operation, ref)
);
CREATE INDEX answers_by_end ON answers (expires_at);
