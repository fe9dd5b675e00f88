-- The tables that every service has: outbox and inbox, idempotency keys, revocations of access. They may exist already:
-- versions before these migrations made them at each start. `idempotency_keys` of a version before fingerprints gets its
-- column before this migration runs.

-- `seq` gives the order in which events were committed, since a SQLite file has one writer.
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    aggregate_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    service TEXT NOT NULL,
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    traceparent TEXT,
    claimed_until INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS event_sequences (
    aggregate_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS inbox (
    consumer TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (event_id, consumer)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    hash BLOB NOT NULL,
    token TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    resource TEXT,
    status INTEGER,
    location TEXT,
    body TEXT,
    created_at INTEGER NOT NULL,
    fingerprint TEXT,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);

-- A row without a session is about the account's versions.
CREATE TABLE IF NOT EXISTS access_revocations (
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL DEFAULT '',
    min_version INTEGER NOT NULL DEFAULT 0,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, session_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS access_revocations_by_time ON access_revocations (recorded_at);
