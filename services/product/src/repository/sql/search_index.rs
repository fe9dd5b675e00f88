//! Search texts of products.

use common::database::store::StoreError;
use common::database::{Connection, Row, Statement, query};
use contracts::ProductId;

use super::require_row;
use crate::repository::Spellings;
use crate::search_text::SearchTexts;

/// Products without search texts, locked.
pub static PENDING: Statement = Statement::new(|db| {
    let lock = db.row_lock("FOR UPDATE SKIP LOCKED");
    format!(
        "SELECT id, name, description, category, brand FROM products WHERE search_text IS NULL ORDER BY id LIMIT $1 {lock}"
    )
});
const ANY_PENDING: &str = "SELECT 1 FROM products WHERE search_text IS NULL LIMIT 1";
const UPDATE: &str = "UPDATE products SET search_text = $1, category_key = $2, brand_key = $3 WHERE id = $4";

const CATEGORIES: &str = "SELECT DISTINCT category FROM products ORDER BY category";
const BRANDS: &str = "SELECT DISTINCT brand FROM products WHERE brand IS NOT NULL ORDER BY brand";
const NON_ASCII_SKUS: &str = "SELECT sku FROM products WHERE octet_length(sku) > length(sku) ORDER BY sku";

/// Updates the search texts of a product.
pub(super) async fn update(db: &mut Connection, id: ProductId, texts: &SearchTexts) -> Result<(), StoreError> {
    let update = query(UPDATE).bind(&texts.text).bind(&texts.category_key).bind(&texts.brand_key).bind(id);
    require_row(update.execute(db).await?, "product")
}

/// Returns true if any product has no search texts.
pub(super) async fn is_pending(db: &mut Connection) -> Result<bool, StoreError> {
    Ok(query(ANY_PENDING).fetch_optional(db).await?.is_some())
}

/// Derives the search texts of up to `limit` products; returns their number.
pub(super) async fn index_pending(db: &mut Connection, limit: u32) -> Result<u64, StoreError> {
    let mut indexed = 0;
    for row in query(&PENDING).bind(limit).fetch_all(db).await? {
        update(db, row.get("id")?, &map_texts(&row)?).await?;
        indexed += 1;
    }
    Ok(indexed)
}

/// Returns all spellings that another spelling may equal.
pub(super) async fn spellings(db: &mut Connection) -> Result<Spellings, StoreError> {
    Ok(Spellings {
        categories: query(CATEGORIES).fetch_scalars(db).await?,
        brands: query(BRANDS).fetch_scalars(db).await?,
        skus: query(NON_ASCII_SKUS).fetch_scalars(db).await?,
    })
}

fn map_texts(row: &Row) -> Result<SearchTexts, StoreError> {
    let brand: Option<&str> = row.get("brand")?;
    Ok(SearchTexts::new(row.get("name")?, row.get("description")?, row.get("category")?, brand))
}
