//! Products: creation and changes, with the events that they cause.

use chrono::{DateTime, Utc};
use contracts::api::Product;
use contracts::event::{ProductChanged, StockUpdated};
use contracts::{Event, Money};

use super::picture::PictureName;

/// Largest available stock that an adjustment may leave.
pub const MAX_STOCK: i64 = 1_000_000_000;

/// Product to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// Display name of the product.
    pub name: String,
    /// Description of the product.
    pub description: String,
    /// Unit price, above zero.
    pub price: Money,
    /// Category of the product.
    pub category: String,
    /// Initial stock of the product.
    pub stock_quantity: i64,
    /// Brand of the product.
    pub brand: Option<String>,
    /// Stock keeping unit, unique among active products.
    pub sku: Option<String>,
}

/// Changes of a product. Fields that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductChanges {
    /// Display name of the product.
    pub name: Option<String>,
    /// Description of the product.
    pub description: Option<String>,
    /// Unit price, above zero.
    pub price: Option<Money>,
    /// Category of the product.
    pub category: Option<String>,
    /// Brand of the product; `Some(None)` removes it.
    pub brand: Option<Option<String>>,
    /// Stock keeping unit; `Some(None)` removes it.
    pub sku: Option<Option<String>>,
    /// Visibility of the product in the catalog.
    pub active: Option<bool>,
}

impl ProductChanges {
    /// Returns true if the changes may move a sku from one product to another.
    pub(crate) const fn affects_skus(&self) -> bool {
        self.sku.is_some() || self.active.is_some()
    }

    /// Applies the changes; returns true if the product differs afterwards.
    fn apply(&self, product: &mut Product, now: DateTime<Utc>) -> bool {
        let before = product.clone();
        set(&mut product.name, self.name.as_ref());
        set(&mut product.description, self.description.as_ref());
        set(&mut product.price, self.price.as_ref());
        set(&mut product.category, self.category.as_ref());
        set(&mut product.brand, self.brand.as_ref());
        set(&mut product.sku, self.sku.as_ref());
        set(&mut product.active, self.active.as_ref());
        let changed = *product != before;
        if changed {
            product.updated_at = now;
        }
        changed
    }
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// Picture to be added to a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Address of the picture; it is never fetched.
    pub url: String,
    /// Alternative text of the picture.
    pub alt_text: Option<String>,
    /// Replacement of the product's current primary picture.
    pub primary: bool,
}

/// Uploaded picture to be added to a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Name of the stored file.
    pub name: PictureName,
    /// Alternative text of the picture.
    pub alt_text: Option<String>,
    /// Replacement of the product's current primary picture.
    pub primary: bool,
}

/// Changes of a product's picture. Fields that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageChanges {
    /// Alternative text of the picture; `Some(None)` removes it.
    pub alt_text: Option<Option<String>>,
    /// Standing as the product's primary picture.
    pub primary: Option<bool>,
    /// Position among the product's pictures, counted from 0; the end if it is beyond.
    pub position: Option<i64>,
}

/// Changes a product; returns no event if nothing differs.
#[must_use]
pub fn update(product: &mut Product, changes: &ProductChanges, now: DateTime<Utc>) -> Vec<Event> {
    let changed = changes.apply(product, now);
    changed.then(|| Event::ProductUpdated(event_payload(product))).into_iter().collect()
}

/// Deactivates a product; returns no event if it was inactive already.
#[must_use]
pub fn deactivate(product: &mut Product, now: DateTime<Utc>) -> Vec<Event> {
    let changed = ProductChanges { active: Some(false), ..ProductChanges::default() }.apply(product, now);
    changed.then(|| Event::ProductDeleted(event_payload(product))).into_iter().collect()
}

/// Returns the event of a created product.
pub(crate) fn created(product: &Product) -> Event {
    Event::ProductCreated(event_payload(product))
}

/// Returns the event of an added or removed picture.
pub(crate) fn image_changed(product: &Product) -> Event {
    Event::ProductUpdated(event_payload(product))
}

/// Returns the event of a manual stock adjustment.
pub(crate) const fn stock_updated_event(product: &Product, change: i64) -> Event {
    Event::StockUpdated(StockUpdated { product_id: product.id, change, stock_quantity: product.stock_quantity })
}

fn event_payload(product: &Product) -> ProductChanged {
    ProductChanged {
        product_id: product.id,
        name: product.name.clone(),
        sku: product.sku.clone(),
        price: product.price,
        stock_quantity: product.stock_quantity,
        active: product.active,
    }
}

#[cfg(test)]
mod tests {
    use contracts::ProductId;

    use super::*;

    const CREATED: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
    const LATER: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_001_000).unwrap();

    fn product() -> Product {
        Product {
            id: ProductId::new(1),
            name: "Mug".to_owned(),
            description: "Holds tea".to_owned(),
            price: Money::from_cents(999),
            category: "Kitchen".to_owned(),
            stock_quantity: 5,
            brand: Some("Clay".to_owned()),
            sku: Some("MUG".to_owned()),
            average_rating: Money::ZERO,
            review_count: 0,
            active: true,
            images: Vec::new(),
            created_at: CREATED,
            updated_at: CREATED,
        }
    }

    #[test]
    fn update_keeps_omitted_fields() {
        let mut changed = product();
        let changes = ProductChanges { price: Some(Money::from_cents(1299)), brand: Some(None), ..Default::default() };
        assert_eq!(update(&mut changed, &changes, LATER), [Event::ProductUpdated(event_payload(&changed))]);
        let expected = Product { price: Money::from_cents(1299), brand: None, updated_at: LATER, ..product() };
        assert_eq!(changed, expected);
    }

    #[test]
    fn update_with_equal_values_is_no_change() {
        let mut same = product();
        let changes = ProductChanges { name: Some("Mug".to_owned()), active: Some(true), ..Default::default() };
        assert_eq!(update(&mut same, &changes, LATER), []);
        assert_eq!(same, product());
    }
}
