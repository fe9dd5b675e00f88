//! Timeline of an order: its events in a form for people and programs.

use chrono::{DateTime, Utc};
use contracts::{Envelope, Event, EventId, OrderId};

mod repeated_refunds;
mod summary;

pub use repeated_refunds::mark_repeated_refunds;
use summary::summary;

/// Event of an order, its reservation, its payments or their refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Order of the entry, which may not exist yet or ever.
    pub order_id: OrderId,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Event type, such as `payment.completed`.
    pub kind: String,
    /// Description in one line.
    pub summary: String,
    /// Service that published the event.
    pub service: String,
    /// Id of the event.
    pub event_id: EventId,
    /// Trace in which the event was published.
    pub trace_id: Option<String>,
    /// Data of the event: the text of a JSON object.
    pub data: String,
}

impl TimelineEntry {
    /// Creates the entry of an event that `service` publishes itself; `None` if the event concerns no order.
    ///
    /// # Errors
    /// Never in practice: events are plain structs.
    pub fn from_published(
        (event_id, event): (EventId, &Event),
        at: DateTime<Utc>,
        traceparent: Option<&str>,
        service: &str,
    ) -> serde_json::Result<Option<Self>> {
        let Some(order_id) = event.order_id() else { return Ok(None) };
        Ok(Some(Self {
            order_id,
            at,
            kind: event.event_type().as_str().to_owned(),
            summary: summary(event),
            service: service.to_owned(),
            event_id,
            trace_id: traceparent.and_then(trace_id_of),
            data: event.data()?.get().to_owned(),
        }))
    }

    /// Creates the entry of an event received from another service; `None` if the event concerns no order.
    #[must_use]
    pub fn from_received(event: &Event, envelope: &Envelope, trace_id: Option<String>) -> Option<Self> {
        Some(Self {
            order_id: event.order_id()?,
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

/// Returns the trace id of a `traceparent` (W3C trace context).
fn trace_id_of(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use contracts::api::OrderStatus;
    use contracts::event::{OrderUpdated, UserDeleted};

    use super::*;

    #[test]
    fn events_of_orders_become_entries_and_others_do_not() {
        let now = DateTime::UNIX_EPOCH;
        let (id, event_id) = (OrderId::generate(now), EventId::generate(now));
        let updated =
            Event::OrderUpdated(OrderUpdated { order_id: id, status: OrderStatus::Confirmed, timestamp: now });
        let deleted = Event::UserDeleted(UserDeleted { user_id: contracts::UserId::generate(now) });
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let entry =
            |event| TimelineEntry::from_published((event_id, event), now, traceparent, "order-service").unwrap();
        assert_eq!(entry(&deleted), None);
        let entry = entry(&updated).unwrap();
        assert_eq!((entry.order_id, entry.summary.as_str()), (id, "Order status: confirmed"));
        assert_eq!(entry.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(entry.data.contains("confirmed"));
    }
}
