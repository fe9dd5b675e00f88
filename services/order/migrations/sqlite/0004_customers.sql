-- Persons who placed an order: the row that placing locks, and the tombstone of an account that was deleted.
CREATE TABLE customers (
    user_id    TEXT PRIMARY KEY,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;

-- What a person holds without having paid for it.
CREATE INDEX orders_unpaid_by_user ON orders (user_id) WHERE captured = 0 AND status IN ('pending', 'confirmed');
