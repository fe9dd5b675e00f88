-- Accounts that were deleted, by id alone: nothing is written in their name any more.
CREATE TABLE deleted_users (
    user_id    UUID PRIMARY KEY,
    deleted_at TIMESTAMPTZ NOT NULL
);

-- Whether the author's account was deleted. The review's `user_id` is a random one then, which stands for nobody: it is
-- never null and one per product, as the version before expects.
ALTER TABLE reviews ADD COLUMN anonymous BOOLEAN NOT NULL DEFAULT false;

CREATE INDEX reviews_by_user ON reviews (user_id);
