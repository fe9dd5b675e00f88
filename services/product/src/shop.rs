//! What routes, events and jobs ask for: each is one store call with its effects, after which the cache forgets what
//! changed.

use std::time::Duration;

use chrono::TimeDelta;
use common::cache::{Cache, Ttl};
use common::clock::SharedClock;
use common::metrics::Metrics;
use common::store::StoreError;
use contracts::ProductId;
use contracts::audit::ProductAudit;
use contracts::calls::{Product, ReservationLine};

use crate::domain::{Listing, Page, PageRequest, Review, Shelf};
use crate::figures::Figures;
use crate::store::Stores;

mod card;
mod edit;
mod reserve;
mod review;
mod search;

pub(crate) use card::Card;

/// How long an answer about a product is kept: what changes it drops it from the cache.
const KEPT: Ttl = Ttl { found: Duration::from_secs(300), missing: Duration::from_secs(2) };

/// The shop. Clones share its stores.
#[derive(Clone)]
pub(crate) struct Shop {
    stores: Stores,
    cache: Cache,
    clock: SharedClock,
    reservation_ttl: TimeDelta,
    figures: Figures,
}

impl Shop {
    pub(crate) fn new(
        stores: Stores,
        cache: Cache,
        clock: SharedClock,
        reservation_ttl: TimeDelta,
        metrics: &Metrics,
    ) -> Self {
        Self { stores, cache, clock, reservation_ttl, figures: Figures::new(metrics) }
    }

    /// Counts the products that are sold out.
    pub(crate) async fn count_sold_out(&self) -> Result<(), StoreError> {
        self.figures.sold_out.set(self.stores.stock.count_sold_out().await?);
        Ok(())
    }

    /// A product as it is shown, active or not.
    pub(crate) async fn card(&self, id: ProductId) -> Result<Option<Card>, StoreError> {
        let catalogue = self.stores.catalogue.clone();
        let load = move || async move {
            let product = catalogue.find(id).await?;
            product.map(|product| Card::of(&product).map(Card::into_bytes)).transpose()
        };
        let kept = self.cache.get_or_load_bytes(&product_key(id), KEPT, load).await?;
        kept.map(Card::from_bytes).transpose()
    }

    /// The product that has this sku. Only its id is kept under the sku, so that there is one copy to drop.
    pub(crate) async fn card_of_sku(&self, sku: &str) -> Result<Option<Card>, StoreError> {
        let (catalogue, wanted) = (self.stores.catalogue.clone(), sku.to_owned());
        let load = move || async move { catalogue.id_of_sku(&wanted).await };
        match self.cache.get_or_load(&sku_key(sku), KEPT, load).await? {
            Some(id) => self.card(id).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.stores.catalogue.find(id).await
    }

    pub(crate) async fn batch(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        self.stores.catalogue.batch(ids).await
    }

    pub(crate) async fn list(
        &self,
        shelf: &Shelf,
        by: Listing,
        page: PageRequest,
    ) -> Result<Page<Product>, StoreError> {
        self.stores.catalogue.list(shelf, by, page).await
    }

    pub(crate) async fn categories(&self) -> Result<Vec<String>, StoreError> {
        self.stores.catalogue.categories().await
    }

    pub(crate) async fn brands(&self) -> Result<Vec<String>, StoreError> {
        self.stores.catalogue.brands().await
    }

    pub(crate) async fn reviews(&self, product: ProductId, page: PageRequest) -> Result<Page<Review>, StoreError> {
        self.stores.reviews.list(product, page).await
    }

    pub(crate) async fn audit(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductAudit>, StoreError> {
        self.stores.stock.audit(after, limit).await
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.stores.catalogue.ping().await
    }

    /// Drops what is kept of a product.
    async fn forget(&self, id: ProductId) {
        self.cache.invalidate(&[&product_key(id)]).await;
    }

    /// Drops what is kept of skus that a product had or has got.
    async fn forget_skus(&self, skus: &[Option<&str>]) {
        let keys: Vec<_> = skus.iter().flatten().map(|sku| sku_key(sku)).collect();
        if !keys.is_empty() {
            self.cache.invalidate(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }

    /// Drops what is kept of the products of a reservation.
    async fn forget_lines(&self, lines: &[ReservationLine]) {
        let keys: Vec<_> = lines.iter().map(|line| product_key(line.product_id)).collect();
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
