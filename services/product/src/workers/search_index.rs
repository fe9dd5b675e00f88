//! Derivation of search texts during an upgrade.

use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::CatalogService;

/// Derives the search texts of products that an instance of the previous version writes during an upgrade.
pub(crate) struct SearchIndexWorker {
    catalog: CatalogService,
}

impl SearchIndexWorker {
    pub(crate) const fn new(catalog: CatalogService) -> Self {
        Self { catalog }
    }
}

#[async_trait]
impl Worker for SearchIndexWorker {
    fn name(&self) -> &'static str {
        "search-index"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        Ok(if self.catalog.index_pending().await? == 0 { NextRun::OnWake } else { NextRun::Now })
    }
}
