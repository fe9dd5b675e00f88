//! Cache of products, by id and by sku.

use std::future::Future;
use std::time::Duration;

use common::cache::{Cache, Ttl};
use common::database::store::StoreError;
use contracts::ProductId;
use contracts::api::{Product, ReservationLine};

use super::cached_product::CachedProduct;

/// Lifetimes of entries. Every change of a product invalidates its entries.
const CACHE_TTL: Ttl = Ttl { found: Duration::from_secs(300), missing: Duration::from_secs(2) };

/// Cache of products. Clones share it.
#[derive(Clone)]
pub(crate) struct ProductCache {
    cache: Cache,
}

impl ProductCache {
    pub(crate) const fn new(cache: Cache) -> Self {
        Self { cache }
    }

    /// Returns the cached product. `load` runs on a miss.
    pub(super) async fn get(
        &self,
        id: ProductId,
        load: impl Future<Output = Result<Option<Product>, StoreError>> + Send + 'static,
    ) -> Result<Option<CachedProduct>, StoreError> {
        let load = || async {
            let product = load.await?;
            product.map(|product| CachedProduct::new(&product).map(CachedProduct::into_bytes)).transpose()
        };
        let cached = self.cache.get_or_load_bytes(&product_key(id), CACHE_TTL, load).await?;
        cached.map(CachedProduct::from_bytes).transpose()
    }

    /// Returns the cached id of the product with this sku. `load` runs on a miss. The product itself is cached under its
    /// id only, so that there is one entry to invalidate.
    pub(super) async fn id_by_sku(
        &self,
        sku: &str,
        load: impl Future<Output = Result<Option<ProductId>, StoreError>> + Send + 'static,
    ) -> Result<Option<ProductId>, StoreError> {
        self.cache.get_or_load(&sku_key(sku), CACHE_TTL, || load).await
    }

    /// Invalidates a product.
    pub(super) async fn invalidate(&self, id: ProductId) {
        self.cache.invalidate(&[&product_key(id)]).await;
    }

    /// Invalidates the skus that a product had or has.
    pub(super) async fn invalidate_skus(&self, skus: &[Option<&str>]) {
        self.invalidate_keys(&skus.iter().flatten().map(|sku| sku_key(sku)).collect::<Vec<_>>()).await;
    }

    /// Invalidates the products of a reservation.
    pub(super) async fn invalidate_lines(&self, lines: &[ReservationLine]) {
        self.invalidate_keys(&lines.iter().map(|line| product_key(line.product_id)).collect::<Vec<_>>()).await;
    }

    async fn invalidate_keys(&self, keys: &[String]) {
        if !keys.is_empty() {
            self.cache.invalidate(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }
}

fn product_key(id: ProductId) -> String {
    format!("product:{id}")
}

fn sku_key(sku: &str) -> String {
    format!("sku:{sku}")
}
