-- Lists and totals of staff.

-- A trusted extension: the owner of the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The text that an order is found by: number, e-mail address and name without case and diacritics, derived by the service
-- so that all databases agree. It is null in a row that an instance of the version before wrote, until an instance of this
-- version derives it.
ALTER TABLE orders ADD COLUMN search_text TEXT COLLATE "C";

CREATE INDEX orders_by_text ON orders USING gin (search_text gin_trgm_ops);
CREATE INDEX orders_without_text ON orders (id) WHERE search_text IS NULL;
CREATE INDEX orders_by_payment_status ON orders (payment_status, created_at DESC, id DESC);
CREATE INDEX orders_shipped ON orders (shipped_at) WHERE shipped_at IS NOT NULL;
CREATE INDEX orders_delivered ON orders (delivered_at) WHERE delivered_at IS NOT NULL;

-- The orders of a deleted account are found by their number alone, whichever version records the deletion.
CREATE FUNCTION customers_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orders SET search_text = lower(order_number) WHERE user_id = NEW.user_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER customers_inserted_deleted AFTER INSERT ON customers
    FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION customers_deleted();
CREATE TRIGGER customers_deleted AFTER UPDATE OF deleted_at ON customers
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION customers_deleted();
