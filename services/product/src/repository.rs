//! Repository ports, one per aggregate.
//!
//! A mutating method commits its effects with the change, or neither. Where effects depend on the result, such as on the
//! id of a new product, the caller passes a function of the result.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::store::{Operations, StoreError};
use contracts::audit::ProductAudit;
use contracts::calls::{Product, ProductImage, Reservation, Shortage};
use contracts::{ImageId, OrderId, ProductId, ReviewId, UserId};

use crate::domain::{
    NewImage, NewProduct, NewReservation, NewReview, Page, PageRequest, ProductFilter, ReservationAction, Review,
    SortOrder,
};

pub mod postgres;
pub mod sqlite;
mod texts;

/// Constraint: the sku of an active product is unique.
pub const CONSTRAINT_SKU: &str = "products.sku";
/// Constraint: an author has one review per product.
pub const CONSTRAINT_ONE_REVIEW: &str = "reviews.product_id, reviews.user_id";

/// Effects of a change, derived from its result.
pub type EffectsFn<'a, T> = dyn Fn(&T) -> Effects + Send + Sync + 'a;
/// Mutation of the locked product. Returned effects commit atomically with it; `None` rolls back.
pub type UpdateFn<'a> = dyn Fn(&mut Product) -> Option<Effects> + Send + Sync + 'a;
/// Choice of the action for the locked reservation of an order, or for its absence. It may run again.
pub type DecideFn<'a> = dyn Fn(Option<&Reservation>) -> (ReservationAction, Effects) + Send + Sync + 'a;
/// Permission to change a review.
pub type AuthorizeFn<'a> = dyn Fn(&Review) -> bool + Send + Sync + 'a;

