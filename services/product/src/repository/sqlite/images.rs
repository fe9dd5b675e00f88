//! A product's pictures.

use common::store::StoreError;
use contracts::calls::ProductImage;
use contracts::{ImageId, ProductId};
use sqlx::SqliteConnection;

use crate::domain::NewImage;

/// Adds a picture; `None` if there is no such product.
pub(super) async fn add(
    tx: &mut SqliteConnection,
    product: ProductId,
    new: &NewImage,
) -> Result<Option<ProductImage>, StoreError> {
    let known = sqlx::query("SELECT 1 FROM products WHERE id = ?").bind(product.get());
    if known.fetch_optional(&mut *tx).await?.is_none() {
        return Ok(None);
    }
    if new.primary {
        let former = sqlx::query("UPDATE images SET is_primary = 0 WHERE product_id = ? AND is_primary = 1");
        former.bind(product.get()).execute(&mut *tx).await?;
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO images (product_id, url, alt_text, is_primary) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(product.get())
    .bind(&new.url)
    .bind(&new.alt_text)
    .bind(new.primary)
    .fetch_one(tx)
    .await?;
    let NewImage { url, alt_text, primary } = new.clone();
    Ok(Some(ProductImage { id: ImageId::new(id), url, alt_text, primary }))
}

/// Removes a picture; `false` if the product has no such picture.
pub(super) async fn remove(tx: &mut SqliteConnection, product: ProductId, image: ImageId) -> Result<bool, StoreError> {
    let query = sqlx::query("DELETE FROM images WHERE id = ? AND product_id = ?");
    let deleted = query.bind(image.get()).bind(product.get()).execute(tx).await?;
    Ok(deleted.rows_affected() > 0)
}
