//! Derivation of the texts that products are found by, for rows that the version before wrote.

use common::store::StoreError;

use super::Shop;
use crate::domain::{collisions, equality_key, to_nfc};

/// Products whose texts are derived in one transaction: they are locked meanwhile.
const BATCH: u32 = 100;

impl Shop {
    /// Derives the search texts of a batch of products that lack them; returns their number.
    pub(crate) async fn index_pending(&self) -> Result<u64, StoreError> {
        self.stores.catalogue.index_pending(BATCH).await
    }

    /// Derives the search texts of all products that lack them. Where there were any, logs the categories, brands and
    /// skus that are the same but for their spelling; none of them is changed.
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
        let spellings = self.stores.catalogue.spellings().await?;
        for (field, texts, key) in [
            ("category", &spellings.categories, equality_key as fn(&str) -> String),
            ("brand", &spellings.brands, equality_key),
            ("sku", &spellings.skus, to_nfc),
        ] {
            for same in collisions(texts, key) {
                tracing::warn!(field, spellings = ?same, "texts differ in spelling only");
            }
        }
        Ok(())
    }
}
