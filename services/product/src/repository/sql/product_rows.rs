//! Reads of products with their pictures.

use std::collections::HashMap;

use common::database::store::StoreError;
use common::database::{Connection, Row, Sql, Statement, query};
use contracts::ProductId;
use contracts::api::{Product, ProductImage};

use super::images::map_image;

/// Columns of a product. They are named, because a prepared `SELECT *` fails once a migration adds a column.
macro_rules! columns {
    () => {
        "id, name, description, price, category, stock_quantity, brand, sku, released_sku, average_rating, review_count, \
         active, created_at, updated_at"
    };
}
pub(super) use columns;

/// Product by id.
pub const PRODUCT: &str = concat!("SELECT ", columns!(), " FROM products WHERE id = $1");
/// Product by id, locked.
static PRODUCT_FOR_UPDATE: Statement = Statement::new(|db| format!("{PRODUCT} {}", db.row_lock("FOR UPDATE")));
/// Pictures of several products.
pub static IMAGES: Statement = Statement::new(|db| {
    let any = db.any("$1");
    format!("SELECT product_id, id, url, alt_text, is_primary FROM images WHERE product_id {any} ORDER BY position, id")
});

/// Returns a product.
pub(super) async fn find(db: &mut Connection, id: ProductId) -> Result<Option<Product>, StoreError> {
    find_by(db, PRODUCT.into(), id).await
}

/// Returns a product and locks it until the transaction ends.
pub(super) async fn find_for_update(db: &mut Connection, id: ProductId) -> Result<Option<Product>, StoreError> {
    find_by(db, (&PRODUCT_FOR_UPDATE).into(), id).await
}

async fn find_by(db: &mut Connection, statement: Sql, id: ProductId) -> Result<Option<Product>, StoreError> {
    let rows = query(statement).bind(id).fetch_all(db).await?;
    Ok(load(db, &rows).await?.pop())
}

/// Returns the products of these rows, in their order.
pub(super) async fn load(db: &mut Connection, rows: &[Row]) -> Result<Vec<Product>, StoreError> {
    let mut products = rows.iter().map(map_product).collect::<Result<Vec<_>, _>>()?;
    let mut images = load_images(db, &products).await?;
    for product in &mut products {
        product.images = images.remove(&product.id).unwrap_or_default();
    }
    Ok(products)
}

async fn load_images(
    db: &mut Connection,
    products: &[Product],
) -> Result<HashMap<ProductId, Vec<ProductImage>>, StoreError> {
    let mut images: HashMap<_, Vec<_>> = HashMap::new();
    if products.is_empty() {
        return Ok(images);
    }
    let ids: Vec<_> = products.iter().map(|product| product.id).collect();
    for row in query(&IMAGES).bind(ids.as_slice()).fetch_all(db).await? {
        images.entry(row.get("product_id")?).or_default().push(map_image(&row)?);
    }
    Ok(images)
}

fn map_product(row: &Row) -> Result<Product, StoreError> {
    Ok(Product {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        price: row.get("price")?,
        category: row.get("category")?,
        stock_quantity: row.get("stock_quantity")?,
        brand: row.get("brand")?,
        sku: row.get::<Option<_>>("sku")?.or(row.get("released_sku")?),
        average_rating: row.get("average_rating")?,
        review_count: row.get("review_count")?,
        active: row.get("active")?,
        images: Vec::new(),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
