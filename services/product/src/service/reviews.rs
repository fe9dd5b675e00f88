//! Reviews and the ratings that follow from them.

use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::{ProductId, ReviewId, UserId};

use super::catalog::CatalogService;
use crate::domain::{NewReview, Page, PageRequest, Review, ReviewActor, ReviewFilter};
use crate::error::Error;
use crate::repository::{AddOutcome, RemoveOutcome};

impl CatalogService {
    /// Returns a page of a product's reviews. Reviews of inactive products are listed for admins only.
    pub(crate) async fn list_reviews(
        &self,
        product: ProductId,
        page: PageRequest,
        is_admin: bool,
    ) -> Result<Page<Review>, Error> {
        let found = self.get(product).await?;
        found.filter(|product| product.is_active() || is_admin).ok_or(Error::ProductNotFound)?;
        let filter = ReviewFilter { product: Some(product), ..ReviewFilter::default() };
        Ok(self.reviews.list(&filter, page).await?)
    }

    /// Returns a page of the reviews of all products.
    pub(crate) async fn list_all_reviews(
        &self,
        filter: &ReviewFilter,
        page: PageRequest,
    ) -> Result<Page<Review>, StoreError> {
        self.reviews.list(filter, page).await
    }

    /// Adds a review of an active product.
    pub(crate) async fn add_review(&self, product: ProductId, new: &NewReview) -> Result<Review, Error> {
        let added = self.reviews.add(product, new, self.clock.now(), &Effects::none()).await;
        self.cache.invalidate(product).await;
        match added? {
            AddOutcome::Added(review) => Ok(review),
            AddOutcome::ProductNotFound => Err(Error::ProductNotFound),
            AddOutcome::AuthorDeleted => Err(Error::AuthorDeleted),
        }
    }

    /// Removes the author from all reviews of a deleted account.
    pub(crate) async fn anonymize_reviews(&self, user: UserId, inbox: InboxRecord) -> Result<(), StoreError> {
        self.reviews.anonymize(user, self.clock.now(), &Effects::none().consuming(inbox)).await
    }

    /// Removes a review if the actor may do so.
    pub(crate) async fn remove_review(
        &self,
        product: ProductId,
        review: ReviewId,
        actor: ReviewActor,
    ) -> Result<(), Error> {
        let authorize = |review: &Review| review.can_be_deleted_by(actor);
        let removed = self.reviews.remove(product, review, &authorize, &Effects::none()).await;
        self.cache.invalidate(product).await;
        match removed? {
            RemoveOutcome::Removed => Ok(()),
            RemoveOutcome::NotFound => Err(Error::ReviewNotFound),
            RemoveOutcome::Forbidden => Err(Error::NotReviewAuthor),
        }
    }
}
