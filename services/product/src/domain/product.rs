//! Products as they are created, changed and listed.

use chrono::{DateTime, Utc};
use contracts::Money;
use contracts::calls::Product;
use contracts::event::ProductChanged;

/// A product that is about to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// For one piece; above zero.
    pub price: Money,
    /// The one category that it is in.
    pub category: String,
    /// Pieces that it begins with.
    pub stock_quantity: i64,
    /// Who makes it.
    pub brand: Option<String>,
    /// The seller's own number, unique.
    pub sku: Option<String>,
}

/// What is to be changed of a product; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductChanges {
    /// What it is called.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// For one piece; above zero.
    pub price: Option<Money>,
    /// The one category that it is in.
    pub category: Option<String>,
    /// Who makes it; `Some(None)` takes it away.
    pub brand: Option<Option<String>>,
    /// The seller's own number; `Some(None)` takes it away.
    pub sku: Option<Option<String>>,
    /// Whether it is on sale.
    pub active: Option<bool>,
}

impl ProductChanges {
    /// That it is no longer on sale.
    #[must_use]
    pub fn hide() -> Self {
        Self { active: Some(false), ..Self::default() }
    }

    /// Changes the product; answers whether anything is different then.
    pub fn apply(&self, product: &mut Product, now: DateTime<Utc>) -> bool {
        let before = product.clone();
        put(&mut product.name, self.name.as_ref());
        put(&mut product.description, self.description.as_ref());
        put(&mut product.price, self.price.as_ref());
        put(&mut product.category, self.category.as_ref());
        put(&mut product.brand, self.brand.as_ref());
        put(&mut product.sku, self.sku.as_ref());
        put(&mut product.active, self.active.as_ref());
        let changed = *product != before;
        if changed {
            product.updated_at = now;
        }
        changed
    }
}

fn put<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// What the events about a product tell of it.
pub(crate) fn told(product: &Product) -> ProductChanged {
    ProductChanged {
        product_id: product.id,
        name: product.name.clone(),
        sku: product.sku.clone(),
        price: product.price,
        stock_quantity: product.stock_quantity,
        active: product.active,
    }
}

/// A picture that is about to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Where it is; never fetched.
    pub url: String,
    /// What it shows.
    pub alt_text: Option<String>,
    /// Whether it stands for the product from now on.
    pub primary: bool,
}

/// A part of the catalogue: all conditions hold. Products that are not active are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// In this category, in any spelling with the same equality key.
    pub category: Option<String>,
    /// Of this brand, in the same way.
    pub brand: Option<String>,
    /// At this price at least.
    pub min_price: Option<Money>,
    /// At this price at most.
    pub max_price: Option<Money>,
    /// With this text in name or description, whatever its case and diacritics.
    pub search: Option<String>,
    /// Only what is in stock.
    pub in_stock: bool,
}

/// The order of a list of products. Ties are broken by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// As the caller wants it.
    By(Sort),
    /// The newest first.
    Latest,
    /// The best rated first, then those with more reviews.
    TopRated,
}

/// A caller's own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub field: SortField,
    /// From the greatest down.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { field: SortField::Id, descending: false }
    }
}

impl Sort {
    /// Reads `field`, `field,asc` or `field,desc`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (field, direction) = text.split_once(',').unwrap_or((text, "asc"));
        let field = SortField::ALL.into_iter().find(|known| known.as_str() == field)?;
        let descending = match direction.to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            _ => return None,
        };
        Some(Self { field, descending })
    }
}

/// What products can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the product's fields")]
pub enum SortField {
    Id,
    Name,
    Price,
    CreatedAt,
    AverageRating,
    StockQuantity,
}

impl SortField {
    /// Every one there is.
    pub const ALL: [Self; 6] =
        [Self::Id, Self::Name, Self::Price, Self::CreatedAt, Self::AverageRating, Self::StockQuantity];

    /// As it stands in a query.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Price => "price",
            Self::CreatedAt => "createdAt",
            Self::AverageRating => "averageRating",
            Self::StockQuantity => "stockQuantity",
        }
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
    fn what_is_left_out_stays() {
        let mut changed = product();
        let changes = ProductChanges { price: Some(Money::from_cents(1299)), brand: Some(None), ..Default::default() };
        assert!(changes.apply(&mut changed, LATER));
        let expected = Product { price: Money::from_cents(1299), brand: None, updated_at: LATER, ..product() };
        assert_eq!(changed, expected);
    }

    #[test]
    fn the_same_again_is_no_change() {
        let mut same = product();
        let changes = ProductChanges { name: Some("Mug".to_owned()), active: Some(true), ..Default::default() };
        assert!(!changes.apply(&mut same, LATER));
        assert_eq!(same, product());
    }

    #[test]
    fn a_sort_names_a_field_and_a_direction() {
        let by = |field, descending| Some(Sort { field, descending });
        assert_eq!(Sort::parse("price,desc"), by(SortField::Price, true));
        assert_eq!(Sort::parse("createdAt,asc"), by(SortField::CreatedAt, false));
        assert_eq!(Sort::parse("name"), by(SortField::Name, false));
        for wrong in ["", ",", "sku,asc", "price,down", "price,asc,desc", "price,", "Price,asc", "id;--,asc"] {
            assert_eq!(Sort::parse(wrong), None, "{wrong}");
        }
    }
}
