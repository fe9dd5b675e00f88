//! Products as they stand in the file.

use std::collections::HashMap;

use common::sqlite::from_ms;
use common::store::StoreError;
use contracts::calls::{Product, ProductImage, Rating};
use contracts::{ImageId, Money, ProductId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// The columns that a product is read from.
pub(super) const COLUMNS: &str = "id, name, description, price, category, stock_quantity, brand, sku, released_sku, \
     average_rating, review_count, active, created_at, updated_at";

/// A product with its pictures.
pub(super) async fn product(tx: &mut SqliteConnection, id: ProductId) -> Result<Option<Product>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS).push(" FROM products WHERE id = ").push_bind(id.get());
    Ok(products(tx, query).await?.pop())
}

/// The products that a query of [`COLUMNS`] finds, in its order, with their pictures.
pub(super) async fn products(
    tx: &mut SqliteConnection,
    mut query: QueryBuilder<Sqlite>,
) -> Result<Vec<Product>, StoreError> {
    let rows = query.build().fetch_all(&mut *tx).await?;
    let mut products = rows.iter().map(bare).collect::<Result<Vec<_>, _>>()?;
    let mut images = images(tx, &products).await?;
    for product in &mut products {
        product.images = images.remove(&product.id).unwrap_or_default();
    }
    Ok(products)
}

async fn images(
    tx: &mut SqliteConnection,
    products: &[Product],
) -> Result<HashMap<ProductId, Vec<ProductImage>>, StoreError> {
    let mut images: HashMap<_, Vec<_>> = HashMap::new();
    if products.is_empty() {
        return Ok(images);
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT product_id, id, url, alt_text, is_primary FROM images WHERE product_id IN (",
    );
    let mut ids = query.separated(", ");
    for product in products {
        ids.push_bind(product.id.get());
    }
    query.push(") ORDER BY id");
    for row in query.build().fetch_all(tx).await? {
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

fn bare(row: &SqliteRow) -> Result<Product, StoreError> {
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
        created_at: from_ms(row.try_get("created_at")?)?,
        updated_at: from_ms(row.try_get("updated_at")?)?,
    })
}
