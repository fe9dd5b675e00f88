//! What the services and the provider say of goods and money at about one moment.

use std::collections::BTreeMap;

use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::calls::OutboxState;
use contracts::{Money, PaymentId};

/// An intent at the provider, with what became of its money.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProviderIntent {
    /// Its id at the provider.
    pub(crate) id: String,
    /// Our payment, as the intent's metadata names it.
    pub(crate) payment: Option<PaymentId>,
    /// What was taken.
    pub(crate) received: Money,
    /// What was given back, or is about to be.
    pub(crate) refunded: Money,
}

/// Everything that an audit compares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) products: Vec<ProductAudit>,
    pub(crate) orders: Vec<OrderAudit>,
    pub(crate) payments: Vec<PaymentAudit>,
    /// The provider's list; `None` if nobody said how to ask for it.
    pub(crate) provider: Option<Vec<ProviderIntent>>,
    pub(crate) outboxes: BTreeMap<String, OutboxState>,
    /// How many messages were given up, by queue.
    pub(crate) dead_letters: BTreeMap<String, usize>,
}

/// What was compared, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) products: usize,
    pub(crate) pieces_available: i64,
    pub(crate) pieces_reserved: i64,
    pub(crate) pieces_sold: i64,
    pub(crate) orders: usize,
    pub(crate) payments: usize,
    pub(crate) captured_cents: i64,
    pub(crate) refunded_cents: i64,
    /// What is owed back and waits for the next attempt, or for a person.
    pub(crate) awaiting_cents: i64,
    /// What was given back by hand, outside the provider.
    pub(crate) outside_cents: i64,
    pub(crate) provider_intents: usize,
    pub(crate) provider_received_cents: i64,
    pub(crate) provider_refunded_cents: i64,
}

impl Books {
    /// The numbers.
    pub(crate) fn sums(&self) -> Sums {
        let provider = self.provider.as_deref().unwrap_or_default();
        let cents = |amounts: &mut dyn Iterator<Item = Money>| amounts.map(Money::cents).sum();
        Sums {
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
