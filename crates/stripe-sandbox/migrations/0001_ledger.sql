-- Times: `created` in whole seconds as Stripe has it, `*_at` in milliseconds, both since 1970 in UTC.
-- Amounts in the smallest unit of the currency.

CREATE TABLE payment_methods (
    id      TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    -- the test method that it behaves as, or `redirect`
    token   TEXT NOT NULL,
    type    TEXT NOT NULL
) STRICT;

CREATE TABLE payment_intents (
    seq                  INTEGER PRIMARY KEY AUTOINCREMENT,
    id                   TEXT NOT NULL UNIQUE,
    created              INTEGER NOT NULL,
    amount               INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 99999999),
    amount_received      INTEGER NOT NULL DEFAULT 0,
    currency             TEXT NOT NULL,
    status               TEXT NOT NULL,
    client_secret        TEXT NOT NULL,
    description          TEXT,
    receipt_email        TEXT,
    metadata             TEXT NOT NULL,
    automatic_methods    INTEGER NOT NULL,
    allow_redirects      TEXT NOT NULL,
    payment_method_types TEXT NOT NULL,
    payment_method       TEXT REFERENCES payment_methods (id),
    return_url           TEXT,
    latest_charge        TEXT,
    last_payment_error   TEXT,
    canceled_at          INTEGER,
    cancellation_reason  TEXT,
    CHECK (amount_received = CASE status WHEN 'succeeded' THEN amount ELSE 0 END)
) STRICT;

CREATE TABLE charges (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    created         INTEGER NOT NULL,
    payment_intent  TEXT NOT NULL REFERENCES payment_intents (id),
    payment_method  TEXT NOT NULL REFERENCES payment_methods (id),
    amount          INTEGER NOT NULL,
    amount_refunded INTEGER NOT NULL DEFAULT 0,
    currency        TEXT NOT NULL,
    status          TEXT NOT NULL,
    failure_code    TEXT,
    failure_message TEXT,
    description     TEXT,
    metadata        TEXT NOT NULL,
    CHECK (amount_refunded BETWEEN 0 AND CASE status WHEN 'succeeded' THEN amount ELSE 0 END)
) STRICT;

-- Money is taken once for an intent.
CREATE UNIQUE INDEX charges_one_success ON charges (payment_intent) WHERE status = 'succeeded';

CREATE TABLE refunds (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    created        INTEGER NOT NULL,
    charge         TEXT NOT NULL REFERENCES charges (id),
    payment_intent TEXT NOT NULL REFERENCES payment_intents (id),
    amount         INTEGER NOT NULL CHECK (amount > 0),
    currency       TEXT NOT NULL,
    status         TEXT NOT NULL,
    reason         TEXT,
    failure_reason TEXT,
    metadata       TEXT NOT NULL,
    -- a refund whose fate is decided later: when, and the status it takes then
    settle_at      INTEGER,
    settle_as      TEXT
) STRICT;

CREATE INDEX refunds_by_intent ON refunds (payment_intent, seq);
CREATE INDEX refunds_to_settle ON refunds (settle_at) WHERE settle_at IS NOT NULL;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    type    TEXT NOT NULL,
    -- the event as it is sent, byte for byte
    body    TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_type ON events (type, seq);

CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    event       TEXT NOT NULL REFERENCES events (id),
    state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'abandoned')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    first_at    INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    last_result TEXT
) STRICT;

CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_event ON deliveries (event);

CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY,
    kept_at     INTEGER NOT NULL,
    path        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status      INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (kept_at);
