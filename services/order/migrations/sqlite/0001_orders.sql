-- Ids and enumerations are text, times milliseconds since 1970, money whole cents.

-- The one key that an order and its tombstone contend for: an id that was abandoned never becomes an order.
CREATE TABLE order_ids (
    id           TEXT PRIMARY KEY,
    abandoned_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id               TEXT PRIMARY KEY REFERENCES order_ids (id),
    order_number     TEXT NOT NULL UNIQUE,
    user_id          TEXT NOT NULL,
    status           TEXT NOT NULL,
    payment_status   TEXT NOT NULL,
    subtotal         INTEGER NOT NULL,
    tax_amount       INTEGER NOT NULL,
    shipping_amount  INTEGER NOT NULL,
    discount_amount  INTEGER NOT NULL,
    total_amount     INTEGER NOT NULL CHECK (total_amount = subtotal + tax_amount + shipping_amount - discount_amount),
    -- What was captured and counts for the order; with payment_status it follows from its payments.
    captured         INTEGER NOT NULL,
    currency         TEXT NOT NULL,
    customer_info    TEXT NOT NULL,
    shipping_address TEXT NOT NULL,
    billing_address  TEXT,
    notes            TEXT,
    metadata         TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    shipped_at       INTEGER,
    delivered_at     INTEGER
) STRICT;

CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_by_user ON orders (user_id, created_at DESC, id DESC);
CREATE INDEX orders_by_status ON orders (status, created_at DESC, id DESC);
CREATE INDEX orders_unpaid ON orders (created_at) WHERE captured = 0 AND status IN ('pending', 'confirmed');

CREATE TABLE order_items (
    id                  TEXT PRIMARY KEY,
    order_id            TEXT NOT NULL REFERENCES orders (id),
    position            INTEGER NOT NULL,
    product_id          INTEGER NOT NULL,
    product_name        TEXT NOT NULL,
    product_sku         TEXT,
    product_description TEXT NOT NULL,
    unit_price          INTEGER NOT NULL,
    quantity            INTEGER NOT NULL CHECK (quantity > 0),
    total_price         INTEGER NOT NULL CHECK (total_price = unit_price * quantity),
    product_snapshot    TEXT NOT NULL,
    UNIQUE (order_id, position)
) STRICT;

-- What the payment service told of an order's payments. Until the payment's own event has come, only what a refund of it
-- told is known.
CREATE TABLE order_payments (
    payment_id     TEXT PRIMARY KEY,
    order_id       TEXT NOT NULL REFERENCES orders (id),
    method         TEXT,
    amount         INTEGER,
    currency       TEXT,
    status         TEXT,
    version        INTEGER,
    counts         INTEGER,
    created_at     INTEGER,
    processed_at   INTEGER,
    captured       INTEGER,
    refunded_total INTEGER NOT NULL,
    CHECK ((version IS NULL) = (status IS NULL))
) STRICT;

CREATE INDEX order_payments_by_order ON order_payments (order_id);

CREATE TABLE order_refunds (
    refund_id  TEXT PRIMARY KEY,
    payment_id TEXT NOT NULL REFERENCES order_payments (payment_id),
    amount     INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

CREATE INDEX order_refunds_by_payment ON order_refunds (payment_id);
