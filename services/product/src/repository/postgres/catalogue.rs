use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::postgres::Postgres;
use common::store::StoreError;
use contracts::calls::{Product, ProductImage};
use contracts::{ImageId, ProductId};
use sqlx::PgConnection;

use super::{images, list, lock, one, read, refusal, search};
use crate::domain::{NewImage, NewProduct, Page, PageRequest, ProductFilter, SortOrder};
use crate::repository::texts::{self, SkuColumns};
use crate::repository::{EffectsFn, ProductRepository, Spellings, UpdateFn};
use crate::search_text::to_nfd;

/// The active product that has a sku in either normalization form, else the last inactive one that had it.
pub const ID_OF_SKU: &str = "SELECT coalesce((SELECT id FROM products WHERE sku IN ($1, $2) LIMIT 1),
    (SELECT id FROM products WHERE released_sku IN ($1, $2) ORDER BY id DESC LIMIT 1))";
/// Those of some products that are active.
pub const BATCH: &str =
    concat!("SELECT ", read::columns!(), " FROM products WHERE id = ANY($1) AND active ORDER BY id");
/// The categories of active products: each key is found from the one before, however many products it has.
pub const CATEGORIES: &str = "WITH RECURSIVE found AS (
        (SELECT category_key AS key FROM products WHERE active AND category_key IS NOT NULL ORDER BY category_key LIMIT 1)
        UNION ALL
        SELECT (SELECT category_key FROM products WHERE active AND category_key > found.key ORDER BY category_key LIMIT 1)
        FROM found WHERE found.key IS NOT NULL)
    SELECT (SELECT category FROM products WHERE active AND category_key = found.key ORDER BY id LIMIT 1) AS category
    FROM found WHERE key IS NOT NULL ORDER BY category";
/// The brands of active products, in the same way.
pub const BRANDS: &str = "WITH RECURSIVE found AS (
        (SELECT brand_key AS key FROM products WHERE active AND brand_key IS NOT NULL ORDER BY brand_key LIMIT 1)
        UNION ALL
        SELECT (SELECT brand_key FROM products WHERE active AND brand_key > found.key ORDER BY brand_key LIMIT 1)
        FROM found WHERE found.key IS NOT NULL)
    SELECT (SELECT brand FROM products WHERE active AND brand_key = found.key ORDER BY id LIMIT 1) AS brand
    FROM found WHERE key IS NOT NULL ORDER BY brand";

/// The products in a PostgreSQL database.
pub struct PostgresProductRepository {
    db: Postgres,
}

