-- `sku` is that of an active product, and unique. The sku of an inactive one is free for others and stands here, so that
-- the product still shows it and takes it back when it is active again.
ALTER TABLE products ADD COLUMN released_sku TEXT;

CREATE INDEX products_by_released_sku ON products (released_sku, id) WHERE released_sku IS NOT NULL;

UPDATE products SET released_sku = sku, sku = NULL WHERE active = 0 AND sku IS NOT NULL;

-- This version writes both columns; the version before knows `sku` alone.
CREATE TRIGGER products_sku_released AFTER UPDATE OF sku, active ON products
WHEN NEW.active = 0 AND NEW.sku IS NOT NULL BEGIN
    UPDATE products SET released_sku = NEW.sku, sku = NULL WHERE id = NEW.id;
END;

CREATE TRIGGER products_sku_taken_back AFTER UPDATE OF sku, active ON products
WHEN NEW.active = 1 AND NEW.sku IS NULL AND NEW.released_sku IS NOT NULL BEGIN
    UPDATE products SET sku = NEW.released_sku, released_sku = NULL WHERE id = NEW.id;
END;
