//! Rules that change an order.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::Event;
use contracts::api::OrderStatus;
use contracts::event::{OrderCancelled, OrderUpdated};
use serde_json::Value;

use super::Order;
use crate::domain::{AddressUpdate, OrderError, Tracking, can_transition_to};

/// Cancellation reason of orders without a payment by the deadline.
pub const PAYMENT_DEADLINE_EXCEEDED: &str = "Payment deadline exceeded";
/// Cancellation reason of unpaid orders of a deleted account.
pub const ACCOUNT_DELETED: &str = "Account deleted";

/// Role in which a caller changes an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Role: customer who placed the order.
    Customer,
    /// Role: service of the fleet.
    Service,
    /// Role: admin.
    Admin,
}

/// Requested changes of an order; a field that is `None` stays unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderUpdate {
    /// New status.
    pub status: Option<OrderStatus>,
    /// Changed fields of the shipping address.
    pub shipping_address: Option<AddressUpdate>,
    /// New notes; `Some(None)` removes them.
    pub notes: Option<Option<String>>,
    /// New metadata; `Some(None)` removes it.
    pub metadata: Option<Option<String>>,
    /// New tracking; `Some(None)` removes it.
    pub tracking: Option<Option<Tracking>>,
    /// New staff notes; `Some(None)` removes them.
    pub staff_notes: Option<Option<String>>,
}

impl Order {
    /// Applies the requested changes. Fields that already have the requested value are not a change.
    ///
    /// # Errors
    /// [`OrderError::StatusReadOnly`] or [`OrderError::NotChangeable`] for a customer, [`OrderError::AdminOnly`] for others
    /// than admins, [`OrderError::InvalidTransition`], [`OrderError::NotShipped`].
    pub fn update(&mut self, by: Role, update: OrderUpdate, now: DateTime<Utc>) -> Result<Vec<Event>, OrderError> {
        let status = update.status.filter(|status| *status != self.status);
        let shipping_address = update.shipping_address.map(|address| address.merged_into(&self.shipping_address));
        let shipping_address = shipping_address.filter(|address| *address != self.shipping_address);
        let notes = update.notes.filter(|notes| *notes != self.notes);
        let metadata = update.metadata.filter(|metadata| !is_same_json(metadata.as_deref(), self.metadata.as_deref()));
        let details = shipping_address.is_some() || notes.is_some() || metadata.is_some();
        let tracking = update.tracking.filter(|tracking| *tracking != self.tracking);
        // Staff notes are rejected even if they are unchanged, which would reveal them.
        if by != Role::Admin && (tracking.is_some() || update.staff_notes.is_some()) {
            return Err(OrderError::AdminOnly);
        }
        let staff_notes = update.staff_notes.filter(|notes| *notes != self.staff_notes);
        if by == Role::Customer {
            if status.is_some() {
                return Err(OrderError::StatusReadOnly);
            }
            if details && !self.is_changeable() {
                return Err(OrderError::NotChangeable);
            }
        }
        let invalid = status.filter(|to| !can_transition_to(self.status, *to));
        if let Some(to) = invalid {
            return Err(OrderError::InvalidTransition { from: self.status, to });
        }
        let is_shipped = matches!(status.unwrap_or(self.status), OrderStatus::Shipped | OrderStatus::Delivered);
        if tracking.is_some() && !is_shipped {
            return Err(OrderError::NotShipped);
        }
        if let Some(notes) = staff_notes {
            self.staff_notes = notes;
            self.updated_at = now;
        }
        // Neither events nor the timeline report staff notes.
        if status.is_none() && !details && tracking.is_none() {
            return Ok(Vec::new());
        }
        self.tracking = tracking.unwrap_or_else(|| self.tracking.take());
        self.shipping_address = shipping_address.unwrap_or_else(|| self.shipping_address.clone());
        self.notes = notes.unwrap_or_else(|| self.notes.take());
        self.metadata = metadata.unwrap_or_else(|| self.metadata.take());
        if status == Some(OrderStatus::Cancelled) {
            return Ok(vec![self.transition_to_cancelled(None, now)]);
        }
        Ok(vec![self.transition_to(status.unwrap_or(self.status), now)])
    }

    /// Cancels the order and appends the reason to its notes.
    ///
    /// # Errors
    /// [`OrderError::NotCancellable`]: customers cancel before fulfilment has begun, staff before shipment.
    pub fn cancel(&mut self, by: Role, reason: Option<String>, now: DateTime<Utc>) -> Result<Vec<Event>, OrderError> {
        let fulfilment_begun = by == Role::Customer && !self.is_changeable();
        if fulfilment_begun || !can_transition_to(self.status, OrderStatus::Cancelled) {
            return Err(OrderError::NotCancellable);
        }
        Ok(vec![self.transition_to_cancelled(reason, now)])
    }

    /// Cancels the order if its payment is overdue.
    pub fn cancel_if_overdue(&mut self, deadline: TimeDelta, now: DateTime<Utc>) -> Vec<Event> {
        if self.payment_due_at(deadline).is_none_or(|due| due > now) {
            return Vec::new();
        }
        vec![self.transition_to_cancelled(Some(PAYMENT_DEADLINE_EXCEEDED.to_owned()), now)]
    }

    /// Cancels the order for `reason` if it has no captured payment and fulfilment has not begun.
    pub fn cancel_unpaid(&mut self, reason: &str, now: DateTime<Utc>) -> Vec<Event> {
        if self.awaits_payment() {
            vec![self.transition_to_cancelled(Some(reason.to_owned()), now)]
        } else {
            Vec::new()
        }
    }

    fn transition_to_cancelled(&mut self, reason: Option<String>, now: DateTime<Utc>) -> Event {
        if let Some(reason) = &reason {
            let before = self.notes.take().map(|notes| notes + "\n").unwrap_or_default();
            self.notes = Some(format!("{before}Cancellation reason: {reason}"));
        }
        self.status = OrderStatus::Cancelled;
        self.updated_at = now;
        Event::OrderCancelled(OrderCancelled { order_id: self.id, reason, items: self.lines(), timestamp: now })
    }

    /// Sets a status that is allowed after the current one, or equal to it.
    pub(in crate::domain) fn transition_to(&mut self, status: OrderStatus, now: DateTime<Utc>) -> Event {
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
}

/// Returns whether two texts are the same JSON, regardless of layout.
fn is_same_json(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    one == other || one.and_then(read).zip(other.and_then(read)).is_some_and(|(one, other)| one == other)
}
