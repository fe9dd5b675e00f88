-- Lists of staff, newest first, by what they are filtered by.
CREATE INDEX payments_newest ON payments (created_at DESC, id DESC);
CREATE INDEX payments_by_state ON payments (state, created_at DESC, id DESC);
CREATE INDEX payments_by_method ON payments (method, created_at DESC, id DESC);
-- Of these some were refunded in full.
CREATE INDEX payments_refunded ON payments (state, created_at DESC, id DESC) WHERE refunded_at IS NOT NULL;

CREATE INDEX refunds_newest ON refunds (created_at DESC, id DESC);
CREATE INDEX refunds_by_status ON refunds (status, created_at DESC, id DESC);
CREATE INDEX refunds_by_cause ON refunds (cause, created_at DESC, id DESC);
