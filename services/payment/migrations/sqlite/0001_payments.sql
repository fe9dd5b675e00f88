-- Ids and enumerations are text, times milliseconds since 1970, money whole cents.

-- What is known of an order; the row that every change of its payments locks. With cancelled_at it is a tombstone.
CREATE TABLE orders (
    order_id     TEXT PRIMARY KEY,
    user_id      TEXT,
    total        INTEGER,
    currency     TEXT,
    cancelled_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    id                TEXT PRIMARY KEY,
    order_id          TEXT NOT NULL REFERENCES orders (order_id),
    user_id           TEXT NOT NULL,
    amount            INTEGER NOT NULL CHECK (amount > 0),
    currency          TEXT NOT NULL,
    method            TEXT NOT NULL,
    state             TEXT NOT NULL,
    intent            TEXT UNIQUE,
    closed            INTEGER NOT NULL,
    stop              INTEGER NOT NULL,
    transaction_id    TEXT,
    external          INTEGER NOT NULL,
    captured          INTEGER,
    captured_currency TEXT,
    unwanted          TEXT,
    announced         INTEGER NOT NULL,
    sync_refunds      INTEGER NOT NULL,
    description       TEXT,
    failure_reason    TEXT,
    metadata          TEXT,
    version           INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    processed_at      INTEGER,
    refunded_at       INTEGER,
    due_at            INTEGER,
    tries             INTEGER NOT NULL,
    lease_token       TEXT,
    lease_until       INTEGER,
    attempt           INTEGER NOT NULL,
    doubt             TEXT,
    called_at         INTEGER,
    CHECK ((captured IS NOT NULL) = (state = 'completed')),
    CHECK ((captured IS NULL) = (captured_currency IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
) STRICT;

-- One payment of an order is open at a time.
CREATE UNIQUE INDEX payments_one_open ON payments (order_id) WHERE state IN ('pending', 'processing', 'settling');
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE refunds (
    id              TEXT PRIMARY KEY,
    payment_id      TEXT NOT NULL REFERENCES payments (id),
    position        INTEGER NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    status          TEXT NOT NULL,
    cause           TEXT NOT NULL,
    reason          TEXT,
    external        INTEGER NOT NULL,
    provider_refund TEXT UNIQUE,
    failure         TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    due_at          INTEGER,
    tries           INTEGER NOT NULL,
    lease_token     TEXT,
    lease_until     INTEGER,
    attempt         INTEGER NOT NULL,
    doubt           TEXT,
    called_at       INTEGER,
    UNIQUE (payment_id, position),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
) STRICT;

CREATE INDEX refunds_due ON refunds (due_at) WHERE due_at IS NOT NULL;
