-- Number of an entry within its order, from 1 without gaps. An entry of the version before has none until a reader or
-- writer of this version numbers it, under the lock of its order's head.
ALTER TABLE order_timeline ADD COLUMN order_seq INTEGER;
-- Caller that caused an entry, as `type:id`; NULL for the system.
ALTER TABLE order_timeline ADD COLUMN actor TEXT;

CREATE UNIQUE INDEX order_timeline_by_number ON order_timeline (order_id, order_seq);

-- Last number of each timeline: the row that a writer of entries locks.
CREATE TABLE order_timeline_heads (
    order_id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tracking of the parcel as JSON, and notes that only admins read.
ALTER TABLE orders ADD COLUMN tracking TEXT;
ALTER TABLE orders ADD COLUMN staff_notes TEXT;
