//! Lists of products.

use common::database::store::StoreError;
use common::database::{Connection, Dialect, Listing, OrderBy};
use common::http::search_text::{equality_key, normalize_for_search};
use contracts::api::Product;

use super::product_rows;
use crate::domain::{Page, PageRequest, ProductFilter, Sort, SortField, SortOrder, Visibility};

/// Hundredths of a star: the unit of stored ratings.
pub(super) const HUNDREDTHS: i64 = 100;

/// Returns a page of products.
pub(super) async fn fetch_page(
    db: &mut Connection,
    filter: &ProductFilter,
    order: SortOrder,
    page: PageRequest,
) -> Result<Page<Product>, StoreError> {
    let listing = listing(db.dialect(), filter, order);
    let found = listing.fetch_page(db, page.offset(), page.limit()).await?;
    Ok(Page::new(page, found.total, product_rows::load(db, &found.rows).await?))
}

/// Returns the list of products that match the filter.
#[must_use]
pub fn listing(dialect: Dialect, filter: &ProductFilter, order: SortOrder) -> Listing<'static> {
    let columns = product_rows::columns!();
    let mut listing = match &filter.search {
        Some(text) => {
            let found = dialect.containing("products", "id", "search_text", &normalize_for_search(text));
            Listing::new(columns, found, order_by(order))
        }
        None => Listing::new(columns, "products", order_by(order)),
    };
    match filter.visibility {
        Visibility::Active => drop(listing.condition("active")),
        Visibility::Inactive => drop(listing.condition("NOT active")),
        Visibility::All => {}
    }
    listing
        .filter("category_key = ?", filter.category.as_deref().map(equality_key))
        .filter("brand_key = ?", filter.brand.as_deref().map(equality_key))
        .filter("price >= ?", filter.min_price)
        .filter("price <= ?", filter.max_price)
        // No index has the stock: each change of it would have to update the index.
        .filter("stock_quantity <= ?", filter.low_stock)
        .filter("average_rating >= ?", filter.min_rating.map(|stars| stars * HUNDREDTHS));
    if filter.in_stock {
        listing.condition("stock_quantity > 0");
    }
    listing
}

fn order_by(order: SortOrder) -> &'static [OrderBy] {
    const ID: OrderBy = OrderBy::asc("id");
    match order {
        SortOrder::Latest => const { &[OrderBy::desc("created_at"), OrderBy::desc("id")] },
        SortOrder::TopRated => const { &[OrderBy::desc("average_rating"), OrderBy::desc("review_count"), ID] },
        SortOrder::By(Sort { field, descending }) => match (field, descending) {
            (SortField::Id, false) => const { &[ID] },
            (SortField::Id, true) => const { &[OrderBy::desc("id")] },
            (SortField::Name, false) => const { &[OrderBy::asc("name"), ID] },
            (SortField::Name, true) => const { &[OrderBy::desc("name"), ID] },
            (SortField::Price, false) => const { &[OrderBy::asc("price"), ID] },
            (SortField::Price, true) => const { &[OrderBy::desc("price"), ID] },
            (SortField::CreatedAt, false) => const { &[OrderBy::asc("created_at"), ID] },
            (SortField::CreatedAt, true) => const { &[OrderBy::desc("created_at"), ID] },
            (SortField::AverageRating, false) => const { &[OrderBy::asc("average_rating"), ID] },
            (SortField::AverageRating, true) => const { &[OrderBy::desc("average_rating"), ID] },
            (SortField::StockQuantity, false) => const { &[OrderBy::asc("stock_quantity"), ID] },
            (SortField::StockQuantity, true) => const { &[OrderBy::desc("stock_quantity"), ID] },
        },
    }
}
