//! Records of stored pictures.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Connection, Database, Statement, query};
use contracts::ProductId;
use contracts::api::Product;

use super::{images, lock_product, products, require_row};
use crate::domain::{NewUpload, PictureName};
use crate::repository::{AttachOutcome, CollectOutcome, EffectsFn, FileFn, MediaRepository};

const INSERT: &str =
    "INSERT INTO media (name, created_at, unreferenced_since) VALUES ($1, $2, $2) ON CONFLICT DO NOTHING";
const REFRESH: &str = "UPDATE media SET unreferenced_since = $1 WHERE name = $2 AND unreferenced_since IS NOT NULL";
/// Lock of a file's record.
pub static LOCKED_MEDIA: Statement =
    Statement::new(|db| format!("SELECT name FROM media WHERE name = $1 {}", db.row_lock("FOR UPDATE")));
/// File that has been without a reference for longest, locked.
pub static COLLECTABLE: Statement = Statement::new(|db| {
    let lock = db.row_lock("FOR UPDATE SKIP LOCKED");
    format!("SELECT name FROM media WHERE unreferenced_since <= $1 ORDER BY unreferenced_since LIMIT 1 {lock}")
});
/// Reference to a file.
pub const REFERENCE: &str = "SELECT 1 FROM images WHERE media = $1 LIMIT 1";
// All records are read: the number of files is that of pictures, and the statement runs rarely.
const MARK: &str = "UPDATE media SET unreferenced_since = $1
    WHERE unreferenced_since IS NULL AND NOT EXISTS (SELECT 1 FROM images WHERE images.media = media.name)";
const UNMARK: &str = "UPDATE media SET unreferenced_since = NULL WHERE name = $1";
const DELETE: &str = "DELETE FROM media WHERE name = $1";

/// Records of stored pictures in a database.
pub(super) struct SqlMediaRepository {
    db: Database,
}

impl SqlMediaRepository {
    pub(super) const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl MediaRepository for SqlMediaRepository {
    async fn register(&self, name: &PictureName, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let is_new = register(&mut tx, name, now).await?;
        self.db.commit(tx, &Effects::none()).await?;
        Ok(is_new)
    }

    async fn attach(
        &self,
        product: ProductId,
        new: &NewUpload,
        now: DateTime<Utc>,
        is_stored: &FileFn<'_, bool>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<AttachOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        if lock_product(&mut tx, product).await?.is_none() {
            tx.rollback().await?;
            return Ok(AttachOutcome::ProductNotFound);
        }
        // A file is deleted only under this lock: it is still there when the reference is committed.
        if !lock(&mut tx, &new.name).await? || !is_stored(new.name.clone()).await? {
            tx.rollback().await?;
            return Ok(AttachOutcome::FileMissing);
        }
        let image = attach(&mut tx, product, new).await?;
        let effects = products::touch(&mut tx, product, now, effects).await?;
        self.db.commit(tx, &effects).await?;
        Ok(AttachOutcome::Attached(image))
    }

    async fn discard(&self, name: &PictureName, delete: &FileFn<'_, ()>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if !lock(&mut tx, name).await? || is_referenced(&mut tx, name).await? {
            return tx.rollback().await;
        }
        delete(name.clone()).await?;
        require_row(query(DELETE).bind(name.as_str()).execute(&mut tx).await?, "file")?;
        self.db.commit(tx, &Effects::none()).await
    }

    async fn mark_unreferenced(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        query(MARK).bind(now).execute(&mut self.db.writer().await?).await
    }

    async fn collect(&self, until: DateTime<Utc>, delete: &FileFn<'_, ()>) -> Result<CollectOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(name) = query(&COLLECTABLE).bind(until).fetch_optional_scalar::<String>(&mut tx).await? else {
            tx.rollback().await?;
            return Ok(CollectOutcome::NoneDue);
        };
        let name =
            PictureName::parse(&name).ok_or_else(|| StoreError::Decode(format!("the name `{name}` of a file")))?;
        let outcome = if is_referenced(&mut tx, &name).await? {
            query(UNMARK).bind(name.as_str()).execute(&mut tx).await?;
            CollectOutcome::Kept
        } else {
            delete(name.clone()).await?;
            query(DELETE).bind(name.as_str()).execute(&mut tx).await?;
            CollectOutcome::Deleted
        };
        self.db.commit(tx, &Effects::none()).await?;
        Ok(outcome)
    }
}

/// Records a file without a reference; returns true if it is new.
pub(super) async fn register(db: &mut Connection, name: &PictureName, now: DateTime<Utc>) -> Result<bool, StoreError> {
    if query(INSERT).bind(name.as_str()).bind(now).execute(db).await? > 0 {
        return Ok(true);
    }
    query(REFRESH).bind(now).bind(name.as_str()).execute(db).await?;
    Ok(false)
}

/// Adds a recorded picture to a product.
pub(super) async fn attach(
    db: &mut Connection,
    product: ProductId,
    new: &NewUpload,
) -> Result<contracts::api::ProductImage, StoreError> {
    let image = images::insert_upload(db, product, new).await?;
    query(UNMARK).bind(new.name.as_str()).execute(db).await?;
    Ok(image)
}

/// Locks the record of a file; returns false if there is none.
async fn lock(db: &mut Connection, name: &PictureName) -> Result<bool, StoreError> {
    Ok(query(&LOCKED_MEDIA).bind(name.as_str()).fetch_optional(db).await?.is_some())
}

async fn is_referenced(db: &mut Connection, name: &PictureName) -> Result<bool, StoreError> {
    Ok(query(REFERENCE).bind(name.as_str()).fetch_optional(db).await?.is_some())
}
