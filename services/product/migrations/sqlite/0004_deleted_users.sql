-- Accounts that were deleted, by id alone: nothing is written in their name any more.
CREATE TABLE deleted_users (
    user_id    TEXT PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether the author's account was deleted. The review's `user_id` is a random one then, which stands for nobody: it is
-- never null and one per product, as the version before expects.
ALTER TABLE reviews ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;

CREATE INDEX reviews_by_user ON reviews (user_id);
