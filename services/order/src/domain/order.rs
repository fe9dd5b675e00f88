//! An order and what may be done with it.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::calls::{OrderPaymentStatus, OrderStatus};
use contracts::event::{Line, OrderCancelled, OrderCreated, OrderUpdated};
use contracts::{Event, ItemId, Money, OrderId, ProductId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, AddressChange, CustomerInfo, OrderNumber, Payment, Refusal, Totals, leads_to, payment_status};

/// Why an order that nobody paid in time is cancelled.
pub const PAYMENT_DEADLINE_EXCEEDED: &str = "Payment deadline exceeded";
/// Cancellation reason of unpaid orders of a deleted account.
pub const ACCOUNT_DELETED: &str = "Account deleted";
/// Time from placement for which an order waits at the most while the provider is processing a payment of it.
pub const MAX_PROCESSING_WAIT: TimeDelta = TimeDelta::hours(24);

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "most names are those of the order's fields in the contract")]
pub struct Order {
    pub id: OrderId,
    pub number: OrderNumber,
    pub user_id: UserId,
    pub status: OrderStatus,
    pub totals: Totals,
    /// ISO 4217.
    pub currency: String,
    pub customer_info: CustomerInfo,
    pub shipping_address: Address,
    pub billing_address: Option<Address>,
    pub items: Vec<Item>,
    /// Oldest first; those that only a refund told of come last.
    pub payments: Vec<Payment>,
    pub notes: Option<String>,
    /// The client's own data: the text of a JSON object.
    pub metadata: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
}

/// A product in an order, as it was then.
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

/// What is kept of a product beside what the order shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its description.
    pub description: String,
    /// All of it as the product service answered it: the text of a JSON object.
    pub product: String,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the order's fields in the contract")]
pub struct Draft {
    pub user_id: UserId,
    /// One for each product.
    pub lines: Vec<Line>,
    pub customer_info: CustomerInfo,
    pub shipping_address: Address,
    pub billing_address: Option<Address>,
    pub notes: Option<String>,
    pub metadata: Option<String>,
    /// The total that the client showed to the customer; another one is rejected.
    pub expected_total: Option<Money>,
}

/// An order that is about to be written for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// A snapshot for each of its items.
    pub snapshots: Vec<Snapshot>,
    /// Who places it: the subject of the token.
    pub placed_by: String,
    /// The idempotency key of the request, if it has one.
    pub idempotency_key: Option<String>,
}

/// Who changes an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The person who placed it.
    Owner,
    /// An admin or a service.
    Shop,
}

/// What is to be changed; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The new status.
    pub status: Option<OrderStatus>,
    /// New parts of the address that it is sent to.
    pub shipping_address: Option<AddressChange>,
    /// The new notes, or none any more.
    pub notes: Option<Option<String>>,
    /// The new metadata, or none any more.
    pub metadata: Option<Option<String>>,
}

