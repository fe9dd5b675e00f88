-- Who placed an order, and by which idempotency key, for whoever audits.
ALTER TABLE orders ADD COLUMN placed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN idempotency_key TEXT;

-- What happened to an order. An entry may come before its order is written, and stays where it never is.
CREATE TABLE order_timeline (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT NOT NULL,
    at       INTEGER NOT NULL,
    type     TEXT NOT NULL,
    summary  TEXT NOT NULL,
    service  TEXT NOT NULL,
    event_id TEXT NOT NULL,
    trace_id TEXT,
    data     TEXT NOT NULL
) STRICT;

CREATE INDEX order_timeline_by_order ON order_timeline (order_id, at, seq);
