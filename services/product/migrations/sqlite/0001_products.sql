-- Ids of people and orders are text, times milliseconds since 1970, money whole cents, ratings hundredths.

-- Every piece that ever came stands in one of stock_quantity (left to reserve), reserved and sold.
CREATE TABLE products (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    -- Name and description folded, to search in: SQLite itself folds ASCII letters only.
    search         TEXT NOT NULL,
    price          INTEGER NOT NULL CHECK (price > 0),
    category       TEXT NOT NULL,
    brand          TEXT,
    sku            TEXT UNIQUE,
    active         INTEGER NOT NULL DEFAULT 1,
    initial        INTEGER NOT NULL CHECK (initial >= 0),
    adjustments    INTEGER NOT NULL DEFAULT 0,
    stock_quantity INTEGER NOT NULL CHECK (stock_quantity >= 0),
    reserved       INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold           INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    rating_sum     INTEGER NOT NULL DEFAULT 0 CHECK (rating_sum >= 0),
    review_count   INTEGER NOT NULL DEFAULT 0 CHECK (review_count >= 0),
    average_rating INTEGER NOT NULL DEFAULT 0 CHECK (average_rating BETWEEN 0 AND 500),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CHECK (initial + adjustments = stock_quantity + reserved + sold)
) STRICT;

CREATE INDEX products_by_category ON products (category, id) WHERE active = 1;
CREATE INDEX products_by_brand ON products (brand, id) WHERE active = 1;
CREATE INDEX products_by_creation ON products (created_at DESC, id DESC) WHERE active = 1;
CREATE INDEX products_by_rating ON products (average_rating DESC, review_count DESC, id) WHERE active = 1;

CREATE TABLE images (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES products (id),
    url        TEXT NOT NULL,
    alt_text   TEXT,
    is_primary INTEGER NOT NULL
) STRICT;

CREATE INDEX images_by_product ON images (product_id, id);
CREATE UNIQUE INDEX images_one_primary ON images (product_id) WHERE is_primary = 1;

CREATE TABLE reviews (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES products (id),
    user_id    TEXT NOT NULL,
    rating     INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title      TEXT,
    comment    TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (product_id, user_id)
) STRICT;

CREATE INDEX reviews_by_time ON reviews (product_id, created_at DESC, id DESC);

-- A reservation that is released without lines is a tombstone: an attempt of that order that comes late must fail.
CREATE TABLE reservations (
    order_id   TEXT PRIMARY KEY,
    status     TEXT NOT NULL,
    expires_at INTEGER,
    -- When the order service is asked about it; only while it is reserved.
    due_at     INTEGER,
    tries      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((status = 'reserved') = (expires_at IS NOT NULL)),
    CHECK ((status = 'reserved') = (due_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_due ON reservations (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE reservation_lines (
    order_id   TEXT NOT NULL REFERENCES reservations (order_id),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
) STRICT, WITHOUT ROWID;
