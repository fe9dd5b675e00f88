-- The texts that products are found by, derived by the service so that all databases agree. They are null in a row that
-- an instance of the version before wrote, until an instance of this version derives them.

-- Name and description without case and diacritics. `search`, without case only, is read by the version before.
ALTER TABLE products ADD COLUMN search_text TEXT;
-- The same for spellings that look the same.
ALTER TABLE products ADD COLUMN category_key TEXT;
ALTER TABLE products ADD COLUMN brand_key TEXT;

CREATE INDEX products_without_text ON products (id) WHERE search_text IS NULL;
CREATE INDEX products_by_category_key ON products (category_key, id) WHERE active = 1;
CREATE INDEX products_by_brand_key ON products (brand_key, id) WHERE active = 1;

-- Each three characters in a row of `search_text`, which is kept in `products` alone.
CREATE VIRTUAL TABLE products_by_text USING fts5 (
    search_text, content = 'products', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);

-- This version derives the texts again in the transaction that changes them; the version before does not.
CREATE TRIGGER products_texts_changed AFTER UPDATE OF name, description, category, brand ON products BEGIN
    UPDATE products SET search_text = NULL WHERE id = NEW.id;
END;

CREATE TRIGGER products_text_inserted AFTER INSERT ON products WHEN NEW.search_text IS NOT NULL BEGIN
    INSERT INTO products_by_text (rowid, search_text) VALUES (NEW.id, NEW.search_text);
END;

CREATE TRIGGER products_text_updated AFTER UPDATE OF search_text ON products BEGIN
    INSERT INTO products_by_text (products_by_text, rowid, search_text)
        SELECT 'delete', OLD.id, OLD.search_text WHERE OLD.search_text IS NOT NULL;
    INSERT INTO products_by_text (rowid, search_text) SELECT NEW.id, NEW.search_text WHERE NEW.search_text IS NOT NULL;
END;
