//! Pages of products.

use common::store::StoreError;
use contracts::calls::Product;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::read;
use crate::domain::{Listing, Page, PageRequest, Shelf, fold};
use crate::store::order;

/// A page of what is on the shelf.
pub(super) async fn page(
    tx: &mut PgConnection,
    shelf: &Shelf,
    by: Listing,
    page: PageRequest,
) -> Result<Page<Product>, StoreError> {
    let mut count = QueryBuilder::<Postgres>::new("SELECT count(*) FROM products");
    narrow(&mut count, shelf);
    let total: i64 = count.build_query_scalar().fetch_one(&mut *tx).await?;

    let mut query = QueryBuilder::<Postgres>::new("SELECT * FROM products");
    narrow(&mut query, shelf);
    query.push(" ORDER BY ").push(order(by));
    query.push(" LIMIT ").push_bind(page.limit()).push(" OFFSET ").push_bind(page.offset());
    let rows = query.build().fetch_all(&mut *tx).await?;
    Ok(Page::new(page, total, read::products(tx, &rows).await?))
}

fn narrow(query: &mut QueryBuilder<Postgres>, shelf: &Shelf) {
    query.push(" WHERE active");
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
        query.push(" AND strpos(search, ").push_bind(fold(text)).push(") > 0");
    }
    if shelf.in_stock {
        query.push(" AND stock_quantity > 0");
    }
}