impl PostgresProductRepository {
    /// The products in an open database, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Postgres) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ProductRepository for PostgresProductRepository {
    async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        // One transaction, so that product and pictures are of one moment.
        let mut tx = self.db.snapshot().await?;
        let product = read::product(&mut tx, id).await?;
        tx.commit().await?;
        Ok(product)
    }

    async fn find_id_by_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError> {
        let query = sqlx::query_scalar(ID_OF_SKU).bind(sku).bind(to_nfd(sku));
        let id: Option<i64> = query.fetch_one(&mut *self.db.pool().acquire().await?).await?;
        Ok(id.map(ProductId::new))
    }

    async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        let mut tx = self.db.snapshot().await?;
        let rows = sqlx::query(BATCH).bind(ids).fetch_all(&mut *tx).await?;
        let products = read::products(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(products)
    }

    async fn list(
        &self,
        filter: &ProductFilter,
        by: SortOrder,
        page: PageRequest,
    ) -> Result<Page<Product>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = list::page(&mut tx, filter, by, page).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(CATEGORIES).fetch_all(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn brands(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(BRANDS).fetch_all(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn index_pending(&self, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let indexed = search::index_pending(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(indexed)
    }

    async fn spellings(&self) -> Result<Spellings, StoreError> {
        search::spellings(&mut *self.db.pool().acquire().await?).await
    }

    async fn create(
        &self,
        new: &NewProduct,
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<Product, StoreError> {
        let mut tx = self.db.begin().await?;
        let product = insert(&mut tx, new, now).await?;
        self.db.commit(tx, &tell(&product)).await?;
        Ok(product)
    }

    async fn seed(
        &self,
        all: &[NewProduct],
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // Instances that start at once wait for each other. Products are hidden, never deleted.
        sqlx::query("LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        if sqlx::query("SELECT 1 FROM products LIMIT 1").fetch_optional(&mut *tx).await?.is_some() {
            tx.rollback().await?;
            return Ok(false);
        }
        // An earlier try that came to nothing has used up ids: they begin anew, so that the first products have the first ones.
        sqlx::query("ALTER TABLE products ALTER COLUMN id RESTART").execute(&mut *tx).await?;
        let mut effects = Effects::none();
        for new in all {
            effects.events.extend(tell(&insert(&mut tx, new, now).await?).events);
        }
        self.db.commit(tx, &effects).await?;
        Ok(true)
    }

    async fn update(&self, id: ProductId, change: &UpdateFn<'_>) -> Result<Option<Product>, StoreError> {
        let mut tx = self.db.begin().await?;
        lock(&mut tx, id).await?;
        let Some(mut product) = read::product(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let Some(effects) = change(&mut product) else {
            tx.rollback().await?;
            return Ok(Some(product));
        };
        let (texts, skus) = (texts::of_product(&product), SkuColumns::new(&product));
        let updated = sqlx::query(
            "UPDATE products SET name = $1, description = $2, search = $3, price = $4, category = $5, brand = $6, sku = $7,
                 active = $8, updated_at = $9, released_sku = $10 WHERE id = $11",
        )
        .bind(&product.name)
        .bind(&product.description)
        .bind(&texts.legacy)
        .bind(product.price.cents())
        .bind(&product.category)
        .bind(&product.brand)
        .bind(skus.held)
        .bind(product.active)
        .bind(product.updated_at)
        .bind(skus.released)
        .bind(id.get())
        .execute(&mut *tx)
        .await
        .map_err(refusal)?;
        one(updated.rows_affected(), "product")?;
        search::write(&mut tx, id.get(), &texts).await?;
        self.db.commit(tx, &effects).await?;
        Ok(Some(product))
    }

    async fn add_image(
        &self,
        product: ProductId,
        new: &NewImage,
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<Option<ProductImage>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(image) = images::add(&mut tx, product, new).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let effects = touched(&mut tx, product, now, tell).await?;
        self.db.commit(tx, &effects).await?;
        Ok(Some(image))
    }

    async fn remove_image(
        &self,
        product: ProductId,
        image: ImageId,
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if !images::remove(&mut tx, product, image).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let effects = touched(&mut tx, product, now, tell).await?;
        self.db.commit(tx, &effects).await?;
        Ok(true)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}

async fn insert(tx: &mut PgConnection, new: &NewProduct, now: DateTime<Utc>) -> Result<Product, StoreError> {
    let texts = texts::of_new(new);
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO products (name, description, search, price, category, brand, sku, initial, stock_quantity,
             created_at, updated_at, search_text, category_key, brand_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $9, $10, $11, $12) RETURNING id",
    )
    .bind(&new.name)
    .bind(&new.description)
    .bind(texts.legacy)
    .bind(new.price.cents())
    .bind(&new.category)
    .bind(&new.brand)
    .bind(&new.sku)
    .bind(new.stock_quantity)
    .bind(now)
    .bind(texts.text)
    .bind(texts.category_key)
    .bind(texts.brand_key)
    .fetch_one(&mut *tx)
    .await
    .map_err(refusal)?;
    read::product(tx, ProductId::new(id)).await?.ok_or_else(|| StoreError::Corrupt(format!("product {id} is gone")))
}

/// Notes that the product changed; answers the effects of that.
async fn touched(
    tx: &mut PgConnection,
    id: ProductId,
    now: DateTime<Utc>,
    tell: &EffectsFn<'_, Product>,
) -> Result<Effects, StoreError> {
    let query = sqlx::query("UPDATE products SET updated_at = $1 WHERE id = $2").bind(now).bind(id.get());
    one(query.execute(&mut *tx).await?.rows_affected(), "product")?;
    let product = read::product(tx, id).await?;
    Ok(product.as_ref().map(tell).unwrap_or_default())
}
