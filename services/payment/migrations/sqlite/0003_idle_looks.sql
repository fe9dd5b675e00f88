-- Looks in a row that webhooks caused and that changed nothing, and when the last one was: the next one waits.
ALTER TABLE payments ADD COLUMN idle_looks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN idle_look_at INTEGER;
