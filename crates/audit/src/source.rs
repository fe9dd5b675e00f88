//! Port to the audited fleet.

use std::collections::BTreeMap;

use contracts::api::OutboxState;
use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::{OrderId, PaymentId, ProductId};

use crate::ProviderIntent;

/// Position in a list sorted by id: the id of the last row that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark<Id>(Option<Id>);

impl<Id> Default for Watermark<Id> {
    fn default() -> Self {
        Self(None)
    }
}

impl<Id: Copy> Watermark<Id> {
    /// Returns the id after which the next page begins; `None` before the first page.
    #[must_use]
    pub const fn after(self) -> Option<Id> {
        self.0
    }

    /// Moves the watermark to a row that was read.
    pub const fn advance(&mut self, id: Id) {
        self.0 = Some(id);
    }
}

/// Source of audit rows. A page is empty at the end of its list.
#[expect(async_fn_in_trait, reason = "auditors run on the caller's task, so their futures need not be Send")]
pub trait AuditSource {
    /// Error of a failed read.
    type Error;

    /// Returns the next page of products.
    async fn products(&self, watermark: Watermark<ProductId>) -> Result<Vec<ProductAudit>, Self::Error>;

    /// Returns the next page of orders.
    async fn orders(&self, watermark: Watermark<OrderId>) -> Result<Vec<OrderAudit>, Self::Error>;

    /// Returns the next page of payments.
    async fn payments(&self, watermark: Watermark<PaymentId>) -> Result<Vec<PaymentAudit>, Self::Error>;

    /// Returns the state of each service's outbox, by service.
    async fn outboxes(&self) -> Result<BTreeMap<String, OutboxState>, Self::Error>;

    /// Returns the number of dead letters, by queue; `None` if the caller may not read them.
    async fn dead_letters(&self) -> Result<Option<BTreeMap<String, usize>>, Self::Error>;

    /// Returns all intents of the payment provider; `None` if its address or key is not configured.
    async fn provider_intents(&self) -> Result<Option<Vec<ProviderIntent>>, Self::Error>;
}
