//! Reviews, with the rating that follows from them.

use common::effects::{Effects, Handled};
use common::store::StoreError;
use contracts::{ProductId, ReviewId, UserId};

use super::Shop;
use crate::domain::{NewReview, Review};
use crate::error::Error;
use crate::store::{AddOutcome, May, Removed};

impl Shop {
    /// Adds a person's review of a product that is on sale.
    pub(crate) async fn add_review(&self, product: ProductId, new: &NewReview) -> Result<Review, Error> {
        let added = self.stores.reviews.add(product, new, self.clock.now(), &Effects::none()).await;
        self.forget(product).await;
        match added? {
            AddOutcome::Added(review) => Ok(review),
            AddOutcome::ProductNotFound => Err(Error::ProductNotFound),
            AddOutcome::AuthorDeleted => Err(Error::AuthorDeleted),
        }
    }

    /// Removes the author from all reviews of a deleted account.
    pub(crate) async fn anonymize_reviews(&self, user: UserId, handled: Handled) -> Result<(), StoreError> {
        self.stores.reviews.anonymize(user, self.clock.now(), &Effects::none().handling(handled)).await
    }

    /// Removes a review if it may be.
    pub(crate) async fn remove_review(&self, product: ProductId, review: ReviewId, may: &May<'_>) -> Result<(), Error> {
        let removed = self.stores.reviews.remove(product, review, may, &Effects::none()).await;
        self.forget(product).await;
        match removed? {
            Removed::Done => Ok(()),
            Removed::Unknown => Err(Error::ReviewNotFound),
            Removed::Forbidden => Err(Error::NotTheAuthor),
        }
    }
}
