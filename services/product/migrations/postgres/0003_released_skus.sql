-- `sku` is that of an active product, and unique. The sku of an inactive one is free for others and stands here, so that
-- the product still shows it and takes it back when it is active again.
ALTER TABLE products ADD COLUMN released_sku TEXT;

CREATE INDEX products_by_released_sku ON products (released_sku, id) WHERE released_sku IS NOT NULL;

UPDATE products SET released_sku = sku, sku = NULL WHERE NOT active AND sku IS NOT NULL;

-- This version writes both columns; the version before knows `sku` alone.
CREATE FUNCTION products_sku_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.released_sku := NEW.sku;
    NEW.sku := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER products_sku_released BEFORE UPDATE OF sku, active ON products
    FOR EACH ROW WHEN (NOT NEW.active AND NEW.sku IS NOT NULL) EXECUTE FUNCTION products_sku_released();

CREATE FUNCTION products_sku_taken_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sku := NEW.released_sku;
    NEW.released_sku := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER products_sku_taken_back BEFORE UPDATE OF sku, active ON products
    FOR EACH ROW WHEN (NEW.active AND NEW.sku IS NULL AND NEW.released_sku IS NOT NULL)
    EXECUTE FUNCTION products_sku_taken_back();
