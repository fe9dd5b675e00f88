//! Timeline of an order: its events in a form for people and programs.

use chrono::{DateTime, Utc};
use contracts::{Actor, Envelope, Event, EventId, EventType, OrderId};
use serde::Deserialize;
use serde_json::{Map, Value};

mod repeated_refunds;
mod summary;

pub use repeated_refunds::mark_repeated_refunds;
use summary::summary;

use super::Tracking;

/// Event of an order, its reservation, its payments or their refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Order of the entry, which may not exist yet or ever.
    pub order_id: OrderId,
    /// Number within the order, from 1 without gaps; `None` until the entry is stored.
    pub seq: Option<i64>,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Event type, such as `payment.completed`.
    pub kind: String,
    /// Description in one line.
    pub summary: String,
    /// Service that published the event.
    pub service: String,
    /// Caller that caused the event.
    pub actor: Actor,
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
        (service, actor): (&str, &Actor),
    ) -> serde_json::Result<Option<Self>> {
        let Some(order_id) = event.order_id() else { return Ok(None) };
        Ok(Some(Self {
            order_id,
            seq: None,
            at,
            kind: event.event_type().as_str().to_owned(),
            summary: summary(event),
            service: service.to_owned(),
            actor: actor.clone(),
            event_id,
            trace_id: traceparent.and_then(trace_id_of),
            data: event.data()?.get().to_owned(),
        }))
    }

    /// Creates the entry of an event received from another service, caused by the actor that the event names, otherwise by
    /// the system; `None` if the event concerns no order.
    #[must_use]
    pub fn from_received(event: &Event, envelope: &Envelope, trace_id: Option<String>) -> Option<Self> {
        Some(Self {
            order_id: event.order_id()?,
            seq: None,
            at: envelope.timestamp,
            kind: envelope.event_type.clone(),
            summary: summary(event),
            service: envelope.service.clone(),
            actor: named_actor(envelope),
            event_id: envelope.id,
            trace_id,
            data: envelope.data.get().to_owned(),
        })
    }

    /// Adds a change of the tracking to the entry of the event that reports it.
    ///
    /// # Errors
    /// Never in practice: the data of an event is an object.
    pub fn add_tracking(&mut self, tracking: Option<&Tracking>) -> serde_json::Result<()> {
        if self.kind != EventType::OrderUpdated.as_str() {
            return Ok(());
        }
        let change = tracking
            .map_or_else(|| "removed".to_owned(), |Tracking { carrier, number, .. }| format!("{carrier} {number}"));
        self.summary = format!("{}; tracking: {change}", self.summary);
        let mut data: Map<String, Value> = serde_json::from_str(&self.data)?;
        data.insert("tracking".to_owned(), serde_json::to_value(tracking)?);
        self.data = serde_json::to_string(&data)?;
        Ok(())
    }
}

/// Returns the actor that an event names in its data; the system if it names none.
#[must_use]
pub fn named_actor(envelope: &Envelope) -> Actor {
    #[derive(Deserialize)]
    struct Named {
        actor: Option<Actor>,
    }
    let named = serde_json::from_str::<Named>(envelope.data.get());
    named.ok().and_then(|named| named.actor).unwrap_or_default()
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
        let entry = |event| {
            TimelineEntry::from_published((event_id, event), now, traceparent, ("order-service", &Actor::System))
                .unwrap()
        };
        assert_eq!(entry(&deleted), None);
        let entry = entry(&updated).unwrap();
        assert_eq!((entry.order_id, entry.summary.as_str()), (id, "Order status: confirmed"));
        assert_eq!(entry.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(entry.data.contains("confirmed"));
    }

    fn updated(id: OrderId) -> Event {
        let (status, timestamp) = (OrderStatus::Shipped, DateTime::UNIX_EPOCH);
        Event::OrderUpdated(OrderUpdated { order_id: id, status, timestamp })
    }

    #[test]
    fn change_of_the_tracking_is_a_part_of_the_entry() {
        let now = DateTime::UNIX_EPOCH;
        let (id, event_id) = (OrderId::generate(now), EventId::generate(now));
        let entry =
            TimelineEntry::from_published((event_id, &updated(id)), now, None, ("order-service", &Actor::System));
        let entry = entry.unwrap().unwrap();
        let tracking = Tracking { carrier: "DHL".to_owned(), number: "0034".to_owned(), url: None };
        let mut set = entry.clone();
        set.add_tracking(Some(&tracking)).unwrap();
        assert_eq!(set.summary, "Order status: shipped; tracking: DHL 0034");
        let data: Value = serde_json::from_str(&set.data).unwrap();
        assert_eq!((&data["tracking"]["number"], &data["status"]), (&"0034".into(), &"shipped".into()));
        let mut removed = entry;
        removed.add_tracking(None).unwrap();
        assert_eq!(removed.summary, "Order status: shipped; tracking: removed");
    }

    #[test]
    fn received_event_is_caused_by_the_actor_that_it_names() {
        let now = DateTime::UNIX_EPOCH;
        let id = OrderId::generate(now);
        let event = updated(id);
        let named = |actor: &str| {
            let data = format!(r#"{{"order_id": "{id}", "status": "shipped", "actor": {actor}}}"#);
            let envelope = Envelope {
                id: EventId::generate(now),
                event_type: event.event_type().as_str().to_owned(),
                schema_version: 1,
                aggregate_id: id.to_string(),
                sequence: 1,
                service: "other-service".to_owned(),
                timestamp: now,
                data: serde_json::value::RawValue::from_string(data).unwrap(),
            };
            TimelineEntry::from_received(&event, &envelope, None).unwrap().actor
        };
        assert_eq!(named(r#"{"type": "admin", "id": "ada"}"#), Actor::Admin("ada".to_owned()));
        for unnamed in ["null", "7", r#"{"type": "ghost", "id": "x"}"#] {
            assert_eq!(named(unnamed), Actor::System, "{unnamed}");
        }
    }
}
