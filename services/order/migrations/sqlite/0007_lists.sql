-- Lists and totals of staff.

-- The text that an order is found by: number, e-mail address and name without case and diacritics, derived by the service
-- so that all databases agree. It is null in a row that the version before wrote, until this version derives it.
ALTER TABLE orders ADD COLUMN search_text TEXT;
-- The row's id in the index of texts. The table's own row ids would be numbered anew when the file is vacuumed.
ALTER TABLE orders ADD COLUMN search_row INTEGER;
UPDATE orders SET search_row = rowid;

CREATE UNIQUE INDEX orders_by_search_row ON orders (search_row);
CREATE INDEX orders_without_text ON orders (id) WHERE search_text IS NULL;
CREATE INDEX orders_by_payment_status ON orders (payment_status, created_at DESC, id DESC);
CREATE INDEX orders_shipped ON orders (shipped_at) WHERE shipped_at IS NOT NULL;
CREATE INDEX orders_delivered ON orders (delivered_at) WHERE delivered_at IS NOT NULL;

-- Each three characters in a row of `search_text`, which is kept in `orders` alone.
CREATE VIRTUAL TABLE orders_by_text USING fts5 (
    search_text, content = 'orders', content_rowid = 'search_row', tokenize = 'trigram case_sensitive 1'
);

CREATE TRIGGER orders_text_inserted AFTER INSERT ON orders BEGIN
    UPDATE orders SET search_row = (SELECT coalesce(max(search_row), 0) + 1 FROM orders) WHERE id = NEW.id;
    INSERT INTO orders_by_text (rowid, search_text)
        SELECT search_row, search_text FROM orders WHERE id = NEW.id AND search_text IS NOT NULL;
END;

CREATE TRIGGER orders_text_updated AFTER UPDATE OF search_text ON orders BEGIN
    INSERT INTO orders_by_text (orders_by_text, rowid, search_text)
        SELECT 'delete', OLD.search_row, OLD.search_text WHERE OLD.search_text IS NOT NULL;
    INSERT INTO orders_by_text (rowid, search_text)
        SELECT NEW.search_row, NEW.search_text WHERE NEW.search_text IS NOT NULL;
END;

-- The orders of a deleted account are found by their number alone, whichever version records the deletion.
CREATE TRIGGER customers_inserted_deleted AFTER INSERT ON customers WHEN NEW.deleted_at IS NOT NULL BEGIN
    UPDATE orders SET search_text = lower(order_number) WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER customers_deleted AFTER UPDATE OF deleted_at ON customers
    WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE orders SET search_text = lower(order_number) WHERE user_id = NEW.user_id;
END;
