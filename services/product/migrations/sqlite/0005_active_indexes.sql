-- SQLite uses a partial index only for the very term of its condition. The statements say `active`, as PostgreSQL requires.
DROP INDEX products_by_creation;
DROP INDEX products_by_rating;
DROP INDEX products_by_category_key;
DROP INDEX products_by_brand_key;

CREATE INDEX products_by_creation ON products (created_at DESC, id DESC) WHERE active;
CREATE INDEX products_by_rating ON products (average_rating DESC, review_count DESC, id) WHERE active;
CREATE INDEX products_by_category_key ON products (category_key, id) WHERE active;
CREATE INDEX products_by_brand_key ON products (brand_key, id) WHERE active;
