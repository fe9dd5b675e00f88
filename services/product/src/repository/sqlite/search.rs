//! The texts that products are found by.

use common::store::StoreError;
use sqlx::{Row, SqliteConnection};

use super::catalogue::one;
use crate::repository::Spellings;
use crate::search_text::SearchTexts;

/// Products whose texts are still to be derived.
pub const PENDING: &str =
    "SELECT id, name, description, category, brand FROM products WHERE search_text IS NULL ORDER BY id LIMIT ?";

/// Writes the derived texts of a product.
pub(super) async fn write(tx: &mut SqliteConnection, id: i64, texts: &SearchTexts) -> Result<(), StoreError> {
    let query = sqlx::query("UPDATE products SET search_text = ?, category_key = ?, brand_key = ? WHERE id = ?");
    let query = query.bind(&texts.text).bind(&texts.category_key).bind(&texts.brand_key).bind(id);
    one(query.execute(tx).await?.rows_affected(), "product")
}

/// Returns whether the texts of a product are still to be derived.
pub(super) async fn is_pending(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query(PENDING).bind(1).fetch_optional(connection).await?.is_some())
}

/// Derives the texts of up to `limit` products; returns their number.
pub(super) async fn index_pending(tx: &mut SqliteConnection, limit: u32) -> Result<u64, StoreError> {
    let mut indexed = 0;
    for row in sqlx::query(PENDING).bind(limit).fetch_all(&mut *tx).await? {
        let brand: Option<&str> = row.try_get("brand")?;
        let texts =
            SearchTexts::new(row.try_get("name")?, row.try_get("description")?, row.try_get("category")?, brand);
        write(tx, row.try_get("id")?, &texts).await?;
        indexed += 1;
    }
    Ok(indexed)
}

/// Returns spellings that may be the same to a reader.
pub(super) async fn spellings(connection: &mut SqliteConnection) -> Result<Spellings, StoreError> {
    let categories = sqlx::query_scalar("SELECT DISTINCT category FROM products ORDER BY category");
    let categories = categories.fetch_all(&mut *connection).await?;
    let brands = sqlx::query_scalar("SELECT DISTINCT brand FROM products WHERE brand IS NOT NULL ORDER BY brand");
    let brands = brands.fetch_all(&mut *connection).await?;
    let skus = "SELECT sku FROM products WHERE length(CAST(sku AS BLOB)) > length(sku) ORDER BY sku";
    Ok(Spellings { categories, brands, skus: sqlx::query_scalar(skus).fetch_all(connection).await? })
}
