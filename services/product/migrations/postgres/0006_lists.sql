-- Manual adjustments of stock, with the caller as `type:id`. Those before this version are in `products.adjustments` alone.
CREATE TABLE stock_adjustments (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id BIGINT NOT NULL REFERENCES products (id),
    quantity   BIGINT NOT NULL,
    reason     TEXT,
    actor      TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX stock_adjustments_by_product ON stock_adjustments (product_id, id DESC);

-- The lists of all reviews and of an author's.
CREATE INDEX reviews_by_creation ON reviews (created_at DESC, id DESC);
CREATE INDEX reviews_by_rating ON reviews (rating, created_at DESC, id DESC);
CREATE INDEX reviews_by_author ON reviews (user_id, created_at DESC, id DESC);
DROP INDEX reviews_by_user;

-- The list of hidden products.
CREATE INDEX products_inactive ON products (id) WHERE NOT active;
