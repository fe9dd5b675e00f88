-- The tables that every service has: outbox and inbox, idempotency keys, revocations of access. They may exist already:
-- versions before these migrations made them at each start.

-- `seq` is taken before the commit, so that it is about the order in which events happened, not exactly.
CREATE TABLE IF NOT EXISTS outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id UUID NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    aggregate_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    service TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    data TEXT NOT NULL,
    traceparent TEXT,
    claimed_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 80);

CREATE TABLE IF NOT EXISTS event_sequences (
    aggregate_id TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE IF NOT EXISTS inbox (
    consumer TEXT NOT NULL,
    event_id UUID NOT NULL,
    PRIMARY KEY (event_id, consumer)
);

CREATE TABLE IF NOT EXISTS idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    hash BYTEA NOT NULL,
    token UUID NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    resource TEXT,
    status INTEGER,
    location TEXT,
    body TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);

-- Looked up first, since ALTER TABLE locks the table even where the column exists.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = 'idempotency_keys'::regclass AND attname = 'fingerprint' AND NOT attisdropped) THEN
        ALTER TABLE idempotency_keys ADD COLUMN fingerprint TEXT;
    END IF;
END $$;

-- A row without a session is about the account's versions.
CREATE TABLE IF NOT EXISTS access_revocations (
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL DEFAULT '',
    min_version BIGINT NOT NULL DEFAULT 0,
    recorded_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, session_id)
);
CREATE INDEX IF NOT EXISTS access_revocations_by_time ON access_revocations (recorded_at);