impl Order {
    /// A new order of these items.
    ///
    /// # Errors
    /// [`Refusal::TotalTooLarge`]
    pub fn new(
        (id, number): (OrderId, OrderNumber),
        draft: Draft,
        items: Vec<Item>,
        currency: String,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            id,
            number,
            user_id: draft.user_id,
            status: OrderStatus::Pending,
            totals: Totals::of(items.iter().map(|item| item.total_price))?,
            currency,
            customer_info: draft.customer_info,
            shipping_address: draft.shipping_address,
            billing_address: draft.billing_address,
            items,
            payments: Vec::new(),
            notes: draft.notes,
            metadata: draft.metadata,
            created_at: now,
            updated_at: now,
            shipped_at: None,
            delivered_at: None,
        })
    }

    /// That it was placed.
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

    /// How far its payment is.
    #[must_use]
    pub fn payment_status(&self) -> OrderPaymentStatus {
        payment_status(&self.payments, self.totals.total, &self.currency)
    }

    /// What was captured and counts for it.
    #[must_use]
    pub fn captured(&self) -> Money {
        self.payments.iter().map(|payment| payment.counted(&self.currency)).sum()
    }

    /// What is still to be paid.
    #[must_use]
    pub fn owed(&self) -> Money {
        self.totals.total.minus_or_zero(self.captured())
    }

    /// Changes it; what is as it should be already is no change.
    ///
    /// # Errors
    /// If its owner wants to change the status, or anything once it is being packed, or the status does not lead there.
    pub fn update(&mut self, by: Actor, change: Change, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let status = change.status.filter(|status| *status != self.status);
        let shipping_address = change.shipping_address.map(|address| address.merged_into(&self.shipping_address));
        let shipping_address = shipping_address.filter(|address| *address != self.shipping_address);
        let notes = change.notes.filter(|notes| *notes != self.notes);
        let metadata = change.metadata.filter(|metadata| !is_same_json(metadata.as_deref(), self.metadata.as_deref()));
        let details = shipping_address.is_some() || notes.is_some() || metadata.is_some();
        if by == Actor::Owner {
            if status.is_some() {
                return Err(Refusal::StatusIsTheShops);
            }
            if details && !self.is_changeable() {
                return Err(Refusal::NotChangeable);
            }
        }
        let invalid = status.filter(|to| !leads_to(self.status, *to));
        if let Some(to) = invalid {
            return Err(Refusal::InvalidTransition { from: self.status, to });
        }
        if status.is_none() && !details {
            return Ok(Vec::new());
        }
        self.shipping_address = shipping_address.unwrap_or_else(|| self.shipping_address.clone());
        self.notes = notes.unwrap_or_else(|| self.notes.take());
        self.metadata = metadata.unwrap_or_else(|| self.metadata.take());
        if status == Some(OrderStatus::Cancelled) {
            return Ok(vec![self.give_up(None, now)]);
        }
        Ok(vec![self.go_on(status.unwrap_or(self.status), now)])
    }

    /// Cancels it; the reason is added to its notes.
    ///
    /// # Errors
    /// [`Refusal::NotCancellable`] if it is cancelled already or too far on: for its owner once it is being packed, for
    /// the shop once it is on its way.
    pub fn cancel(&mut self, by: Actor, reason: Option<String>, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let late = by == Actor::Owner && !self.is_changeable();
        if late || !leads_to(self.status, OrderStatus::Cancelled) {
            return Err(Refusal::NotCancellable);
        }
        Ok(vec![self.give_up(reason, now)])
    }

    /// Returns when the order is cancelled unless it is paid by then; `None` where nothing is waited for. `deadline` is
    /// the time from placement, which is extended to [`MAX_PROCESSING_WAIT`] while the provider is processing a payment.
    #[must_use]
    pub fn payment_due_at(&self, deadline: TimeDelta) -> Option<DateTime<Utc>> {
        if !self.awaits_payment() {
            return None;
        }
        let processing = self.payment_status() == OrderPaymentStatus::Processing;
        Some(self.created_at + if processing { deadline.max(MAX_PROCESSING_WAIT) } else { deadline })
    }

    /// Cancels the order if its payment is overdue.
    pub fn expire(&mut self, deadline: TimeDelta, now: DateTime<Utc>) -> Vec<Event> {
        if self.payment_due_at(deadline).is_none_or(|due| due > now) {
            return Vec::new();
        }
        vec![self.give_up(Some(PAYMENT_DEADLINE_EXCEEDED.to_owned()), now)]
    }

    /// Cancels the order for `reason` if nothing was paid for it and nobody has begun to pack it.
    pub fn cancel_unpaid(&mut self, reason: &str, now: DateTime<Utc>) -> Vec<Event> {
        if self.awaits_payment() { vec![self.give_up(Some(reason.to_owned()), now)] } else { Vec::new() }
    }

    /// Returns whether the order holds stock that nothing was paid for yet.
    fn awaits_payment(&self) -> bool {
        self.is_changeable() && self.captured().is_zero()
    }

    /// Whether nobody has begun to pack it.
    const fn is_changeable(&self) -> bool {
        matches!(self.status, OrderStatus::Pending | OrderStatus::Confirmed)
    }

    fn give_up(&mut self, reason: Option<String>, now: DateTime<Utc>) -> Event {
        if let Some(reason) = &reason {
            let before = self.notes.take().map(|notes| notes + "\n").unwrap_or_default();
            self.notes = Some(format!("{before}Cancellation reason: {reason}"));
        }
        self.status = OrderStatus::Cancelled;
        self.updated_at = now;
        Event::OrderCancelled(OrderCancelled { order_id: self.id, reason, items: self.lines(), timestamp: now })
    }

    /// Goes on to a status that the one it has leads to, or stays.
    pub(super) fn go_on(&mut self, status: OrderStatus, now: DateTime<Utc>) -> Event {
        if status != self.status {
            match status {
                OrderStatus::Shipped => self.shipped_at = Some(now),
                OrderStatus::Delivered => self.delivered_at = Some(now),
                _ => {}
            }
        }
        self.status = status;
        self.updated_at = now;
        Event::OrderUpdated(OrderUpdated { order_id: self.id, status, timestamp: now })
    }

    /// Returns the number of pieces in all lines together.
    #[must_use]
    pub fn pieces(&self) -> i64 {
        self.items.iter().map(|item| item.quantity).sum()
    }

    /// How many pieces of which products.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.items.iter().map(|item| Line { product_id: item.product_id, quantity: item.quantity }).collect()
    }
}

/// Whether two texts are the same JSON, however it is laid out.
fn is_same_json(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    one == other || one.and_then(read).zip(other.and_then(read)).is_some_and(|(one, other)| one == other)
}

#[cfg(test)]
pub(super) mod tests;
