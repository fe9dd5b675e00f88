use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, ms};
use common::store::StoreError;
use contracts::calls::{Product, ProductImage};
use contracts::{ImageId, ProductId};
use sqlx::{QueryBuilder, SqliteConnection};

use super::{images, list, read, search};
use crate::domain::{NewImage, NewProduct, Page, PageRequest, ProductFilter, SortOrder};
use crate::repository::texts::{self, SkuColumns};
use crate::repository::{EffectsFn, ProductRepository, Spellings, UpdateFn};
use crate::search_text::to_nfd;

/// The active product that has a sku in either normalization form, else the last inactive one that had it.
pub const ID_OF_SKU: &str = "SELECT coalesce((SELECT id FROM products WHERE sku IN (?1, ?2) LIMIT 1),
    (SELECT id FROM products WHERE released_sku IN (?1, ?2) ORDER BY id DESC LIMIT 1))";
/// The categories of active products. A bare column is that of the row with the minimum.
pub const CATEGORIES: &str = "SELECT category FROM (SELECT category, min(id) FROM products
    WHERE active = 1 AND category_key IS NOT NULL GROUP BY category_key) ORDER BY category";
/// The brands of active products, in the same way.
pub const BRANDS: &str = "SELECT brand FROM (SELECT brand, min(id) FROM products
    WHERE active = 1 AND brand_key IS NOT NULL GROUP BY brand_key) ORDER BY brand";

/// The products in a SQLite file.
pub struct SqliteProductRepository {
    db: Sqlite,
}

impl SqliteProductRepository {
    /// The products in an open file, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ProductRepository for SqliteProductRepository {
    async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        // One transaction, so that product and pictures are of one moment.
        let mut tx = self.db.reader().begin().await?;
        let product = read::product(&mut tx, id).await?;
        tx.commit().await?;
        Ok(product)
    }

    async fn find_id_by_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError> {
        let query = sqlx::query_scalar(ID_OF_SKU).bind(sku).bind(to_nfd(sku));
        let id: Option<i64> = query.fetch_one(&mut *self.db.reader().acquire().await?).await?;
        Ok(id.map(ProductId::new))
    }

    async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(read::COLUMNS).push(" FROM products WHERE active = 1 AND id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.get());
        }
        query.push(") ORDER BY id");
        let mut tx = self.db.reader().begin().await?;
        let products = read::products(&mut tx, query).await?;
        tx.commit().await?;
        Ok(products)
    }

    async fn list(
        &self,
        filter: &ProductFilter,
        by: SortOrder,
        page: PageRequest,
    ) -> Result<Page<Product>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let page = list::page(&mut tx, filter, by, page).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(CATEGORIES).fetch_all(&mut *self.db.reader().acquire().await?).await?)
    }

    async fn brands(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(BRANDS).fetch_all(&mut *self.db.reader().acquire().await?).await?)
    }

    async fn index_pending(&self, limit: u32) -> Result<u64, StoreError> {
        // Most of the time there is none, and the writer is not taken.
        if !search::is_pending(&mut *self.db.reader().acquire().await?).await? {
            return Ok(0);
        }
        let mut tx = self.db.begin().await?;
        let indexed = search::index_pending(&mut tx, limit).await?;
        self.db.commit(tx, &Effects::none()).await?;
        Ok(indexed)
    }

    async fn spellings(&self) -> Result<Spellings, StoreError> {
        search::spellings(&mut *self.db.reader().acquire().await?).await
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
        // Products are hidden, never deleted.
        if sqlx::query("SELECT 1 FROM products LIMIT 1").fetch_optional(&mut *tx).await?.is_some() {
            tx.rollback().await?;
            return Ok(false);
        }
        let mut effects = Effects::none();
        for new in all {
            effects.events.extend(tell(&insert(&mut tx, new, now).await?).events);
        }
        self.db.commit(tx, &effects).await?;
        Ok(true)
    }

    async fn update(&self, id: ProductId, change: &UpdateFn<'_>) -> Result<Option<Product>, StoreError> {
        let mut tx = self.db.begin().await?;
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
            "UPDATE products SET name = ?, description = ?, search = ?, price = ?, category = ?, brand = ?, sku = ?,
                 active = ?, updated_at = ?, released_sku = ? WHERE id = ?",
        )
        .bind(&product.name)
        .bind(&product.description)
        .bind(&texts.legacy)
        .bind(product.price.cents())
        .bind(&product.category)
        .bind(&product.brand)
        .bind(skus.held)
        .bind(product.active)
        .bind(ms(product.updated_at))
        .bind(skus.released)
        .bind(id.get())
        .execute(&mut *tx)
        .await?;
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

async fn insert(tx: &mut SqliteConnection, new: &NewProduct, now: DateTime<Utc>) -> Result<Product, StoreError> {
    let texts = texts::of_new(new);
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO products (name, description, search, price, category, brand, sku, initial, stock_quantity,
             created_at, updated_at, search_text, category_key, brand_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?9, ?10, ?11, ?12) RETURNING id",
    )
    .bind(&new.name)
    .bind(&new.description)
    .bind(texts.legacy)
    .bind(new.price.cents())
    .bind(&new.category)
    .bind(&new.brand)
    .bind(&new.sku)
    .bind(new.stock_quantity)
    .bind(ms(now))
    .bind(texts.text)
    .bind(texts.category_key)
    .bind(texts.brand_key)
    .fetch_one(&mut *tx)
    .await?;
    read::product(tx, ProductId::new(id)).await?.ok_or_else(|| StoreError::Corrupt(format!("product {id} is gone")))
}

/// Notes that the product changed; answers the effects of that.
async fn touched(
    tx: &mut SqliteConnection,
    id: ProductId,
    now: DateTime<Utc>,
    tell: &EffectsFn<'_, Product>,
) -> Result<Effects, StoreError> {
    let query = sqlx::query("UPDATE products SET updated_at = ? WHERE id = ?").bind(ms(now)).bind(id.get());
    one(query.execute(&mut *tx).await?.rows_affected(), "product")?;
    let product = read::product(tx, id).await?;
    Ok(product.as_ref().map(tell).unwrap_or_default())
}

/// That a statement changed one row, as it must.
pub(super) fn one(rows: u64, what: &'static str) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Corrupt(format!("{rows} rows of one {what} were changed"))) }
}
