//! Products and their pictures.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::telemetry::clock::SharedClock;
use contracts::api::{Product, ProductImage};
use contracts::{Event, ImageId, ProductId};
use futures::FutureExt as _;

use super::cached_product::CachedProduct;
use super::product_cache::ProductCache;
use crate::domain::{
    self, Facets, ImageChanges, NewImage, NewProduct, Page, PageRequest, PictureName, ProductChanges, ProductFilter,
    SortOrder,
};
use crate::error::Error;
use crate::media::MediaStore;
use crate::repository::{ProductRepository, ReviewRepository};
use crate::seed_data::Sample;

/// Use cases of products, pictures and reviews. Clones share repositories and cache.
#[derive(Clone)]
pub(crate) struct CatalogService {
    pub(super) products: Arc<dyn ProductRepository>,
    pub(super) reviews: Arc<dyn ReviewRepository>,
    pub(super) cache: ProductCache,
    pub(super) clock: SharedClock,
}

impl CatalogService {
    pub(crate) fn new(
        products: Arc<dyn ProductRepository>,
        reviews: Arc<dyn ReviewRepository>,
        cache: ProductCache,
        clock: SharedClock,
    ) -> Self {
        Self { products, reviews, cache, clock }
    }

    /// Returns a product, active or not.
    pub(crate) async fn get(&self, id: ProductId) -> Result<Option<CachedProduct>, StoreError> {
        let products = self.products.clone();
        self.cache.get(id, async move { products.find(id).await }).await
    }

    /// Returns the product with this sku, active or not.
    pub(crate) async fn get_by_sku(&self, sku: &str) -> Result<Option<CachedProduct>, StoreError> {
        let (products, key) = (self.products.clone(), sku.to_owned());
        let id = self.cache.id_by_sku(sku, async move { products.find_id_by_sku(&key).await }).await?;
        match id {
            Some(id) => self.get(id).await,
            None => Ok(None),
        }
    }

    /// Returns the active products among these ids.
    pub(crate) async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        self.products.find_active(ids).await
    }

    /// Returns a page of products.
    pub(crate) async fn list(
        &self,
        filter: &ProductFilter,
        order: SortOrder,
        page: PageRequest,
    ) -> Result<Page<Product>, StoreError> {
        self.products.list(filter, order, page).await
    }

    /// Returns the facets of a list.
    pub(crate) async fn facets(&self, filter: &ProductFilter) -> Result<Facets, StoreError> {
        self.products.facets(filter).await
    }

    /// Returns the categories of active products.
    pub(crate) async fn categories(&self) -> Result<Vec<String>, StoreError> {
        self.products.categories().await
    }

    /// Returns the brands of active products.
    pub(crate) async fn brands(&self) -> Result<Vec<String>, StoreError> {
        self.products.brands().await
    }

    /// Checks that the database is available.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.products.ping().await
    }

    /// Creates a product.
    pub(crate) async fn create(&self, new: &NewProduct) -> Result<Product, Error> {
        let now = self.clock.now();
        let product = self.products.create(new, now, &|product| Effects::event(now, domain::created(product))).await?;
        // Its absence may be cached.
        self.cache.invalidate(product.id).await;
        self.cache.invalidate_skus(&[product.sku.as_deref()]).await;
        Ok(product)
    }

    /// Creates the sample products with their pictures if the catalog never had any; returns true if it did.
    pub(crate) async fn seed(&self, samples: &[Sample], files: &MediaStore) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let new: Vec<_> = samples.iter().map(Sample::to_new).collect();
        let store = |name: PictureName| {
            let content = samples.iter().find(|sample| sample.picture.name == name);
            let content = content.map(|sample| Bytes::copy_from_slice(&sample.picture.bytes)).unwrap_or_default();
            let files = files.clone();
            async move { Ok(files.put(&name, content).await?) }.boxed()
        };
        let effects = |product: &Product| Effects::event(now, domain::created(product));
        self.products.seed(&new, now, &store, &effects).await
    }

    /// Changes a product.
    pub(crate) async fn update(&self, id: ProductId, changes: &ProductChanges) -> Result<Product, Error> {
        self.apply(id, changes.affects_skus(), |product, now| domain::update(product, changes, now)).await
    }

    /// Deactivates a product.
    pub(crate) async fn deactivate(&self, id: ProductId) -> Result<(), Error> {
        self.apply(id, true, domain::deactivate).await.map(drop)
    }

    async fn apply(
        &self,
        id: ProductId,
        affects_skus: bool,
        rule: impl Fn(&mut Product, DateTime<Utc>) -> Vec<Event> + Send + Sync,
    ) -> Result<Product, Error> {
        let now = self.clock.now();
        let skus = Mutex::new([None, None]);
        let update = |product: &mut Product| {
            let previous = product.sku.clone();
            let events = rule(product, now);
            if let Ok(mut skus) = skus.lock() {
                *skus = [previous, product.sku.clone()];
            }
            (!events.is_empty())
                .then(|| events.into_iter().fold(Effects::none(), |effects, event| effects.with_event(now, event)))
        };
        let updated = self.products.update(id, &update).await;
        // Regardless of the outcome: a commit that was reported as failed may have succeeded.
        self.cache.invalidate(id).await;
        if affects_skus {
            let skus = skus.into_inner().unwrap_or_default();
            self.cache.invalidate_skus(&skus.each_ref().map(Option::as_deref)).await;
        }
        updated?.ok_or(Error::ProductNotFound)
    }

    /// Adds a picture.
    pub(crate) async fn add_image(&self, product: ProductId, new: &NewImage) -> Result<ProductImage, Error> {
        let now = self.clock.now();
        let effects = |product: &Product| Effects::event(now, domain::image_changed(product));
        let added = self.products.add_image(product, new, now, &effects).await;
        self.cache.invalidate(product).await;
        added?.ok_or(Error::ProductNotFound)
    }

    /// Changes a picture.
    pub(crate) async fn update_image(
        &self,
        product: ProductId,
        image: ImageId,
        changes: &ImageChanges,
    ) -> Result<ProductImage, Error> {
        let now = self.clock.now();
        let effects = |product: &Product| Effects::event(now, domain::image_changed(product));
        let updated = self.products.update_image(product, image, changes, now, &effects).await;
        self.cache.invalidate(product).await;
        updated?.ok_or(Error::ImageNotFound)
    }

    /// Removes a picture.
    pub(crate) async fn remove_image(&self, product: ProductId, image: ImageId) -> Result<(), Error> {
        let now = self.clock.now();
        let effects = |product: &Product| Effects::event(now, domain::image_changed(product));
        let removed = self.products.remove_image(product, image, now, &effects).await;
        self.cache.invalidate(product).await;
        if removed? { Ok(()) } else { Err(Error::ImageNotFound) }
    }
}
