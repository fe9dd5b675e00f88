//! Pages of products.

use common::store::StoreError;
use contracts::calls::Product;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::read;
use crate::domain::{Listing, Page, PageRequest, Shelf, fold};
use crate::store::order;

/// A page of what is on the shelf.
pub(super) async fn page(
    tx: &mut SqliteConnection,
    shelf: &Shelf,
    by: Listing,
    page: PageRequest,
) -> Result<Page<Product>, StoreError> {
    let mut count = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM products");
    narrow(&mut count, shelf);
    let total: i64 = count.build_query_scalar().fetch_one(&mut *tx).await?;

    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(read::COLUMNS).push(" FROM products");
    narrow(&mut query, shelf);
    query.push(" ORDER BY ").push(order(by));
    query.push(" LIMIT ").push_bind(page.limit()).push(" OFFSET ").push_bind(page.offset());
    Ok(Page::new(page, total, read::products(tx, query).await?))
}

fn narrow(query: &mut QueryBuilder<Sqlite>, shelf: &Shelf) {
    query.push(" WHERE active = 1");
    if let Some(category) = &shelf.category {
        query.push(" AND category = ").push_bind(category.clone());
    }
    if let Some(brand) = &shelf.brand {
        query.push(" AND brand = ").push_bind(brand.clone());
    }
    if let Some(price) = shelf.min_price {
        query.push(" AND price >= ").push_bind(price.cents());
    }
    if let Some(price) = shelf.max_price {
        query.push(" AND price <= ").push_bind(price.cents());
    }
    if let Some(text) = &shelf.search {
        // Unlike LIKE it takes every character for itself.
        query.push(" AND instr(search, ").push_bind(fold(text)).push(") > 0");
    }
    if shelf.in_stock {
        query.push(" AND stock_quantity > 0");
    }
}
