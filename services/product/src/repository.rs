//! Repository ports, one per aggregate, and their SQL adapter.
//!
//! A mutating method commits its effects with the change, or neither. Where effects depend on the result, such as on the
//! id of a new product, the caller passes a function of the result.

use std::sync::Arc;

use common::database::store::StoreMetrics;

mod effects_fn;
mod inventory;
mod media;
mod products;
mod reviews;
pub mod sql;

pub use effects_fn::EffectsFn;
pub use inventory::{AdjustOutcome, DecideFn, InstrumentedInventoryRepository, InventoryRepository, ReserveOutcome};
pub use media::{AttachOutcome, CollectOutcome, FileFn, InstrumentedMediaRepository, MediaRepository};
pub use products::{CONSTRAINT_SKU, InstrumentedProductRepository, NewSample, ProductRepository, Spellings, UpdateFn};
pub use reviews::{
    AddOutcome, AuthorizeFn, CONSTRAINT_ONE_REVIEW, InstrumentedReviewRepository, RemoveOutcome, ReviewRepository,
};

/// Repositories of the service.
#[derive(Clone)]
pub struct Repositories {
    /// Products and their pictures.
    pub products: Arc<dyn ProductRepository>,
    /// Stock and reservations.
    pub inventory: Arc<dyn InventoryRepository>,
    /// Records of stored pictures.
    pub media: Arc<dyn MediaRepository>,
    /// Reviews.
    pub reviews: Arc<dyn ReviewRepository>,
}

impl Repositories {
    /// Returns the same repositories with metrics and traces of their calls.
    #[must_use]
    pub fn instrumented(self, operations: &StoreMetrics) -> Self {
        Self {
            products: Arc::new(InstrumentedProductRepository::new(self.products, operations.clone())),
            inventory: Arc::new(InstrumentedInventoryRepository::new(self.inventory, operations.clone())),
            media: Arc::new(InstrumentedMediaRepository::new(self.media, operations.clone())),
            reviews: Arc::new(InstrumentedReviewRepository::new(self.reviews, operations.clone())),
        }
    }
}
