//! Derivation of search texts for rows that the previous version wrote.

use common::database::store::StoreError;
use common::http::search_text::equality_key;
use common::http::text::nfc;

use super::catalog::CatalogService;
use crate::search_text::collisions;

/// Number of products that one transaction indexes and locks.
const BATCH_SIZE: u32 = 100;

impl CatalogService {
    /// Derives the search texts of a batch of products without them; returns their number.
    pub(crate) async fn index_pending(&self) -> Result<u64, StoreError> {
        self.products.index_pending(BATCH_SIZE).await
    }

    /// Derives the search texts of all products without them. If there were any, logs the categories, brands and skus
    /// that differ in spelling only; they stay as they are.
    pub(crate) async fn index_all(&self) -> Result<(), StoreError> {
        let mut products = 0;
        loop {
            match self.index_pending().await? {
                0 => break,
                indexed => products += indexed,
            }
        }
        if products == 0 {
            return Ok(());
        }
        tracing::info!(products, "search texts derived");
        let spellings = self.products.spellings().await?;
        for (field, texts, key) in [
            ("category", &spellings.categories, equality_key as fn(&str) -> String),
            ("brand", &spellings.brands, equality_key),
            ("sku", &spellings.skus, |sku| nfc(sku).into_owned()),
        ] {
            for spellings in collisions(texts, key) {
                tracing::warn!(field, ?spellings, "texts differ in spelling only");
            }
        }
        Ok(())
    }
}
