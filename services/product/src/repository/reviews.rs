//! Port of reviews.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::{ProductId, ReviewId, UserId};

use crate::domain::{NewReview, Page, PageRequest, Review, ReviewFilter};

/// Constraint: an author has one review per product.
pub const CONSTRAINT_ONE_REVIEW: &str = "reviews.product_id, reviews.user_id";

/// Permission to change a review.
pub type AuthorizeFn<'a> = dyn Fn(&Review) -> bool + Send + Sync + 'a;

/// Result of adding a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// Add outcome: added review.
    Added(Review),
    /// Add outcome: unknown or inactive product.
    ProductNotFound,
    /// Add outcome: author whose account was deleted.
    AuthorDeleted,
}

/// Result of removing a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// Remove outcome: removed review.
    Removed,
    /// Remove outcome: unknown review.
    NotFound,
    /// Remove outcome: caller without permission.
    Forbidden,
}

common::repository_trait! {
    /// Reviews. The rating of a product changes in the transaction that changes its reviews.
    pub trait ReviewRepository, instrumented as "reviews" by InstrumentedReviewRepository {
        /// Returns a page of reviews, newest first.
        async fn list(&self, filter: &ReviewFilter, page: PageRequest) -> Result<Page<Review>, StoreError>;

        /// Adds a review of an active product.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`CONSTRAINT_ONE_REVIEW`] if the author reviewed the product already; or a failure
        /// of the database.
        async fn add(
            &self,
            product: ProductId,
            new: &NewReview,
            now: DateTime<Utc>,
            effects: &Effects,
        ) -> Result<AddOutcome, StoreError>;

        /// Removes the author from all reviews of a deleted account and rejects later reviews of this author. Ratings
        /// stay.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]; or a failure of the database.
        async fn anonymize(&self, user: UserId, now: DateTime<Utc>, effects: &Effects) -> Result<(), StoreError>;

        /// Removes a review if `authorize` permits it.
        async fn remove(
            &self,
            product: ProductId,
            review: ReviewId,
            authorize: &AuthorizeFn<'_>,
            effects: &Effects,
        ) -> Result<RemoveOutcome, StoreError>;
    }
}
