use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::{ProductId, ReviewId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::catalogue::one;
use crate::domain::{NewReview, Page, PageRequest, Review, mean};
use crate::store::{May, Removed, Reviews};

/// Reviews in a SQLite file.
pub struct SqliteReviews {
    db: Sqlite,
}

impl SqliteReviews {
    /// The reviews in an open file, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Reviews for SqliteReviews {
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
    ) -> Result<Option<Review>, StoreError> {
        let mut tx = self.db.begin().await?;
        let visible = sqlx::query("SELECT 1 FROM products WHERE id = ? AND active = 1").bind(product.get());
        if visible.fetch_optional(&mut *tx).await?.is_none() {
            tx.rollback().await?;
            return Ok(None);
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
        Ok(Some(review))
    }

    async fn remove(
        &self,
        product: ProductId,
        review: ReviewId,
        may: &May<'_>,
        effects: &Effects,
    ) -> Result<Removed, StoreError> {
        let mut tx = self.db.begin().await?;
        let query = sqlx::query("SELECT * FROM reviews WHERE id = ? AND product_id = ?");
        let row = query.bind(review.get()).bind(product.get()).fetch_optional(&mut *tx).await?;
        let removed = match row.as_ref().map(read).transpose()? {
            None => Removed::Unknown,
            Some(review) if !may(&review) => Removed::Forbidden,
            Some(review) => {
                let deleted = sqlx::query("DELETE FROM reviews WHERE id = ?").bind(review.id.get());
                one(deleted.execute(&mut *tx).await?.rows_affected(), "review")?;
                rate(&mut tx, product, -review.rating, -1).await?;
                self.db.commit(tx, effects).await?;
                return Ok(Removed::Done);
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
    Ok(Review {
        id: ReviewId::new(row.try_get("id")?),
        product_id: ProductId::new(row.try_get("product_id")?),
        user_id: parse_col(row.try_get("user_id")?, "user id")?,
        rating: row.try_get("rating")?,
        title: row.try_get("title")?,
        comment: row.try_get("comment")?,
        created_at: from_ms(row.try_get("created_at")?)?,
    })
}
