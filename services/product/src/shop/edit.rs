//! Changes to the catalogue, and to the stock by hand.

use std::sync::Mutex;

use common::effects::Effects;
use contracts::calls::{Product, ProductImage, Shortage};
use contracts::event::StockUpdated;
use contracts::{Event, ImageId, ProductId};

use super::Shop;
use crate::domain::{NewImage, NewProduct, ProductChanges, told};
use crate::error::Error;
use crate::store::Adjusted;

impl Shop {
    /// Creates a product.
    pub(crate) async fn create(&self, new: &NewProduct) -> Result<Product, Error> {
        let now = self.clock.now();
        let tell = |product: &Product| Effects::of(now, Event::ProductCreated(told(product)));
        let product = self.stores.catalogue.create(new, now, &tell).await?;
        // That there is none may be kept.
        self.forget(product.id).await;
        self.forget_skus(&[product.sku.as_deref()]).await;
        Ok(product)
    }

    /// Fills a catalogue that never had a product; answers whether it did.
    pub(crate) async fn begin_with(&self, all: &[NewProduct]) -> Result<bool, Error> {
        let now = self.clock.now();
        let tell = |product: &Product| Effects::of(now, Event::ProductCreated(told(product)));
        Ok(self.stores.catalogue.begin_with(all, now, &tell).await?)
    }

    /// Changes a product.
    pub(crate) async fn update(&self, id: ProductId, changes: &ProductChanges) -> Result<Product, Error> {
        self.change(id, changes, |product| Event::ProductUpdated(told(product))).await
    }

    /// Takes a product off sale.
    pub(crate) async fn hide(&self, id: ProductId) -> Result<(), Error> {
        let hide = ProductChanges::hide();
        self.change(id, &hide, |product| Event::ProductDeleted(told(product))).await.map(drop)
    }

    async fn change(
        &self,
        id: ProductId,
        changes: &ProductChanges,
        event: fn(&Product) -> Event,
    ) -> Result<Product, Error> {
        let now = self.clock.now();
        let skus = Mutex::new([None, None]);
        let change = |product: &mut Product| {
            let former = product.sku.clone();
            let effects = changes.apply(product, now).then(|| Effects::of(now, event(product)));
            if let Ok(mut skus) = skus.lock() {
                *skus = [former, product.sku.clone()];
            }
            effects
        };
        let changed = self.stores.catalogue.change(id, &change).await;
        // Whatever came of it: a commit whose outcome is unknown may have been done.
        self.forget(id).await;
        let skus = skus.into_inner().unwrap_or_default();
        if changes.sku.is_some() || changes.active.is_some() {
            self.forget_skus(&[skus[0].as_deref(), skus[1].as_deref()]).await;
        }
        changed?.ok_or(Error::ProductNotFound)
    }

    /// Adds pieces by hand, or takes them away.
    pub(crate) async fn adjust(&self, id: ProductId, by: i64) -> Result<Product, Error> {
        let now = self.clock.now();
        let tell = |product: &Product| {
            let updated = StockUpdated { product_id: id, change: by, stock_quantity: product.stock_quantity };
            Effects::of(now, Event::StockUpdated(updated))
        };
        let adjusted = self.stores.stock.adjust(id, by, now, &tell).await;
        self.forget(id).await;
        match adjusted? {
            Adjusted::Done(product) => Ok(*product),
            Adjusted::Unknown => Err(Error::ProductNotFound),
            Adjusted::Short(available) => Err(Error::InsufficientStock(vec![Shortage {
                product_id: id,
                requested: by.saturating_neg(),
                available,
            }])),
            Adjusted::TooMany => Err(Error::TooMuchStock),
        }
    }

    /// Adds a picture.
    pub(crate) async fn add_image(&self, product: ProductId, new: &NewImage) -> Result<ProductImage, Error> {
        let now = self.clock.now();
        let tell = |product: &Product| Effects::of(now, Event::ProductUpdated(told(product)));
        let added = self.stores.catalogue.add_image(product, new, now, &tell).await;
        self.forget(product).await;
        added?.ok_or(Error::ProductNotFound)
    }

    /// Removes a picture.
    pub(crate) async fn remove_image(&self, product: ProductId, image: ImageId) -> Result<(), Error> {
        let now = self.clock.now();
        let tell = |product: &Product| Effects::of(now, Event::ProductUpdated(told(product)));
        let removed = self.stores.catalogue.remove_image(product, image, now, &tell).await;
        self.forget(product).await;
        if removed? { Ok(()) } else { Err(Error::ImageNotFound) }
    }
}
