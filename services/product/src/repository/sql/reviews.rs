//! Reviews and ratings.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Connection, Database, Listing, OrderBy, Row, Tx, query};
use contracts::{ProductId, ReviewId, UserId};

use super::{lock_product, map_error, require_row};
use crate::domain::{NewReview, Page, PageRequest, Review, ReviewFilter, mean};
use crate::repository::{AddOutcome, AuthorizeFn, RemoveOutcome, ReviewRepository};

/// Columns of a review.
macro_rules! columns {
    () => {
        "id, product_id, user_id, anonymous, rating, title, comment, created_at"
    };
}

const REVIEW: &str = concat!("SELECT ", columns!(), " FROM reviews WHERE id = $1 AND product_id = $2");
const INSERT: &str = concat!(
    "INSERT INTO reviews (product_id, user_id, rating, title, comment, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
     RETURNING ",
    columns!()
);
const DELETE: &str = "DELETE FROM reviews WHERE id = $1";
const ADD_RATING: &str =
    "UPDATE products SET rating_sum = rating_sum + $1, review_count = review_count + $2 WHERE id = $3
    RETURNING rating_sum, review_count";
const SET_AVERAGE: &str = "UPDATE products SET average_rating = $1 WHERE id = $2";

/// Author whose account was deleted.
pub const DELETED_AUTHOR: &str = "SELECT 1 FROM deleted_users WHERE user_id = $1";
const INSERT_DELETED_AUTHOR: &str =
    "INSERT INTO deleted_users (user_id, deleted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
/// Reviews of an author.
pub const REVIEWS_OF_AUTHOR: &str = "SELECT id FROM reviews WHERE user_id = $1";
const ANONYMIZE: &str = "UPDATE reviews SET user_id = $1, anonymous = true WHERE id = $2";

/// Reviews in a database.
pub(super) struct SqlReviewRepository {
    db: Database,
}

impl SqlReviewRepository {
    pub(super) const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ReviewRepository for SqlReviewRepository {
    async fn list(&self, filter: &ReviewFilter, page: PageRequest) -> Result<Page<Review>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let found = review_listing(filter).fetch_page(&mut tx, page.offset(), page.limit()).await?;
        tx.commit().await?;
        Ok(Page::new(page, found.total, found.rows.iter().map(map_review).collect::<Result<_, _>>()?))
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
        if query(DELETED_AUTHOR).bind(new.user_id).fetch_optional(&mut tx).await?.is_some() {
            tx.rollback().await?;
            return Ok(AddOutcome::AuthorDeleted);
        }
        if lock_product(&mut tx, product).await? != Some(true) {
            tx.rollback().await?;
            return Ok(AddOutcome::ProductNotFound);
        }
        let row = query(INSERT)
            .bind(product)
            .bind(new.user_id)
            .bind(new.rating)
            .bind(&new.title)
            .bind(&new.comment)
            .bind(now)
            .fetch_one(&mut tx)
            .await
            .map_err(map_error)?;
        refresh_rating(&mut tx, product, new.rating, 1).await?;
        self.db.commit(tx, effects).await?;
        Ok(AddOutcome::Added(map_review(&row)?))
    }

    async fn anonymize(&self, user: UserId, now: DateTime<Utc>, effects: &Effects) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        lock_author(&mut tx, user).await?;
        query(INSERT_DELETED_AUTHOR).bind(user).bind(now).execute(&mut tx).await?;
        // A review that is removed meanwhile needs no new author.
        for review in query(REVIEWS_OF_AUTHOR).bind(user).fetch_scalars::<ReviewId>(&mut tx).await? {
            query(ANONYMIZE).bind(UserId::generate(now)).bind(review).execute(&mut tx).await?;
        }
        self.db.commit(tx, effects).await
    }

    async fn remove(
        &self,
        product: ProductId,
        review: ReviewId,
        authorize: &AuthorizeFn<'_>,
        effects: &Effects,
    ) -> Result<RemoveOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        lock_product(&mut tx, product).await?;
        let row = query(REVIEW).bind(review).bind(product).fetch_optional(&mut tx).await?;
        let rejected = match row.as_ref().map(map_review).transpose()? {
            None => RemoveOutcome::NotFound,
            Some(review) if !authorize(&review) => RemoveOutcome::Forbidden,
            Some(review) => {
                require_row(query(DELETE).bind(review.id).execute(&mut tx).await?, "review")?;
                refresh_rating(&mut tx, product, -review.rating, -1).await?;
                self.db.commit(tx, effects).await?;
                return Ok(RemoveOutcome::Removed);
            }
        };
        tx.rollback().await?;
        Ok(rejected)
    }
}

/// Returns the list of reviews that match the filter, newest first.
#[must_use]
pub fn review_listing(filter: &ReviewFilter) -> Listing<'static> {
    const NEWEST: &[OrderBy] = &[OrderBy::desc("created_at"), OrderBy::desc("id")];
    let mut listing = Listing::new(columns!(), "reviews", NEWEST);
    listing
        .filter("product_id = ?", filter.product)
        .filter("user_id = ?", filter.author)
        .filter("rating = ?", filter.rating);
    listing
}

/// Locks an author until the transaction ends, before any product. A review and the deletion of its author are thereby
/// serialized.
async fn lock_author(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.lock_name(&format!("author:{user}")).await
}

/// Adds to the ratings of a product and updates their mean.
async fn refresh_rating(db: &mut Connection, product: ProductId, sum: i64, count: i64) -> Result<(), StoreError> {
    let row = query(ADD_RATING).bind(sum).bind(count).bind(product).fetch_one(db).await?;
    let average = mean(row.get("rating_sum")?, row.get("review_count")?);
    require_row(query(SET_AVERAGE).bind(average).bind(product).execute(db).await?, "product")
}

fn map_review(row: &Row) -> Result<Review, StoreError> {
    let anonymous: bool = row.get("anonymous")?;
    Ok(Review {
        id: row.get("id")?,
        product_id: row.get("product_id")?,
        user_id: if anonymous { None } else { Some(row.get("user_id")?) },
        rating: row.get("rating")?,
        title: row.get("title")?,
        comment: row.get("comment")?,
        created_at: row.get("created_at")?,
    })
}
