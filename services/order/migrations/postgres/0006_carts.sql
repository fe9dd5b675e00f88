-- Carts: what a person may order. They hold no stock.
CREATE TABLE carts (
    id          UUID PRIMARY KEY,
    -- The owner; NULL as long as the cart belongs to the one who knows its id.
    user_id     UUID,
    -- 1 at creation, raised by each change.
    version     BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    -- The last change or read, the latter to the day.
    used_at     TIMESTAMPTZ NOT NULL,
    -- The cart of the same owner that took the lines over. Lines that it had no room for stay here.
    merged_into UUID REFERENCES carts (id) ON DELETE CASCADE,
    merged_at   TIMESTAMPTZ,
    CHECK ((merged_into IS NULL) = (merged_at IS NULL)),
    CHECK (merged_into IS NULL OR user_id IS NOT NULL)
);

CREATE UNIQUE INDEX carts_by_user ON carts (user_id) WHERE user_id IS NOT NULL AND merged_into IS NULL;
CREATE INDEX carts_unused ON carts (used_at) WHERE merged_into IS NULL;
CREATE INDEX carts_unfilled ON carts (created_at) WHERE user_id IS NULL AND version = 1;
CREATE INDEX carts_merged ON carts (merged_at) WHERE merged_into IS NOT NULL;
CREATE INDEX carts_by_survivor ON carts (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE cart_items (
    cart_id      UUID NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
    product_id   BIGINT NOT NULL,
    quantity     BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    position     BIGINT NOT NULL,
    -- The product when its quantity was last set, so that a product that is gone can be shown.
    product_name TEXT NOT NULL,
    product_sku  TEXT,
    unit_price   BIGINT NOT NULL,
    PRIMARY KEY (cart_id, product_id)
);
