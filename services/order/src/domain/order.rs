//! Order aggregate.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::api::{OrderPaymentStatus, OrderStatus};
use contracts::event::{Line, OrderCreated};
use contracts::{Event, ItemId, Money, OrderId, ProductId, UserId};
use serde::{Deserialize, Serialize};

use super::{
    Address, CustomerInfo, OrderDraft, OrderError, OrderNumber, PaymentProjection, Totals, Tracking, payment_status,
};

mod lifecycle;

pub use lifecycle::{ACCOUNT_DELETED, OrderUpdate, PAYMENT_DEADLINE_EXCEEDED, Role};

/// Maximum time from placement until an unpaid order is cancelled while the provider is processing a payment.
pub const MAX_PROCESSING_WAIT: TimeDelta = TimeDelta::hours(24);

/// Order with its items and the projections of its payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "most names are those of the order's fields in the contract")]
pub struct Order {
    pub id: OrderId,
    pub number: OrderNumber,
    pub user_id: UserId,
    pub status: OrderStatus,
    pub totals: Totals,
    /// Currency code (ISO 4217).
    pub currency: String,
    pub customer_info: CustomerInfo,
    pub shipping_address: Address,
    pub billing_address: Option<Address>,
    pub items: Vec<Item>,
    /// Payments, oldest first; payments that are known from a refund only come last.
    pub payments: Vec<PaymentProjection>,
    pub notes: Option<String>,
    /// Client-defined data: the text of a JSON object.
    pub metadata: Option<String>,
    /// Tracking of the parcel; never before the order is shipped.
    pub tracking: Option<Tracking>,
    /// Notes that only admins read and write.
    pub staff_notes: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
}

/// Ordered product with its name and price at the time of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the item's fields in the contract")]
pub struct Item {
    pub id: ItemId,
    pub product_id: ProductId,
    pub product_name: String,
    pub product_sku: Option<String>,
    pub unit_price: Money,
    pub quantity: i64,
    pub total_price: Money,
}

impl Order {
    /// Creates a pending order of these items.
    ///
    /// # Errors
    /// [`OrderError::TotalTooLarge`]
    pub fn new(
        (id, number): (OrderId, OrderNumber),
        draft: OrderDraft,
        items: Vec<Item>,
        currency: String,
        now: DateTime<Utc>,
    ) -> Result<Self, OrderError> {
        Ok(Self {
            id,
            number,
            user_id: draft.user_id,
            status: OrderStatus::Pending,
            totals: Totals::calculate(items.iter().map(|item| item.total_price))?,
            currency,
            customer_info: draft.customer_info,
            shipping_address: draft.shipping_address,
            billing_address: draft.billing_address,
            items,
            payments: Vec::new(),
            notes: draft.notes,
            metadata: draft.metadata,
            tracking: None,
            staff_notes: None,
            created_at: now,
            updated_at: now,
            shipped_at: None,
            delivered_at: None,
        })
    }

    /// Returns the event that announces the placed order.
    #[must_use]
    pub fn created_event(&self) -> Event {
        Event::OrderCreated(OrderCreated {
            order_id: self.id,
            order_number: self.number.to_string(),
            user_id: self.user_id,
            total_amount: self.totals.total,
            items_count: self.items.len(),
            items: self.lines(),
            timestamp: self.created_at,
        })
    }

    /// Returns the status of the payment of the order.
    #[must_use]
    pub fn payment_status(&self) -> OrderPaymentStatus {
        payment_status(&self.payments, self.totals.total, &self.currency)
    }

    /// Returns the captured amount that counts toward the total.
    #[must_use]
    pub fn captured_amount(&self) -> Money {
        self.payments.iter().map(|payment| payment.counted_amount(&self.currency)).sum()
    }

    /// Returns the amount that remains to be paid.
    #[must_use]
    pub fn amount_due(&self) -> Money {
        self.totals.total.saturating_sub(self.captured_amount())
    }

    /// Returns the time at which the order is cancelled unless it is paid by then; `None` if no payment is awaited.
    /// `deadline` is the time from placement, extended to [`MAX_PROCESSING_WAIT`] while the provider is processing a
    /// payment.
    #[must_use]
    pub fn payment_due_at(&self, deadline: TimeDelta) -> Option<DateTime<Utc>> {
        if !self.awaits_payment() {
            return None;
        }
        let processing = self.payment_status() == OrderPaymentStatus::Processing;
        Some(self.created_at + if processing { deadline.max(MAX_PROCESSING_WAIT) } else { deadline })
    }

    /// Returns the total number of pieces in all lines.
    #[must_use]
    pub fn pieces(&self) -> i64 {
        self.items.iter().map(|item| item.quantity).sum()
    }

    /// Returns the ordered quantities by product.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.items.iter().map(|item| Line { product_id: item.product_id, quantity: item.quantity }).collect()
    }

    /// Returns whether the order holds stock and has no captured payment.
    fn awaits_payment(&self) -> bool {
        self.is_changeable() && self.captured_amount().is_zero()
    }

    /// Returns whether fulfilment has not begun.
    const fn is_changeable(&self) -> bool {
        matches!(self.status, OrderStatus::Pending | OrderStatus::Confirmed)
    }
}

#[cfg(test)]
pub(super) mod tests;
