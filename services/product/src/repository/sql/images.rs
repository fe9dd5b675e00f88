//! Pictures of a product.

use common::database::store::StoreError;
use common::database::{Connection, query};
use contracts::api::ProductImage;
use contracts::{ImageId, ProductId};

use super::lock_product;
use crate::domain::NewImage;

const CLEAR_PRIMARY: &str = "UPDATE images SET is_primary = false WHERE product_id = $1 AND is_primary";
const INSERT: &str = "INSERT INTO images (product_id, url, alt_text, is_primary) VALUES ($1, $2, $3, $4) RETURNING id";
const DELETE: &str = "DELETE FROM images WHERE id = $1 AND product_id = $2";

/// Adds a picture; returns `None` if the product does not exist.
pub(super) async fn add(
    db: &mut Connection,
    product: ProductId,
    new: &NewImage,
) -> Result<Option<ProductImage>, StoreError> {
    if lock_product(db, product).await?.is_none() {
        return Ok(None);
    }
    if new.primary {
        query(CLEAR_PRIMARY).bind(product).execute(db).await?;
    }
    let insert = query(INSERT).bind(product).bind(&new.url).bind(&new.alt_text).bind(new.primary);
    let id = insert.fetch_scalar(db).await?;
    let NewImage { url, alt_text, primary } = new.clone();
    Ok(Some(ProductImage { id, url, alt_text, primary }))
}

/// Removes a picture; returns false if the product has no such picture.
pub(super) async fn remove(db: &mut Connection, product: ProductId, image: ImageId) -> Result<bool, StoreError> {
    lock_product(db, product).await?;
    Ok(query(DELETE).bind(image).bind(product).execute(db).await? > 0)
}
