-- Mails that wait to be sent, written with the change that causes them. The payload has no token.
CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- Time of the next attempt; the end of the lease while a worker sends the mail.
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT
) WITHOUT ROWID;
CREATE INDEX mails_due ON mails (due_at);
