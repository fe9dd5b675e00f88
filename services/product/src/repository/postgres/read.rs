//! Products as they stand in the database.

use std::collections::HashMap;

use common::store::StoreError;
use contracts::calls::{Product, ProductImage, Rating};
use contracts::{ImageId, Money, ProductId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// The columns that a product is read from. They are named, since a prepared `SELECT *` fails once there are others.
macro_rules! columns {
    () => {
        "id, name, description, price, category, stock_quantity, brand, sku, released_sku, average_rating, review_count, \
         active, created_at, updated_at"
    };
}
pub(super) use columns;

/// A product by its id.
pub const PRODUCT: &str = concat!("SELECT ", columns!(), " FROM products WHERE id = $1");
/// The pictures of some products.
pub const IMAGES: &str =
    "SELECT product_id, id, url, alt_text, is_primary FROM images WHERE product_id = ANY($1) ORDER BY id";

/// A product with its pictures.
pub(super) async fn product(tx: &mut PgConnection, id: ProductId) -> Result<Option<Product>, StoreError> {
    let rows = sqlx::query(PRODUCT).bind(id.get()).fetch_all(&mut *tx).await?;
    Ok(products(tx, &rows).await?.pop())
}

/// The products of these rows, in their order, with their pictures.
pub(super) async fn products(tx: &mut PgConnection, rows: &[PgRow]) -> Result<Vec<Product>, StoreError> {
    let mut products = rows.iter().map(bare).collect::<Result<Vec<_>, _>>()?;
    let mut images = images(tx, &products).await?;
    for product in &mut products {
        product.images = images.remove(&product.id).unwrap_or_default();
    }
    Ok(products)
}

async fn images(
    tx: &mut PgConnection,
    products: &[Product],
) -> Result<HashMap<ProductId, Vec<ProductImage>>, StoreError> {
    let mut images: HashMap<_, Vec<_>> = HashMap::new();
    if products.is_empty() {
        return Ok(images);
    }
    let ids: Vec<i64> = products.iter().map(|product| product.id.get()).collect();
    for row in sqlx::query(IMAGES).bind(ids).fetch_all(tx).await? {
        let image = ProductImage {
            id: ImageId::new(row.try_get("id")?),
            url: row.try_get("url")?,
            alt_text: row.try_get("alt_text")?,
            primary: row.try_get("is_primary")?,
        };
        images.entry(ProductId::new(row.try_get("product_id")?)).or_default().push(image);
    }
    Ok(images)
}

fn bare(row: &PgRow) -> Result<Product, StoreError> {
    Ok(Product {
        id: ProductId::new(row.try_get("id")?),
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        price: Money::from_cents(row.try_get("price")?),
        category: row.try_get("category")?,
        stock_quantity: row.try_get("stock_quantity")?,
        brand: row.try_get("brand")?,
        sku: row.try_get::<Option<_>, _>("sku")?.or(row.try_get("released_sku")?),
        average_rating: Rating::from_cents(row.try_get("average_rating")?),
        review_count: row.try_get("review_count")?,
        active: row.try_get("active")?,
        images: Vec::new(),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
