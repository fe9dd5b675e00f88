//! Products.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Connection, Database, Statement, query};
use contracts::api::{Product, ProductImage};
use contracts::{ImageId, ProductId};

use super::{facets, images, map_error, media, product_list, product_rows, require_row, search_index};
use crate::domain::{Facets, ImageChanges, NewImage, NewProduct, Page, PageRequest, ProductFilter, SortOrder};
use crate::repository::{EffectsFn, FileFn, NewSample, ProductRepository, Spellings, UpdateFn};
use crate::search_text::{SearchTexts, to_nfd};

/// Active product with a sku in either normalization form, otherwise the last inactive one that had it.
pub const PRODUCT_ID_BY_SKU: &str = "SELECT coalesce((SELECT id FROM products WHERE sku IN ($1, $2) LIMIT 1),
    (SELECT id FROM products WHERE released_sku IN ($1, $2) ORDER BY id DESC LIMIT 1))";
/// Active products among several ids.
pub static ACTIVE_PRODUCTS: Statement = Statement::new(|db| {
    let (columns, any) = (product_rows::columns!(), db.any("$1"));
    format!("SELECT {columns} FROM products WHERE id {any} AND active ORDER BY id")
});
/// Categories of active products. Each key is found from the previous one, so the cost depends on the number of keys, not
/// of products.
pub const CATEGORIES: &str = "WITH RECURSIVE found (key) AS (
        SELECT min(category_key) FROM products WHERE active
        UNION ALL
        SELECT (SELECT min(category_key) FROM products WHERE active AND category_key > found.key)
        FROM found WHERE found.key IS NOT NULL)
    SELECT (SELECT category FROM products WHERE active AND category_key = found.key ORDER BY id LIMIT 1) AS category
    FROM found WHERE found.key IS NOT NULL ORDER BY category";
/// Query for the brands of active products.
pub const BRANDS: &str = "WITH RECURSIVE found (key) AS (
        SELECT min(brand_key) FROM products WHERE active
        UNION ALL
        SELECT (SELECT min(brand_key) FROM products WHERE active AND brand_key > found.key)
        FROM found WHERE found.key IS NOT NULL)
    SELECT (SELECT brand FROM products WHERE active AND brand_key = found.key ORDER BY id LIMIT 1) AS brand
    FROM found WHERE found.key IS NOT NULL ORDER BY brand";

const INSERT: &str = "INSERT INTO products (name, description, search, price, category, brand, sku, initial,
        stock_quantity, created_at, updated_at, search_text, category_key, brand_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $9, $10, $11, $12) RETURNING id";
const UPDATE: &str =
    "UPDATE products SET name = $1, description = $2, search = $3, price = $4, category = $5, brand = $6,
        sku = $7, active = $8, updated_at = $9, released_sku = $10 WHERE id = $11";
const TOUCH: &str = "UPDATE products SET updated_at = $1 WHERE id = $2";

/// Products in a database.
pub(super) struct SqlProductRepository {
    db: Database,
}

impl SqlProductRepository {
    pub(super) const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ProductRepository for SqlProductRepository {
    async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        // One snapshot, so that product and pictures are consistent.
        let mut tx = self.db.snapshot().await?;
        let product = product_rows::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(product)
    }

    async fn find_id_by_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError> {
        let query = query(PRODUCT_ID_BY_SKU).bind(sku).bind(to_nfd(sku));
        query.fetch_scalar(&mut self.db.reader().await?).await
    }

    async fn find_active(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let rows = query(&ACTIVE_PRODUCTS).bind(ids).fetch_all(&mut tx).await?;
        let products = product_rows::load(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(products)
    }

    async fn list(
        &self,
        filter: &ProductFilter,
        order: SortOrder,
        page: PageRequest,
    ) -> Result<Page<Product>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = product_list::fetch_page(&mut tx, filter, order, page).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn facets(&self, filter: &ProductFilter) -> Result<Facets, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let facets = facets::fetch(&mut tx, filter).await?;
        tx.commit().await?;
        Ok(facets)
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        query(CATEGORIES).fetch_scalars(&mut self.db.reader().await?).await
    }

    async fn brands(&self) -> Result<Vec<String>, StoreError> {
        query(BRANDS).fetch_scalars(&mut self.db.reader().await?).await
    }

