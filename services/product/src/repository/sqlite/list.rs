//! Pages of products.

use common::store::StoreError;
use contracts::calls::Product;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::read;
use crate::domain::{Page, PageRequest, ProductFilter, SortOrder};
use crate::repository::texts::order_by;
use crate::search_text::{equality_key, normalize_for_search};

/// Characters that a text has at least to be found by the index.
const TRIGRAM: usize = 3;

/// A page of what is on the filter.
pub(super) async fn page(
    tx: &mut SqliteConnection,
    filter: &ProductFilter,
    by: SortOrder,
    page: PageRequest,
) -> Result<Page<Product>, StoreError> {
    let mut count = QueryBuilder::<Sqlite>::new("SELECT count(*)");
    narrow(&mut count, filter);
    let total: i64 = count.build_query_scalar().fetch_one(&mut *tx).await?;

    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(read::COLUMNS);
    narrow(&mut query, filter);
    query.push(" ORDER BY ").push(order_by(by));
    query.push(" LIMIT ").push_bind(page.limit()).push(" OFFSET ").push_bind(page.offset());
    Ok(Page::new(page, total, read::products(tx, query).await?))
}

/// Writes what the list is taken from and its conditions.
fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &ProductFilter) {
    let search = filter.search.as_deref().map(normalize_for_search);
    match &search {
        // The order of a `CROSS JOIN` is kept: otherwise the index of the list's order may be walked, however few
        // products have the text.
        Some(text) if text.chars().count() >= TRIGRAM => {
            query.push(" FROM products_by_text CROSS JOIN products ON products.id = products_by_text.rowid");
            query.push(" WHERE products_by_text MATCH ").push_bind(phrase(text)).push(" AND active = 1");
        }
        _ => {
            query.push(" FROM products WHERE active = 1");
        }
    }
    if let Some(text) = search {
        // Unlike LIKE it takes every character for itself.
        query.push(" AND instr(products.search_text, ").push_bind(text).push(") > 0");
    }
    if let Some(category) = &filter.category {
        query.push(" AND category_key = ").push_bind(equality_key(category));
    }
    if let Some(brand) = &filter.brand {
        query.push(" AND brand_key = ").push_bind(equality_key(brand));
    }
    if let Some(price) = filter.min_price {
        query.push(" AND price >= ").push_bind(price.cents());
    }
    if let Some(price) = filter.max_price {
        query.push(" AND price <= ").push_bind(price.cents());
    }
    if filter.in_stock {
        query.push(" AND stock_quantity > 0");
    }
}

/// Returns the text as a phrase of FTS5's query language, in which no character has a meaning of its own.
fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
