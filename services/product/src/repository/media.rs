//! Port of the records of stored pictures.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use contracts::ProductId;
use contracts::api::{Product, ProductImage};
use futures::future::BoxFuture;

use super::effects_fn::EffectsFn;
use crate::domain::{NewUpload, PictureName};

/// Work on a file while its record is locked.
pub type FileFn<'a, T> = dyn Fn(PictureName) -> BoxFuture<'a, Result<T, StoreError>> + Send + Sync + 'a;

/// Result of adding an uploaded picture to a product.
#[derive(Clone, Debug, PartialEq)]
pub enum AttachOutcome {
    /// Attach outcome: added picture.
    Attached(ProductImage),
    /// Attach outcome: unknown product.
    ProductNotFound,
    /// File that was deleted since it was stored.
    FileMissing,
}

/// Result of a step of the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectOutcome {
    /// Collect outcome: deleted file.
    Deleted,
    /// Collect outcome: file that is referenced again.
    Kept,
    /// Collect outcome: no file that is due.
    NoneDue,
}

common::repository_trait! {
    /// Records of stored pictures. A record is there before its file, and as long as the file. A file without a reference
    /// is marked with the time since when it has none, and deleted later under the lock of its record.
    pub trait MediaRepository, instrumented as "media" by InstrumentedMediaRepository {
        /// Records a file that is about to be stored, without a reference from now on; returns true if it is new.
        async fn register(&self, name: &PictureName, now: DateTime<Utc>) -> Result<bool, StoreError>;

        /// Adds a stored picture to a product, if `is_stored` finds its file.
        async fn attach(
            &self,
            product: ProductId,
            new: &NewUpload,
            now: DateTime<Utc>,
            is_stored: &FileFn<'_, bool>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<AttachOutcome, StoreError>;

        /// Deletes a file by `delete`, and its record, unless it is referenced.
        async fn discard(&self, name: &PictureName, delete: &FileFn<'_, ()>) -> Result<(), StoreError>;

        /// Marks the files that no product refers to any more; returns their number.
        async fn mark_unreferenced(&self, now: DateTime<Utc>) -> Result<u64, StoreError>;

        /// Deletes the file that has been without a reference for longest by `delete`, if it was marked at `until` or
        /// before. Concurrent instances delete different files.
        async fn collect(&self, until: DateTime<Utc>, delete: &FileFn<'_, ()>) -> Result<CollectOutcome, StoreError>;
    }
}
