-- The texts that products are found by, derived by the service so that all databases agree. They are null in a row that
-- an instance of the version before wrote, until an instance of this version derives them.

-- A trusted extension: the owner of the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

ALTER TABLE products
    -- Name and description without case and diacritics. `search`, without case only, is read by the version before.
    ADD COLUMN search_text  TEXT COLLATE "C",
    -- The same for spellings that look the same.
    ADD COLUMN category_key TEXT COLLATE "C",
    ADD COLUMN brand_key    TEXT COLLATE "C";

CREATE INDEX products_by_text ON products USING gin (search_text gin_trgm_ops);
CREATE INDEX products_without_text ON products (id) WHERE search_text IS NULL;
CREATE INDEX products_by_category_key ON products (category_key, id) WHERE active;
CREATE INDEX products_by_brand_key ON products (brand_key, id) WHERE active;

-- This version derives the texts again in the transaction that changes them; the version before does not.
CREATE FUNCTION products_texts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_text := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER products_texts_changed BEFORE UPDATE OF name, description, category, brand ON products
    FOR EACH ROW EXECUTE FUNCTION products_texts_changed();
