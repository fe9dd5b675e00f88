use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::{ProductId, ReviewId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::catalogue::one;
use crate::domain::{NewReview, Page, PageRequest, Review, mean};
use crate::repository::{AddOutcome, AuthorizeFn, RemoveOutcome, ReviewRepository};

/// ReviewRepository in a SQLite file.
pub struct SqliteReviewRepository {
    db: Sqlite,
}

impl SqliteReviewRepository {
    /// The reviews in an open file, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ReviewRepository for SqliteReviewRepository {
    async fn list(&self, product: ProductId, page: PageRequest) -> Result<Page<Review>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let total = sqlx::query_scalar("SELECT count(*) FROM reviews WHERE product_id = ?").bind(product.get());
        let total = total.fetch_one(&mut *tx).await?;
        let query = sqlx::query(
            "SELECT * FROM reviews WHERE product_id = ? ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        );
        let rows = query.bind(product.get()).bind(page.limit()).bind(page.offset()).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(Page::new(page, total, rows.iter().map(read).collect::<Result<_, _>>()?))
    }

    async fn add(
        &self,
        product: ProductId,
        new: &NewReview,
        now: DateTime<Utc>,
        effects: &Effects,
    ) -> Result<AddOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        let deleted = sqlx::query("SELECT 1 FROM deleted_users WHERE user_id = ?").bind(new.user_id.to_string());
        if deleted.fetch_optional(&mut *tx).await?.is_some() {
            tx.rollback().await?;
            return Ok(AddOutcome::AuthorDeleted);
        }
        let visible = sqlx::query("SELECT 1 FROM products WHERE id = ? AND active = 1").bind(product.get());
        if visible.fetch_optional(&mut *tx).await?.is_none() {
            tx.rollback().await?;
            return Ok(AddOutcome::ProductNotFound);
        }
        let row = sqlx::query(
            "INSERT INTO reviews (product_id, user_id, rating, title, comment, created_at)
             VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        )
        .bind(product.get())
        .bind(new.user_id.to_string())
        .bind(new.rating)
        .bind(&new.title)
        .bind(&new.comment)
        .bind(ms(now))
        .fetch_one(&mut *tx)
        .await?;
        let review = read(&row)?;
        rate(&mut tx, product, new.rating, 1).await?;
        self.db.commit(tx, effects).await?;
        Ok(AddOutcome::Added(review))
    }

    async fn anonymize(&self, user: UserId, now: DateTime<Utc>, effects: &Effects) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let query = sqlx::query("INSERT INTO deleted_users (user_id, deleted_at) VALUES (?, ?) ON CONFLICT DO NOTHING");
        query.bind(user.to_string()).bind(ms(now)).execute(&mut *tx).await?;
        let reviews = sqlx::query_scalar("SELECT id FROM reviews WHERE user_id = ?").bind(user.to_string());
        let reviews: Vec<i64> = reviews.fetch_all(&mut *tx).await?;
        for review in reviews {
            let query = sqlx::query("UPDATE reviews SET user_id = ?, anonymous = 1 WHERE id = ?");
            query.bind(UserId::generate(now).to_string()).bind(review).execute(&mut *tx).await?;
        }
        self.db.commit(tx, effects).await
    }

    async fn remove(
        &self,
        product: ProductId,
        review: ReviewId,
        may: &AuthorizeFn<'_>,
        effects: &Effects,
    ) -> Result<RemoveOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        let query = sqlx::query("SELECT * FROM reviews WHERE id = ? AND product_id = ?");
        let row = query.bind(review.get()).bind(product.get()).fetch_optional(&mut *tx).await?;
        let removed = match row.as_ref().map(read).transpose()? {
            None => RemoveOutcome::NotFound,
            Some(review) if !may(&review) => RemoveOutcome::Forbidden,
            Some(review) => {
                let deleted = sqlx::query("DELETE FROM reviews WHERE id = ?").bind(review.id.get());
                one(deleted.execute(&mut *tx).await?.rows_affected(), "review")?;
                rate(&mut tx, product, -review.rating, -1).await?;
                self.db.commit(tx, effects).await?;
                return Ok(RemoveOutcome::Removed);
            }
        };
        tx.rollback().await?;
        Ok(removed)
    }
}

/// Adds to the product's ratings.
async fn rate(tx: &mut SqliteConnection, product: ProductId, sum: i64, count: i64) -> Result<(), StoreError> {
    let query = sqlx::query_as(
        "UPDATE products SET rating_sum = rating_sum + ?, review_count = review_count + ? WHERE id = ?
         RETURNING rating_sum, review_count",
    );
    let (sum, count): (i64, i64) = query.bind(sum).bind(count).bind(product.get()).fetch_one(&mut *tx).await?;
    let query = sqlx::query("UPDATE products SET average_rating = ? WHERE id = ?");
    let updated = query.bind(mean(sum, count).cents()).bind(product.get()).execute(tx).await?;
    one(updated.rows_affected(), "product")
}

fn read(row: &SqliteRow) -> Result<Review, StoreError> {
    let anonymous: bool = row.try_get("anonymous")?;
    Ok(Review {
        id: ReviewId::new(row.try_get("id")?),
        product_id: ProductId::new(row.try_get("product_id")?),
        user_id: if anonymous { None } else { Some(parse_col(row.try_get("user_id")?, "user id")?) },
        rating: row.try_get("rating")?,
        title: row.try_get("title")?,
        comment: row.try_get("comment")?,
        created_at: from_ms(row.try_get("created_at")?)?,
    })
}
