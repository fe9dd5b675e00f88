//! Port of products and their pictures.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::api::{Product, ProductImage};
use contracts::{ImageId, ProductId};

use super::effects_fn::EffectsFn;
use super::media::FileFn;
use crate::domain::{
    Facets, ImageChanges, NewImage, NewProduct, NewUpload, Page, PageRequest, ProductFilter, SortOrder,
};

/// Constraint: the sku of an active product is unique.
pub const CONSTRAINT_SKU: &str = "products.sku";

/// Mutation of the locked product. Returned effects commit atomically with it; `None` rolls back.
pub type UpdateFn<'a> = dyn Fn(&mut Product) -> Option<Effects> + Send + Sync + 'a;

common::repository_trait! {
    /// Products and their pictures.
    pub trait ProductRepository, instrumented as "catalogue" by InstrumentedProductRepository {
        /// Returns a product, active or not.
        async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError>;

        /// Returns the active product with this sku, otherwise the last inactive one that had it. The sku is in
        /// Normalization Form C; a stored sku in Form D matches as well.
        async fn find_id_by_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError>;

        /// Returns the active products among these ids, each once, by id.
        async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

        /// Returns a page of products.
        async fn list(
            &self,
            filter: &ProductFilter,
            order: SortOrder,
            page: PageRequest,
        ) -> Result<Page<Product>, StoreError>;

        /// Returns the facets of a list.
        async fn facets(&self, filter: &ProductFilter) -> Result<Facets, StoreError>;

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

        /// Creates these products if there never was any, and stores their pictures by `store`; returns true if it did.
        async fn seed(
            &self,
            samples: &[NewSample],
            now: DateTime<Utc>,
            store: &FileFn<'_, ()>,
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

        /// Changes a picture; returns `None` if the product has no such picture. A new primary picture replaces the
        /// previous one.
        async fn update_image(
            &self,
            product: ProductId,
            image: ImageId,
            changes: &ImageChanges,
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

/// Product of a new catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSample {
    /// Product to be created.
    pub product: NewProduct,
    /// Picture of the product.
    pub picture: Option<NewUpload>,
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