common::store_port! {
    /// Products and their pictures.
    pub trait ProductRepository, observed as "catalogue" by InstrumentedProductRepository {
        /// Returns a product, active or not.
        async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError>;

        /// Returns the active product with this sku, otherwise the last inactive one that had it. The sku is in
        /// Normalization Form C; a stored sku in Form D matches as well.
        async fn find_id_by_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError>;

        /// Returns the active products among these ids, each once, by id.
        async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

        /// Returns a page of active products.
        async fn list(
            &self,
            filter: &ProductFilter,
            order: SortOrder,
            page: PageRequest,
        ) -> Result<Page<Product>, StoreError>;

        /// Returns the categories of active products, sorted. Spellings that look the same count once, in the spelling of
        /// the product with the lowest id.
        async fn categories(&self) -> Result<Vec<String>, StoreError>;

        /// Returns the brands of active products, as [`categories`](Self::categories) does.
        async fn brands(&self) -> Result<Vec<String>, StoreError>;

        /// Derives the search texts of up to `limit` products that the previous version wrote last; returns their number.
        /// Concurrent instances index different products.
        async fn index_pending(&self, limit: u32) -> Result<u64, StoreError>;

        /// Returns all spellings of categories, brands and skus that another spelling may equal.
        async fn spellings(&self) -> Result<Spellings, StoreError>;

        /// Creates a product.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`CONSTRAINT_SKU`] if another active product has the sku; or a failure of the
        /// database.
        async fn create(
            &self,
            new: &NewProduct,
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<Product, StoreError>;

        /// Creates these products if there never was any; returns true if it did.
        async fn seed(
            &self,
            products: &[NewProduct],
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<bool, StoreError>;

        /// Updates a product, except its stock, rating and pictures; returns the result, `None` if the product does not
        /// exist.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`CONSTRAINT_SKU`] if another active product has the sku; or a failure of the
        /// database.
        async fn update(&self, id: ProductId, update: &UpdateFn<'_>) -> Result<Option<Product>, StoreError>;

        /// Adds a picture; returns `None` if the product does not exist. A new primary picture replaces the previous one.
        async fn add_image(
            &self,
            product: ProductId,
            new: &NewImage,
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<Option<ProductImage>, StoreError>;

        /// Removes a picture; returns false if the product has no such picture.
        async fn remove_image(
            &self,
            product: ProductId,
            image: ImageId,
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<bool, StoreError>;

        /// Checks that the database is available.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}

/// Spellings that may look the same to a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spellings {
    /// Spellings of categories.
    pub categories: Vec<String>,
    /// Spellings of brands.
    pub brands: Vec<String>,
    /// Skus with characters beyond ASCII. All others have one normalization form.
    pub skus: Vec<String>,
}

/// Result of a manual stock adjustment.
#[derive(Clone, Debug, PartialEq)]
pub enum AdjustOutcome {
    /// Adjusted product.
    Adjusted(Box<Product>),
    /// Unknown product.
    NotFound,
    /// Available stock, too low for the adjustment.
    Insufficient(i64),
    /// Stock above [`crate::domain::MAX_STOCK`].
    LimitExceeded,
}

/// Result of a reservation.
#[derive(Clone, Debug, PartialEq)]
pub enum ReserveOutcome {
    /// New reservation.
    Created(Reservation),
    /// Previous reservation of the order; nothing changed.
    Existing(Reservation),
    /// Unknown or inactive products; nothing changed.
    ProductsNotFound(Vec<ProductId>),
    /// Products with insufficient stock; nothing changed.
    Insufficient(Vec<Shortage>),
}

common::store_port! {
    /// Stock of products and reservations of orders.
    ///
    /// Invariant of each product: initial stock and adjustments equal available, reserved and sold stock, none of which is
    /// negative.
    pub trait InventoryRepository, observed as "stock" by InstrumentedInventoryRepository {
        /// Adjusts the available stock.
        async fn adjust(
            &self,
            product: ProductId,
            change: i64,
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<AdjustOutcome, StoreError>;

        /// Reserves all lines or none.
        async fn reserve(
            &self,
            new: &NewReservation,
            now: DateTime<Utc>,
            effects: &Effects,
        ) -> Result<ReserveOutcome, StoreError>;

        /// Returns the reservation of an order.
        async fn find_reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError>;

        /// Applies the action that `decide` chooses to the reservation of an order; returns the result.
        /// [`ReservationAction::Keep`] writes the effects only.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]; [`StoreError::Fault`] if the reservation's status does not permit the action;
        /// or a failure of the database.
        async fn update(
            &self,
            order: OrderId,
            now: DateTime<Utc>,
            decide: &DecideFn<'_>,
        ) -> Result<Option<Reservation>, StoreError>;

        /// Returns orders whose reservations are due, longest due first, with the number of postponements.
        async fn list_due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(OrderId, u32)>, StoreError>;

        /// Returns the time at which the next reservation is due.
        async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Postpones a reservation that is still reserved.
        async fn postpone(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError>;

        /// Returns the number of active products without available stock.
        async fn count_out_of_stock(&self) -> Result<i64, StoreError>;

        /// Returns the stock balances of up to `limit` products by id, starting behind `after`.
        async fn audit_page(
            &self,
            after: Option<ProductId>,
            limit: i64,
        ) -> Result<Vec<ProductAudit>, StoreError>;
    }
}

/// Result of adding a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// Added review.
    Added(Review),
    /// Unknown or inactive product.
    ProductNotFound,
    /// Author whose account was deleted.
    AuthorDeleted,
}

/// Result of removing a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// Removed review.
    Removed,
    /// Unknown review.
    NotFound,
    /// Missing permission.
    Forbidden,
}

common::store_port! {
    /// Reviews. The rating of a product changes in the transaction that changes its reviews.
    pub trait ReviewRepository, observed as "reviews" by InstrumentedReviewRepository {
        /// Returns a page of a product's reviews, newest first.
        async fn list(&self, product: ProductId, page: PageRequest) -> Result<Page<Review>, StoreError>;

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

/// Repositories of the service.
#[derive(Clone)]
pub struct Repositories {
    /// Products and their pictures.
    pub products: Arc<dyn ProductRepository>,
    /// Stock and reservations.
    pub inventory: Arc<dyn InventoryRepository>,
    /// Reviews.
    pub reviews: Arc<dyn ReviewRepository>,
}

impl Repositories {
    /// Returns the same repositories with metrics and traces of their calls.
    #[must_use]
    pub fn instrumented(self, operations: &Operations) -> Self {
        Self {
            products: InstrumentedProductRepository::over(self.products, operations.clone()),
            inventory: InstrumentedInventoryRepository::over(self.inventory, operations.clone()),
            reviews: InstrumentedReviewRepository::over(self.reviews, operations.clone()),
        }
    }
}