    async fn index_pending(&self, limit: u32) -> Result<u64, StoreError> {
        // Usually nothing is pending, and no write transaction is needed.
        if !search_index::is_pending(&mut self.db.reader().await?).await? {
            return Ok(0);
        }
        let mut tx = self.db.begin().await?;
        let indexed = search_index::index_pending(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(indexed)
    }

    async fn spellings(&self) -> Result<Spellings, StoreError> {
        search_index::spellings(&mut self.db.reader().await?).await
    }

    async fn create(
        &self,
        new: &NewProduct,
        now: DateTime<Utc>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<Product, StoreError> {
        let mut tx = self.db.begin().await?;
        let product = insert(&mut tx, new, now).await?;
        self.db.commit(tx, &effects(&product)).await?;
        Ok(product)
    }

    async fn seed(
        &self,
        samples: &[NewSample],
        now: DateTime<Utc>,
        store: &FileFn<'_, ()>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // Concurrent instances wait for each other. Products are deactivated, never deleted.
        if !tx.lock_if_empty("products").await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let mut all_effects = Effects::none();
        for NewSample { product, picture } in samples {
            let product = insert(&mut tx, product, now).await?;
            if let Some(picture) = picture {
                media::register(&mut tx, &picture.name, now).await?;
                store(picture.name.clone()).await?;
                media::attach(&mut tx, product.id, picture).await?;
            }
            all_effects.events.extend(effects(&product).events);
        }
        self.db.commit(tx, &all_effects).await?;
        Ok(true)
    }

    async fn update(&self, id: ProductId, update: &UpdateFn<'_>) -> Result<Option<Product>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(mut product) = product_rows::find_for_update(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let Some(effects) = update(&mut product) else {
            tx.rollback().await?;
            return Ok(Some(product));
        };
        write(&mut tx, &product).await?;
        self.db.commit(tx, &effects).await?;
        Ok(Some(product))
    }

    async fn add_image(
        &self,
        product: ProductId,
        new: &NewImage,
        now: DateTime<Utc>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<Option<ProductImage>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(image) = images::add(&mut tx, product, new).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let effects = touch(&mut tx, product, now, effects).await?;
        self.db.commit(tx, &effects).await?;
        Ok(Some(image))
    }

    async fn update_image(
        &self,
        product: ProductId,
        image: ImageId,
        changes: &ImageChanges,
        now: DateTime<Utc>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<Option<ProductImage>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(image) = images::update(&mut tx, product, image, changes).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let effects = touch(&mut tx, product, now, effects).await?;
        self.db.commit(tx, &effects).await?;
        Ok(Some(image))
    }

    async fn remove_image(
        &self,
        product: ProductId,
        image: ImageId,
        now: DateTime<Utc>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if !images::remove(&mut tx, product, image).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let effects = touch(&mut tx, product, now, effects).await?;
        self.db.commit(tx, &effects).await?;
        Ok(true)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}

async fn insert(db: &mut Connection, new: &NewProduct, now: DateTime<Utc>) -> Result<Product, StoreError> {
    let texts = SearchTexts::new(&new.name, &new.description, &new.category, new.brand.as_deref());
    let id = query(INSERT)
        .bind(&new.name)
        .bind(&new.description)
        .bind(&texts.legacy)
        .bind(new.price)
        .bind(&new.category)
        .bind(&new.brand)
        .bind(&new.sku)
        .bind(new.stock_quantity)
        .bind(now)
        .bind(&texts.text)
        .bind(&texts.category_key)
        .bind(&texts.brand_key)
        .fetch_scalar::<ProductId>(db)
        .await
        .map_err(map_error)?;
    product_rows::find(db, id).await?.ok_or_else(|| StoreError::Decode(format!("product {id} is missing")))
}

async fn write(db: &mut Connection, product: &Product) -> Result<(), StoreError> {
    let texts = SearchTexts::new(&product.name, &product.description, &product.category, product.brand.as_deref());
    // A sku is unique while its product is active, and available to others while it is not.
    let sku = product.sku.as_deref();
    let (held, released) = if product.active { (sku, None) } else { (None, sku) };
    let updated = query(UPDATE)
        .bind(&product.name)
        .bind(&product.description)
        .bind(&texts.legacy)
        .bind(product.price)
        .bind(&product.category)
        .bind(&product.brand)
        .bind(held)
        .bind(product.active)
        .bind(product.updated_at)
        .bind(released)
        .bind(product.id)
        .execute(db)
        .await
        .map_err(map_error)?;
    require_row(updated, "product")?;
    search_index::update(db, product.id, &texts).await
}

/// Updates the time of the product's last change; returns the effects.
pub(super) async fn touch(
    db: &mut Connection,
    id: ProductId,
    now: DateTime<Utc>,
    effects: &EffectsFn<'_, Product>,
) -> Result<Effects, StoreError> {
    require_row(query(TOUCH).bind(now).bind(id).execute(db).await?, "product")?;
    let product = product_rows::find(db, id).await?;
    Ok(product.as_ref().map(effects).unwrap_or_default())
}
