-- Money is whole cents. Texts of JSON stay as they were sent.

-- The one key that an order and its tombstone contend for: an id that was abandoned never becomes an order.
CREATE TABLE order_ids (
    id           UUID CONSTRAINT order_ids_id PRIMARY KEY,
    abandoned_at TIMESTAMPTZ
);

CREATE TABLE orders (
    id               UUID PRIMARY KEY REFERENCES order_ids (id),
    order_number     TEXT NOT NULL CONSTRAINT orders_order_number UNIQUE,
    user_id          UUID NOT NULL,
    status           TEXT NOT NULL
        CHECK (status IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled')),
    payment_status   TEXT NOT NULL
        CHECK (payment_status IN ('pending', 'processing', 'completed', 'failed', 'refunded')),
    subtotal         BIGINT NOT NULL,
    tax_amount       BIGINT NOT NULL,
    shipping_amount  BIGINT NOT NULL,
    discount_amount  BIGINT NOT NULL,
    total_amount     BIGINT NOT NULL CHECK (total_amount = subtotal + tax_amount + shipping_amount - discount_amount),
    -- What was captured and counts for the order; with payment_status it follows from its payments.
    captured         BIGINT NOT NULL,
    currency         TEXT NOT NULL,
    customer_info    TEXT NOT NULL,
    shipping_address TEXT NOT NULL,
    billing_address  TEXT,
    notes            TEXT,
    metadata         TEXT,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL,
    shipped_at       TIMESTAMPTZ,
    delivered_at     TIMESTAMPTZ,
    -- Who placed it, and by which idempotency key, for whoever audits.
    placed_by        TEXT NOT NULL,
    idempotency_key  TEXT
);

CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_by_user ON orders (user_id, created_at DESC, id DESC);
CREATE INDEX orders_by_status ON orders (status, created_at DESC, id DESC);
CREATE INDEX orders_unpaid ON orders (created_at) WHERE captured = 0 AND status IN ('pending', 'confirmed');

CREATE TABLE order_items (
    id                  UUID PRIMARY KEY,
    order_id            UUID NOT NULL REFERENCES orders (id),
    position            BIGINT NOT NULL,
    product_id          BIGINT NOT NULL,
    product_name        TEXT NOT NULL,
    product_sku         TEXT,
    product_description TEXT NOT NULL,
    unit_price          BIGINT NOT NULL,
    quantity            BIGINT NOT NULL CHECK (quantity > 0),
    total_price         BIGINT NOT NULL CHECK (total_price = unit_price * quantity),
    product_snapshot    TEXT NOT NULL,
    UNIQUE (order_id, position)
);

-- What the payment service told of an order's payments. Until the payment's own event has come, only what a refund of it
-- told is known.
CREATE TABLE order_payments (
    payment_id     UUID PRIMARY KEY,
    order_id       UUID NOT NULL REFERENCES orders (id),
    method         TEXT CHECK (method IN ('card', 'paypal', 'apple_pay', 'google_pay')),
    amount         BIGINT,
    currency       TEXT,
    status         TEXT
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'refunded', 'cancelled')),
    version        BIGINT,
    counts         BOOLEAN,
    created_at     TIMESTAMPTZ,
    processed_at   TIMESTAMPTZ,
    captured       BIGINT,
    refunded_total BIGINT NOT NULL,
    CHECK ((version IS NULL) = (status IS NULL))
);

CREATE INDEX order_payments_by_order ON order_payments (order_id);

CREATE TABLE order_refunds (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY,
    refund_id  UUID PRIMARY KEY,
    payment_id UUID NOT NULL REFERENCES order_payments (payment_id),
    amount     BIGINT NOT NULL,
    cause      TEXT NOT NULL CHECK (cause IN ('granted', 'cancelled', 'late', 'doubled', 'provider')),
    at         TIMESTAMPTZ NOT NULL
);

CREATE INDEX order_refunds_by_payment ON order_refunds (payment_id);

-- What happened to an order. An entry may come before its order is written, and stays where it never is.
CREATE TABLE order_timeline (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id UUID NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    type     TEXT NOT NULL,
    summary  TEXT NOT NULL,
    service  TEXT NOT NULL,
    event_id UUID NOT NULL,
    trace_id TEXT,
    data     TEXT NOT NULL
);

CREATE INDEX order_timeline_by_order ON order_timeline (order_id, at, seq);
