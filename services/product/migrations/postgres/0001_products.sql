-- Money is whole cents, ratings hundredths. Texts are sorted by code point, whatever the database's own language.

-- Every piece that ever came stands in one of stock_quantity (left to reserve), reserved and sold.
CREATE TABLE products (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL,
    description    TEXT NOT NULL,
    -- Name and description folded, to search in.
    search         TEXT NOT NULL,
    price          BIGINT NOT NULL CHECK (price > 0),
    category       TEXT COLLATE "C" NOT NULL,
    brand          TEXT COLLATE "C",
    sku            TEXT CONSTRAINT products_sku UNIQUE,
    active         BOOLEAN NOT NULL DEFAULT true,
    initial        BIGINT NOT NULL CHECK (initial >= 0),
    adjustments    BIGINT NOT NULL DEFAULT 0,
    stock_quantity BIGINT NOT NULL CHECK (stock_quantity >= 0),
    reserved       BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold           BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
    rating_sum     BIGINT NOT NULL DEFAULT 0 CHECK (rating_sum >= 0),
    review_count   BIGINT NOT NULL DEFAULT 0 CHECK (review_count >= 0),
    average_rating BIGINT NOT NULL DEFAULT 0 CHECK (average_rating BETWEEN 0 AND 500),
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    CHECK (initial + adjustments = stock_quantity + reserved + sold)
) WITH (fillfactor = 80);

CREATE INDEX products_by_category ON products (category, id) WHERE active;
CREATE INDEX products_by_brand ON products (brand, id) WHERE active;
CREATE INDEX products_by_creation ON products (created_at DESC, id DESC) WHERE active;
CREATE INDEX products_by_rating ON products (average_rating DESC, review_count DESC, id) WHERE active;

CREATE TABLE images (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id BIGINT NOT NULL REFERENCES products (id),
    url        TEXT NOT NULL,
    alt_text   TEXT,
    is_primary BOOLEAN NOT NULL
);

CREATE INDEX images_by_product ON images (product_id, id);
CREATE UNIQUE INDEX images_one_primary ON images (product_id) WHERE is_primary;

CREATE TABLE reviews (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id BIGINT NOT NULL REFERENCES products (id),
    user_id    UUID NOT NULL,
    rating     BIGINT NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title      TEXT,
    comment    TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT reviews_one_each UNIQUE (product_id, user_id)
);

CREATE INDEX reviews_by_time ON reviews (product_id, created_at DESC, id DESC);

-- A reservation that is released without lines is a tombstone: an attempt of that order that comes late must fail.
CREATE TABLE reservations (
    order_id   UUID PRIMARY KEY,
    status     TEXT NOT NULL CHECK (status IN ('reserved', 'held', 'committed', 'released')),
    expires_at TIMESTAMPTZ,
    -- When the order service is asked about it; only while it is reserved.
    due_at     TIMESTAMPTZ,
    tries      BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CHECK ((status = 'reserved') = (expires_at IS NOT NULL)),
    CHECK ((status = 'reserved') = (due_at IS NOT NULL))
);

CREATE INDEX reservations_due ON reservations (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE reservation_lines (
    order_id   UUID NOT NULL REFERENCES reservations (order_id),
    product_id BIGINT NOT NULL REFERENCES products (id),
    quantity   BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
);
