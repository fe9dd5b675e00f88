-- Version of the account's rights, beside the document: an instance of the version before rewrites the document alone.
ALTER TABLE users ADD COLUMN access_version INTEGER NOT NULL DEFAULT 0;

-- The feed of revocations. A seq is never given twice (AUTOINCREMENT).
CREATE TABLE revocations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    min_version INTEGER,
    -- A JSON array.
    session_ids TEXT NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX revocations_expired ON revocations (expires_at);

-- Ids of deleted accounts, kept for ever.
CREATE TABLE deleted_users (
    id TEXT PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO deleted_users (id) SELECT id FROM users WHERE email IS NULL;
