//! Pictures of a product.

use common::database::store::StoreError;
use common::database::{Connection, Row, query};
use contracts::api::ProductImage;
use contracts::{ImageId, ProductId};

use super::{lock_product, require_row};
use crate::domain::{ImageChanges, NewImage, NewUpload};

const CLEAR_PRIMARY: &str = "UPDATE images SET is_primary = false WHERE product_id = $1 AND is_primary";
const INSERT: &str = "INSERT INTO images (product_id, url, media, alt_text, is_primary, position)
    VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(position) + 1, 0) FROM images WHERE product_id = $1))
    RETURNING id";
const OF_PRODUCT: &str = "SELECT id, url, alt_text, is_primary FROM images WHERE product_id = $1 ORDER BY position, id";
const UPDATE: &str = "UPDATE images SET alt_text = $1, is_primary = $2 WHERE id = $3";
const MOVE: &str = "UPDATE images SET position = $1 WHERE id = $2";
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
    let NewImage { url, alt_text, primary } = new.clone();
    insert(db, product, None, ProductImage { id: ImageId::new(0), url, alt_text, primary }).await.map(Some)
}

/// Adds an uploaded picture to a locked product.
pub(super) async fn insert_upload(
    db: &mut Connection,
    product: ProductId,
    new: &NewUpload,
) -> Result<ProductImage, StoreError> {
    let NewUpload { name, alt_text, primary } = new.clone();
    let image = ProductImage { id: ImageId::new(0), url: name.path(), alt_text, primary };
    insert(db, product, Some(name.as_str()), image).await
}

async fn insert(
    db: &mut Connection,
    product: ProductId,
    media: Option<&str>,
    image: ProductImage,
) -> Result<ProductImage, StoreError> {
    if image.primary {
        query(CLEAR_PRIMARY).bind(product).execute(db).await?;
    }
    let insert = query(INSERT).bind(product).bind(&image.url).bind(media).bind(&image.alt_text).bind(image.primary);
    let id = insert.fetch_scalar(db).await?;
    Ok(ProductImage { id, ..image })
}

/// Changes a picture; returns `None` if the product has no such picture.
pub(super) async fn update(
    db: &mut Connection,
    product: ProductId,
    id: ImageId,
    changes: &ImageChanges,
) -> Result<Option<ProductImage>, StoreError> {
    lock_product(db, product).await?;
    let rows = query(OF_PRODUCT).bind(product).fetch_all(db).await?;
    let mut images = rows.iter().map(map_image).collect::<Result<Vec<_>, _>>()?;
    let Some(at) = images.iter().position(|image| image.id == id) else { return Ok(None) };
    let mut image = images.remove(at);
    if let Some(alt_text) = &changes.alt_text {
        image.alt_text.clone_from(alt_text);
    }
    image.primary = changes.primary.unwrap_or(image.primary);
    if image.primary {
        query(CLEAR_PRIMARY).bind(product).execute(db).await?;
    }
    let update = query(UPDATE).bind(&image.alt_text).bind(image.primary).bind(id);
    require_row(update.execute(db).await?, "image")?;
    if let Some(position) = changes.position {
        let to = usize::try_from(position).unwrap_or(usize::MAX).min(images.len());
        images.insert(to, image.clone());
        for (position, moved) in (0_i64..).zip(&images) {
            query(MOVE).bind(position).bind(moved.id).execute(db).await?;
        }
    }
    Ok(Some(image))
}

/// Removes a picture; returns false if the product has no such picture.
pub(super) async fn remove(db: &mut Connection, product: ProductId, image: ImageId) -> Result<bool, StoreError> {
    lock_product(db, product).await?;
    Ok(query(DELETE).bind(image).bind(product).execute(db).await? > 0)
}

/// Reads a picture.
pub(super) fn map_image(row: &Row) -> Result<ProductImage, StoreError> {
    Ok(ProductImage {
        id: row.get("id")?,
        url: row.get("url")?,
        alt_text: row.get("alt_text")?,
        primary: row.get("is_primary")?,
    })
}
