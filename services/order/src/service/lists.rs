//! List of orders, their summary, and the derivation of search texts.

use common::database::store::StoreError;
use common::database::{Page, Period, Start};
use contracts::OrderId;

use super::OrderService;
use crate::domain::Order;
use crate::error::Error;
use crate::repository::{OrderFilter, OrderSummary};

/// Number of orders that one transaction indexes and locks.
const INDEX_BATCH: u32 = 100;

impl OrderService {
    /// Returns a page of up to `limit` orders, newest first.
    ///
    /// # Errors
    /// [`Error::UnknownStart`], or an error of the repository.
    pub(crate) async fn list(
        &self,
        filter: &OrderFilter,
        start: Start<OrderId>,
        limit: i64,
    ) -> Result<Page<Order>, Error> {
        self.repository().list(filter, start, limit).await?.ok_or(Error::UnknownStart)
    }

    /// Returns the summary of a period, with the amounts in this currency.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn summary(&self, currency: &str, period: Period) -> Result<OrderSummary, StoreError> {
        self.repository().summary(currency, period).await
    }

    /// Derives the search texts of a batch of orders without them; returns their number.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn index_pending(&self) -> Result<u64, StoreError> {
        self.repository().index_pending(INDEX_BATCH).await
    }
}
