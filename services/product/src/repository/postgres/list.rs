//! Pages of products.

use common::store::StoreError;
use contracts::calls::Product;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::read;
use crate::domain::{Page, PageRequest, ProductFilter, SortOrder};
use crate::repository::texts::order_by;
use crate::search_text::{equality_key, normalize_for_search};

/// A page of what is on the filter.
pub(super) async fn page(
    tx: &mut PgConnection,
    filter: &ProductFilter,
    by: SortOrder,
    page: PageRequest,
) -> Result<Page<Product>, StoreError> {
    let mut count = QueryBuilder::<Postgres>::new("SELECT count(*)");
    narrow(&mut count, filter);
    let total: i64 = count.build_query_scalar().fetch_one(&mut *tx).await?;

    let mut query = QueryBuilder::<Postgres>::new(concat!("SELECT ", read::columns!()));
    narrow(&mut query, filter);
    query.push(" ORDER BY ").push(order_by(by));
    query.push(" LIMIT ").push_bind(page.limit()).push(" OFFSET ").push_bind(page.offset());
    let rows = query.build().fetch_all(&mut *tx).await?;
    Ok(Page::new(page, total, read::products(tx, &rows).await?))
}

/// Writes what the list is taken from and its conditions.
fn narrow(query: &mut QueryBuilder<Postgres>, filter: &ProductFilter) {
    match &filter.search {
        // `OFFSET 0` keeps the planner from walking the index of the list's order, however few products have the text.
        Some(text) => {
            let found = " FROM (SELECT * FROM products WHERE search_text LIKE ";
            query.push(found).push_bind(containing(&normalize_for_search(text))).push(" OFFSET 0) AS products");
        }
        None => {
            query.push(" FROM products");
        }
    }
    query.push(" WHERE active");
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

/// Returns the pattern of texts that contain this one; none of its characters is a wildcard.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::containing;

    #[test]
    fn pattern_takes_wildcards_for_themselves() {
        assert_eq!(containing(r"100% a_b\c"), r"%100\% a\_b\\c%");
    }
}
