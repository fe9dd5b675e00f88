-- The tables of a bus. They may exist already: versions before these migrations made them at each start.

CREATE TABLE IF NOT EXISTS bindings (
    exchange TEXT NOT NULL,
    event_type TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (exchange, event_type, queue)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    exchange TEXT NOT NULL,
    body BLOB NOT NULL,
    app_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    traceparent TEXT,
    mandatory INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    visible_at INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    claim INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_in_order ON messages (queue, seq, visible_at);
CREATE INDEX IF NOT EXISTS messages_owned ON messages (owner) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    exchange TEXT NOT NULL,
    body BLOB NOT NULL,
    app_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    traceparent TEXT,
    mandatory INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    dead_at INTEGER NOT NULL
);
