use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::postgres::Postgres;
use common::store::StoreError;
use contracts::{ProductId, ReviewId, UserId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{lock, one, refusal};
use crate::domain::{NewReview, Page, PageRequest, Review, mean};
use crate::repository::{AddOutcome, AuthorizeFn, RemoveOutcome, ReviewRepository};

/// The columns that a review is read from.
macro_rules! columns {
    () => {
        "id, product_id, user_id, anonymous, rating, title, comment, created_at"
    };
}

/// A page of a product's reviews, the newest first.
pub const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reviews WHERE product_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"
);
/// A review of a product.
const REVIEW: &str = concat!("SELECT ", columns!(), " FROM reviews WHERE id = $1 AND product_id = $2");
/// Inserts a review.
const INSERT: &str = concat!(
    "INSERT INTO reviews (product_id, user_id, rating, title, comment, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
     RETURNING ",
    columns!()
);

/// Whether an account was deleted.
pub const DELETED: &str = "SELECT 1 FROM deleted_users WHERE user_id = $1";
/// Removes the author from reviews.
pub const ANONYMIZE: &str = "UPDATE reviews SET user_id = gen_random_uuid(), anonymous = true WHERE user_id = $1";

/// ReviewRepository in a PostgreSQL database.
pub struct PostgresReviewRepository {
    db: Postgres,
}

impl PostgresReviewRepository {
    /// The reviews in an open database, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Postgres) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ReviewRepository for PostgresReviewRepository {
    async fn list(&self, product: ProductId, page: PageRequest) -> Result<Page<Review>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let total = sqlx::query_scalar("SELECT count(*) FROM reviews WHERE product_id = $1").bind(product.get());
        let total = total.fetch_one(&mut *tx).await?;
        let rows =
            sqlx::query(PAGE).bind(product.get()).bind(page.limit()).bind(page.offset()).fetch_all(&mut *tx).await?;
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
        lock_author(&mut tx, new.user_id).await?;
        let deleted = sqlx::query(DELETED).bind(new.user_id.as_uuid()).fetch_optional(&mut *tx).await?;
        if deleted.is_some() {
            tx.rollback().await?;
            return Ok(AddOutcome::AuthorDeleted);
        }
        if lock(&mut tx, product).await? != Some(true) {
            tx.rollback().await?;
            return Ok(AddOutcome::ProductNotFound);
        }
        let row = sqlx::query(INSERT)
            .bind(product.get())
            .bind(new.user_id.as_uuid())
            .bind(new.rating)
            .bind(&new.title)
            .bind(&new.comment)
            .bind(now)
            .fetch_one(&mut *tx)
            .await
            .map_err(refusal)?;
        let review = read(&row)?;
        rate(&mut tx, product, new.rating, 1).await?;
        self.db.commit(tx, effects).await?;
        Ok(AddOutcome::Added(review))
    }

    async fn anonymize(&self, user: UserId, now: DateTime<Utc>, effects: &Effects) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        lock_author(&mut tx, user).await?;
        let query =
            sqlx::query("INSERT INTO deleted_users (user_id, deleted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        query.bind(user.as_uuid()).bind(now).execute(&mut *tx).await?;
        sqlx::query(ANONYMIZE).bind(user.as_uuid()).execute(&mut *tx).await?;
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
        lock(&mut tx, product).await?;
        let query = sqlx::query(REVIEW);
        let row = query.bind(review.get()).bind(product.get()).fetch_optional(&mut *tx).await?;
        let removed = match row.as_ref().map(read).transpose()? {
            None => RemoveOutcome::NotFound,
            Some(review) if !may(&review) => RemoveOutcome::Forbidden,
            Some(review) => {
                let deleted = sqlx::query("DELETE FROM reviews WHERE id = $1").bind(review.id.get());
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

/// Locks an author until the transaction ends, before any product, so that a review and the deletion of its author never
/// miss each other.
async fn lock_author(tx: &mut PgConnection, user: UserId) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
    query.bind(format!("author:{user}")).execute(tx).await?;
    Ok(())
}

/// Adds to the product's ratings.
async fn rate(tx: &mut PgConnection, product: ProductId, sum: i64, count: i64) -> Result<(), StoreError> {
    let query = sqlx::query_as(
        "UPDATE products SET rating_sum = rating_sum + $1, review_count = review_count + $2 WHERE id = $3
         RETURNING rating_sum, review_count",
    );
    let (sum, count): (i64, i64) = query.bind(sum).bind(count).bind(product.get()).fetch_one(&mut *tx).await?;
    let query = sqlx::query("UPDATE products SET average_rating = $1 WHERE id = $2");
    let updated = query.bind(mean(sum, count).cents()).bind(product.get()).execute(tx).await?;
    one(updated.rows_affected(), "product")
}

fn read(row: &PgRow) -> Result<Review, StoreError> {
    let anonymous: bool = row.try_get("anonymous")?;
    Ok(Review {
        id: ReviewId::new(row.try_get("id")?),
        product_id: ProductId::new(row.try_get("product_id")?),
        user_id: if anonymous { None } else { Some(UserId::from_uuid(row.try_get("user_id")?)) },
        rating: row.try_get("rating")?,
        title: row.try_get("title")?,
        comment: row.try_get("comment")?,
        created_at: row.try_get("created_at")?,
    })
}
