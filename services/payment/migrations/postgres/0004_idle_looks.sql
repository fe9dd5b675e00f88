-- Looks in a row that webhooks caused and that changed nothing, and when the last one was: the next one waits.
ALTER TABLE payments ADD COLUMN idle_looks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN idle_look_at TIMESTAMPTZ;

-- What webhooks named is looked at before all else that is due.
CREATE INDEX payments_named_due ON payments (GREATEST(due_at, lease_until))
    WHERE due_at IS NOT NULL AND hints IS NOT NULL;
