//! What happened to an order, entry by entry, as people and programs read it afterwards.

use chrono::{DateTime, Utc};
use common::effects::{Effects, NewEvent};
use common::store::StoreError;
use contracts::{Envelope, Event, EventId, OrderId};

/// Something that happened to an order, its reservation, its payments or their refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// To which order; it may not exist yet, or never.
    pub order_id: OrderId,
    /// When.
    pub at: DateTime<Utc>,
    /// The event's kind, such as `payment.completed`.
    pub kind: String,
    /// For people, in one line.
    pub summary: String,
    /// Who told.
    pub service: String,
    /// The event.
    pub event_id: EventId,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// The event's data: the text of a JSON object.
    pub data: String,
}

/// What is written with a change of an order: effects, and the entries that stand in its timeline for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Events, the message that was handled, and the answer of a request with a key.
    pub effects: Effects,
    /// Entries of the timeline.
    pub entries: Vec<Entry>,
}

impl Written {
    /// These effects, with an entry for each event of theirs.
    ///
    /// # Errors
    /// Never in practice: events are plain structs.
    pub fn of(effects: Effects, service: &str) -> Result<Self, StoreError> {
        let entry = |new: &NewEvent| Entry::caused(new, service);
        let entries = effects.events.iter().filter_map(|new| entry(new).transpose()).collect::<Result<_, _>>()?;
        Ok(Self { effects, entries })
    }

    /// These, and what was heard before them.
    #[must_use]
    pub fn hearing(mut self, heard: Option<Entry>) -> Self {
        self.entries.splice(0..0, heard);
        self
    }
}

impl Entry {
    /// The entry of an event of our own; `None` if it is about no order.
    fn caused(new: &NewEvent, service: &str) -> Result<Option<Self>, StoreError> {
        let Some(order_id) = order_of(&new.event) else { return Ok(None) };
        let data = new.event.data().map_err(|error| StoreError::Fault(error.into()))?;
        Ok(Some(Self {
            order_id,
            at: new.at,
            kind: new.event.event_type().as_str().to_owned(),
            summary: summary(&new.event),
            service: service.to_owned(),
            event_id: new.id,
            trace_id: new.traceparent.as_deref().and_then(trace_of),
            data: data.get().to_owned(),
        }))
    }

    /// The entry of an event that another service told; `None` if it is about no order.
    #[must_use]
    pub fn heard(event: &Event, envelope: &Envelope, trace_id: Option<String>) -> Option<Self> {
        Some(Self {
            order_id: order_of(event)?,
            at: envelope.timestamp,
            kind: envelope.event_type.clone(),
            summary: summary(event),
            service: envelope.service.clone(),
            event_id: envelope.id,
            trace_id,
            data: envelope.data.get().to_owned(),
        })
    }
}

/// The trace id of a `traceparent` (W3C trace context).
fn trace_of(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

fn order_of(event: &Event) -> Option<OrderId> {
    Some(match event {
        Event::OrderCreated(created) => created.order_id,
        Event::OrderUpdated(updated) => updated.order_id,
        Event::OrderCancelled(cancelled) => cancelled.order_id,
        Event::StockReserved(changed)
        | Event::StockReleased(changed)
        | Event::StockCommitted(changed)
        | Event::StockExpired(changed) => changed.order_id,
        Event::PaymentCreated(changed)
        | Event::PaymentProcessing(changed)
        | Event::PaymentCompleted(changed)
        | Event::PaymentFailed(changed)
        | Event::PaymentCancelled(changed) => changed.order_id,
        Event::PaymentRefunded(refunded) => refunded.order_id,
        _ => return None,
    })
}

fn summary(event: &Event) -> String {
    match event {
        Event::OrderCreated(created) => {
            format!(
                "Order {} was placed: {} lines, {} in all",
                created.order_number, created.items_count, created.total_amount
            )
        }
        Event::OrderUpdated(updated) => format!("The order is {}", updated.status),
        Event::OrderCancelled(cancelled) => match &cancelled.reason {
            Some(reason) => format!("The order was cancelled: {reason}"),
            None => "The order was cancelled".to_owned(),
        },
        Event::StockReserved(_) => "The goods were reserved".to_owned(),
        Event::StockReleased(_) => "The goods were given back".to_owned(),
        Event::StockCommitted(_) => "The goods were sold".to_owned(),
        Event::StockExpired(_) => "The reservation ran out, and the goods were given back".to_owned(),
        Event::PaymentCreated(changed) => {
            format!("A payment of {} {} by {} was begun", changed.amount, changed.currency, changed.method)
        }
        Event::PaymentProcessing(changed) => format!("{} {} are being taken", changed.amount, changed.currency),
        Event::PaymentCompleted(changed) => format!("{} {} were taken", changed.amount, changed.currency),
        Event::PaymentFailed(changed) => format!("A payment of {} {} failed", changed.amount, changed.currency),
        Event::PaymentCancelled(changed) => {
            format!("A payment of {} {} was given up", changed.amount, changed.currency)
        }
        Event::PaymentRefunded(refunded) => {
            let reason = refunded.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} were given back{reason}", refunded.refund_amount)
        }
        other => other.event_type().as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::calls::OrderStatus;
    use contracts::event::{OrderUpdated, UserDeleted};

    #[test]
    fn events_about_orders_stand_in_the_timeline_and_others_do_not() {
        let now = DateTime::UNIX_EPOCH;
        let id = OrderId::generate(now);
        let updated =
            Event::OrderUpdated(OrderUpdated { order_id: id, status: OrderStatus::Confirmed, timestamp: now });
        let deleted = Event::UserDeleted(UserDeleted { user_id: contracts::UserId::generate(now) });
        let mut effects = Effects::of(now, updated).with(now, deleted);
        effects.events[0].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let written = Written::of(effects, "order-service").unwrap();
        let [entry] = &written.entries[..] else { panic!("{:?}", written.entries) };
        assert_eq!((entry.order_id, entry.summary.as_str()), (id, "The order is confirmed"));
        assert_eq!(entry.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(entry.data.contains("confirmed"));
    }
}
