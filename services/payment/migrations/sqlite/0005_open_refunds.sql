-- Refunds that must be sent or polled, apart from the succeeded ones, which are only checked again.
CREATE INDEX refunds_open_due ON refunds (due_at) WHERE due_at IS NOT NULL AND status <> 'succeeded';
