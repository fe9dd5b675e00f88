-- A user is one document, as in the document store: profile, password's hash and sessions change together.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- Null once the user is deleted: the address is free again.
    email TEXT UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    document TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX users_by_time ON users (created_at DESC, id DESC) WHERE email IS NOT NULL;
CREATE INDEX users_by_role ON users (role, created_at DESC, id DESC) WHERE email IS NOT NULL;

-- Failed logins in a row, by account and client address (hashed).
CREATE TABLE login_failures (
    key TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_failures_expired ON login_failures (expires_at);
