//! Derived columns of a product, and the order of lists.

use contracts::calls::Product;

use crate::domain::{NewProduct, Sort, SortField, SortOrder};
use crate::search_text::SearchTexts;

/// Returns the search texts of a product.
pub(super) fn of_product(product: &Product) -> SearchTexts {
    SearchTexts::new(&product.name, &product.description, &product.category, product.brand.as_deref())
}

/// Returns the search texts of a new product.
pub(super) fn of_new(new: &NewProduct) -> SearchTexts {
    SearchTexts::new(&new.name, &new.description, &new.category, new.brand.as_deref())
}

/// Columns of a product's sku: unique while the product is active, available to others while it is not.
pub(super) struct SkuColumns<'a> {
    pub(super) held: Option<&'a str>,
    pub(super) released: Option<&'a str>,
}

impl<'a> SkuColumns<'a> {
    pub(super) fn new(product: &'a Product) -> Self {
        let sku = product.sku.as_deref();
        if product.active { Self { held: sku, released: None } } else { Self { held: None, released: sku } }
    }
}

/// Returns the `ORDER BY` clause of a list.
pub(super) const fn order_by(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Latest => "created_at DESC, id DESC",
        SortOrder::TopRated => "average_rating DESC, review_count DESC, id",
        SortOrder::By(Sort { field, descending }) => match (field, descending) {
            (SortField::Id, false) => "id",
            (SortField::Id, true) => "id DESC",
            (SortField::Name, false) => "name, id",
            (SortField::Name, true) => "name DESC, id",
            (SortField::Price, false) => "price, id",
            (SortField::Price, true) => "price DESC, id",
            (SortField::CreatedAt, false) => "created_at, id",
            (SortField::CreatedAt, true) => "created_at DESC, id",
            (SortField::AverageRating, false) => "average_rating, id",
            (SortField::AverageRating, true) => "average_rating DESC, id",
            (SortField::StockQuantity, false) => "stock_quantity, id",
            (SortField::StockQuantity, true) => "stock_quantity DESC, id",
        },
    }
}
