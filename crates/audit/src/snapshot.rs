//! State of goods, money and events at about one moment.

use std::collections::BTreeMap;

use contracts::api::OutboxState;
use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::{Money, PaymentId};

use crate::{AuditSource, Watermark};

/// Payment intent at the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderIntent {
    /// Intent id at the provider.
    pub id: String,
    /// Payment id in the intent's metadata.
    pub payment: Option<PaymentId>,
    /// Captured amount.
    pub received: Money,
    /// Refunded amount, with refunds in progress.
    pub refunded: Money,
}

/// Rows that an audit compares.
#[derive(Clone, Debug, Default)]
pub struct AuditSnapshot {
    /// Products.
    pub products: Vec<ProductAudit>,
    /// Orders.
    pub orders: Vec<OrderAudit>,
    /// Payments.
    pub payments: Vec<PaymentAudit>,
    /// Provider's intents; `None` if the provider is not configured.
    pub provider: Option<Vec<ProviderIntent>>,
    /// Outbox state, by service.
    pub outboxes: BTreeMap<String, OutboxState>,
    /// Number of dead letters, by queue; `None` if they may not be read.
    pub dead_letters: Option<BTreeMap<String, usize>>,
}

/// Totals of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub products: usize,
    pub pieces_available: i64,
    pub pieces_reserved: i64,
    pub pieces_sold: i64,
    pub orders: usize,
    pub payments: usize,
    pub captured_cents: i64,
    pub refunded_cents: i64,
    /// Amount owed to customers that awaits the next attempt or a person.
    pub awaiting_cents: i64,
    /// Amount refunded manually, outside the provider.
    pub outside_cents: i64,
    pub provider_intents: usize,
    pub provider_received_cents: i64,
    pub provider_refunded_cents: i64,
}

impl AuditSnapshot {
    /// Reads a snapshot. The lists are read in reverse order of cause and effect, so that a change during the read is
    /// missed instead of half seen.
    ///
    /// # Errors
    /// If a read fails.
    pub async fn read<S: AuditSource>(source: &S) -> Result<Self, S::Error> {
        let outboxes = source.outboxes().await?;
        let dead_letters = source.dead_letters().await?;
        let provider = source.provider_intents().await?;
        let payments = all(|watermark| source.payments(watermark), |row| row.id).await?;
        let orders = all(|watermark| source.orders(watermark), |row| row.id).await?;
        let products = all(|watermark| source.products(watermark), |row| row.id).await?;
        Ok(Self { products, orders, payments, provider, outboxes, dead_letters })
    }

    /// Returns the totals.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let provider = self.provider.as_deref().unwrap_or_default();
        let cents = |amounts: &mut dyn Iterator<Item = Money>| amounts.map(Money::cents).sum();
        Totals {
            products: self.products.len(),
            pieces_available: self.products.iter().map(|product| product.available).sum(),
            pieces_reserved: self.products.iter().map(|product| product.reserved).sum(),
            pieces_sold: self.products.iter().map(|product| product.sold).sum(),
            orders: self.orders.len(),
            payments: self.payments.len(),
            captured_cents: cents(&mut self.payments.iter().map(|payment| payment.captured)),
            refunded_cents: cents(&mut self.payments.iter().map(|payment| payment.refunded)),
            awaiting_cents: cents(&mut self.payments.iter().map(|payment| payment.awaiting)),
            outside_cents: cents(&mut self.payments.iter().map(|payment| payment.refunded_outside)),
            provider_intents: provider.len(),
            provider_received_cents: cents(&mut provider.iter().map(|intent| intent.received)),
            provider_refunded_cents: cents(&mut provider.iter().map(|intent| intent.refunded)),
        }
    }
}

/// Reads all pages of a list.
async fn all<Row, Id: Copy, E, F>(
    mut page: impl FnMut(Watermark<Id>) -> F,
    id: impl Fn(&Row) -> Id,
) -> Result<Vec<Row>, E>
where
    F: Future<Output = Result<Vec<Row>, E>>,
{
    let (mut rows, mut watermark) = (Vec::new(), Watermark::default());
    loop {
        let next = page(watermark).await?;
        let Some(last) = next.last() else { return Ok(rows) };
        watermark.advance(id(last));
        rows.extend(next);
    }
}
