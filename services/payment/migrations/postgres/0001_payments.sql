-- Money is whole cents. Texts of JSON stay as they were sent.

-- What is known of an order; the row that every change of its payments locks. With cancelled_at it is a tombstone.
CREATE TABLE orders (
    order_id     UUID PRIMARY KEY,
    user_id      UUID,
    total        BIGINT,
    currency     TEXT,
    cancelled_at TIMESTAMPTZ
);

CREATE TABLE payments (
    -- The order in which they were written: of one millisecond there may be several.
    seq               BIGINT GENERATED ALWAYS AS IDENTITY,
    id                UUID PRIMARY KEY,
    order_id          UUID NOT NULL REFERENCES orders (order_id),
    user_id           UUID NOT NULL,
    amount            BIGINT NOT NULL CHECK (amount > 0),
    currency          TEXT NOT NULL,
    method            TEXT NOT NULL,
    state             TEXT NOT NULL
        CHECK (state IN ('pending', 'processing', 'settling', 'completed', 'failed', 'cancelled')),
    intent            TEXT CONSTRAINT payments_intent UNIQUE,
    closed            BOOLEAN NOT NULL,
    stop              BOOLEAN NOT NULL,
    transaction_id    TEXT,
    external          BOOLEAN NOT NULL,
    captured          BIGINT,
    captured_currency TEXT,
    unwanted          TEXT,
    announced         BIGINT NOT NULL,
    sync_refunds      BOOLEAN NOT NULL,
    description       TEXT,
    failure_reason    TEXT,
    metadata          TEXT,
    version           BIGINT NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL,
    processed_at      TIMESTAMPTZ,
    refunded_at       TIMESTAMPTZ,
    due_at            TIMESTAMPTZ,
    tries             BIGINT NOT NULL,
    lease_token       TEXT,
    lease_until       TIMESTAMPTZ,
    attempt           BIGINT NOT NULL,
    doubt             TEXT,
    called_at         TIMESTAMPTZ,
    CHECK ((captured IS NOT NULL) = (state = 'completed')),
    CHECK ((captured IS NULL) = (captured_currency IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
);

-- One payment of an order is open at a time.
CREATE UNIQUE INDEX payments_one_open ON payments (order_id) WHERE state IN ('pending', 'processing', 'settling');
CREATE INDEX payments_by_order ON payments (order_id);
-- What falls due; under a lease not before that has run out. GREATEST leaves out what is null.
CREATE INDEX payments_due ON payments (GREATEST(due_at, lease_until)) WHERE due_at IS NOT NULL;

CREATE TABLE refunds (
    id              UUID PRIMARY KEY,
    payment_id      UUID NOT NULL REFERENCES payments (id),
    position        BIGINT NOT NULL,
    amount          BIGINT NOT NULL CHECK (amount > 0),
    status          TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    cause           TEXT NOT NULL,
    reason          TEXT,
    external        BOOLEAN NOT NULL,
    provider_refund TEXT CONSTRAINT refunds_provider_refund UNIQUE,
    failure         TEXT,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    due_at          TIMESTAMPTZ,
    tries           BIGINT NOT NULL,
    lease_token     TEXT,
    lease_until     TIMESTAMPTZ,
    attempt         BIGINT NOT NULL,
    doubt           TEXT,
    called_at       TIMESTAMPTZ,
    UNIQUE (payment_id, position),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
);

CREATE INDEX refunds_due ON refunds (GREATEST(due_at, lease_until)) WHERE due_at IS NOT NULL;
