-- Files of pictures that this service stores, by the digest of their content. The record is there before the file.
CREATE TABLE media (
    name               TEXT COLLATE "C" PRIMARY KEY,
    created_at         TIMESTAMPTZ NOT NULL,
    -- Since when no product refers to the file; a day later it is deleted.
    unreferenced_since TIMESTAMPTZ
);

CREATE INDEX media_unreferenced ON media (unreferenced_since) WHERE unreferenced_since IS NOT NULL;

-- The file of an uploaded picture, and the order of a product's pictures. Equal positions are ordered by id.
ALTER TABLE images ADD COLUMN media TEXT COLLATE "C" REFERENCES media (name);
ALTER TABLE images ADD COLUMN position BIGINT NOT NULL DEFAULT 0;

CREATE INDEX images_by_media ON images (media) WHERE media IS NOT NULL;
