-- Persons who placed an order: the row that placing locks, and the tombstone of an account that was deleted.
CREATE TABLE customers (
    user_id    UUID PRIMARY KEY,
    deleted_at TIMESTAMPTZ
);

-- What a person holds without having paid for it.
CREATE INDEX orders_unpaid_by_user ON orders (user_id) WHERE captured = 0 AND status IN ('pending', 'confirmed');
