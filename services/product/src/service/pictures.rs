//! Uploaded pictures and their files.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use common::database::failpoints;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::telemetry::clock::SharedClock;
use contracts::ProductId;
use contracts::api::{Product, ProductImage};
use futures::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::product_cache::ProductCache;
use crate::NAME;
use crate::domain::{self, NewUpload, Picture, PictureName};
use crate::error::Error;
use crate::media::{MediaFile, MediaStore};
use crate::repository::{AttachOutcome, CollectOutcome, MediaRepository};

/// Number of uploads that are received and processed at once; each holds its file twice.
const MAX_CONCURRENT_UPLOADS: usize = 2;
/// Number of times that a file is stored, should it be deleted before it is referenced.
const ATTEMPTS: u32 = 3;
/// Time until a file without a reference is deleted.
const GRACE: TimeDelta = TimeDelta::hours(24);

/// Use cases of uploaded pictures. Clones share repository and files.
#[derive(Clone)]
pub(crate) struct PictureService {
    records: Arc<dyn MediaRepository>,
    files: MediaStore,
    cache: ProductCache,
    clock: SharedClock,
    places: Arc<Semaphore>,
}

/// Uploaded file.
pub(crate) struct Upload {
    /// Content of the file.
    pub(crate) file: Bytes,
    /// Alternative text of the picture.
    pub(crate) alt_text: Option<String>,
    /// Replacement of the product's current primary picture.
    pub(crate) primary: bool,
}

impl PictureService {
    pub(crate) fn new(
        records: Arc<dyn MediaRepository>,
        files: MediaStore,
        cache: ProductCache,
        clock: SharedClock,
    ) -> Self {
        Self { records, files, cache, clock, places: Arc::new(Semaphore::new(MAX_CONCURRENT_UPLOADS)) }
    }

    /// Waits for a place to receive and process an upload in, which bounds their memory.
    ///
    /// # Errors
    /// None in practice: the semaphore is never closed.
    pub(crate) async fn place(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.places.acquire().await.map_err(|error| StoreError::Internal(error.into()))
    }

    /// Adds an uploaded picture to a product. An upload that fails leaves no file.
    pub(crate) async fn add(&self, product: ProductId, upload: Upload) -> Result<ProductImage, Error> {
        let Upload { file, alt_text, primary } = upload;
        // A picture's compressed data is inflated, which takes up to a second.
        let parsed = tokio::task::spawn_blocking(move || Picture::parse(&file)).await;
        let Picture { name, bytes } = parsed.map_err(|error| StoreError::Internal(error.into()))??;
        let (new, content) = (NewUpload { name, alt_text, primary }, Bytes::from(bytes));
        for _ in 0..ATTEMPTS {
            let is_new = self.records.register(&new.name, self.clock.now()).await?;
            let attached = self.store_and_attach(product, &new, &content).await;
            // Regardless of the outcome: a commit that was reported as failed may have succeeded.
            self.cache.invalidate(product).await;
            match attached {
                Ok(AttachOutcome::Attached(image)) => return Ok(image),
                Ok(AttachOutcome::FileMissing) => {}
                Ok(AttachOutcome::ProductNotFound) => {
                    self.discard(&new.name, is_new).await;
                    return Err(Error::ProductNotFound);
                }
                Err(error) => {
                    self.discard(&new.name, is_new).await;
                    return Err(error);
                }
            }
        }
        Err(StoreError::Unavailable("the uploaded file was deleted repeatedly".into()).into())
    }

    async fn store_and_attach(
        &self,
        product: ProductId,
        new: &NewUpload,
        content: &Bytes,
    ) -> Result<AttachOutcome, Error> {
        failpoints::hit("before-store", || format!("{NAME} picture"));
        self.files.put(&new.name, content.clone()).await?;
        failpoints::hit("after-store", || format!("{NAME} picture"));
        let now = self.clock.now();
        let is_stored = |name: PictureName| {
            let files = self.files.clone();
            async move { Ok(files.contains(&name).await?) }.boxed()
        };
        let effects = |product: &Product| Effects::event(now, domain::image_changed(product));
        Ok(self.records.attach(product, new, now, &is_stored, &effects).await?)
    }

    /// Deletes the file of a failed upload, unless it was there before. What cannot be deleted now is collected later.
    async fn discard(&self, name: &PictureName, is_new: bool) {
        if !is_new {
            return;
        }
        if let Err(error) = self.records.discard(name, &|name| self.delete(name)).await {
            let error = common::error_chain(&error);
            tracing::warn!(error, file.name = name.as_str(), "file of a failed upload not deleted");
        }
    }

    fn delete(&self, name: PictureName) -> futures::future::BoxFuture<'static, Result<(), StoreError>> {
        let files = self.files.clone();
        async move {
            failpoints::hit("before-delete", || format!("{NAME} picture"));
            files.delete(&name).await?;
            failpoints::hit("after-delete", || format!("{NAME} picture"));
            Ok(())
        }
        .boxed()
    }

    /// Opens the file of a picture.
    pub(crate) async fn open(&self, name: &PictureName) -> Result<MediaFile, Error> {
        self.files.open_file(name).await?.ok_or(Error::ImageNotFound)
    }

    /// Marks the files that no product refers to any more.
    pub(crate) async fn mark_unreferenced(&self) -> Result<u64, StoreError> {
        self.records.mark_unreferenced(self.clock.now()).await
    }

    /// Deletes a file that has had no reference for a day; returns false if there is none.
    pub(crate) async fn collect(&self) -> Result<bool, StoreError> {
        let until = self.clock.now() - GRACE;
        let outcome = self.records.collect(until, &|name| self.delete(name)).await?;
        Ok(outcome != CollectOutcome::NoneDue)
    }
}
