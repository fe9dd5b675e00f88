use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, OutboxEvent};

use contracts::Actor;

use crate::domain::{TimelineEntry, Tracking};

/// Effects of a change, committed with it: events, mails, inbox record, idempotency update, and
/// timeline entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderEffects {
    /// Events, mails, inbox record and idempotency update.
    pub effects: Effects,
    /// Timeline entries, oldest first.
    pub entries: Vec<TimelineEntry>,
}

impl OrderEffects {
    /// Creates effects with a timeline entry for each event, caused by `actor`.
    ///
    /// # Errors
    /// Never in practice: events are plain structs.
    pub fn new(effects: Effects, service: &str, actor: &Actor) -> Result<Self, StoreError> {
        let entry = |new: &OutboxEvent| {
            TimelineEntry::from_published((new.id, &new.event), new.at, new.traceparent.as_deref(), (service, actor))
                .map_err(|error| StoreError::Internal(error.into()))
        };
        let entries = effects.events.iter().filter_map(|new| entry(new).transpose()).collect::<Result<_, _>>()?;
        Ok(Self { effects, entries })
    }

    /// Adds a change of the tracking to the entry of the event that reports it.
    ///
    /// # Errors
    /// Never in practice: the data of an event is an object.
    pub fn with_tracking(mut self, tracking: Option<&Tracking>) -> Result<Self, StoreError> {
        for entry in &mut self.entries {
            entry.add_tracking(tracking).map_err(|error| StoreError::Internal(error.into()))?;
        }
        Ok(self)
    }

    /// Adds the entry of the consumed event that caused the change, before all others.
    #[must_use]
    pub fn with_consumed(mut self, entry: Option<TimelineEntry>) -> Self {
        self.entries.splice(0..0, entry);
        self
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contracts::api::OrderStatus;
    use contracts::event::{OrderUpdated, UserDeleted};
    use contracts::{Event, OrderId, UserId};

    use super::*;

    #[test]
    fn each_event_of_an_order_has_a_timeline_entry() {
        let now = DateTime::UNIX_EPOCH;
        let id = OrderId::generate(now);
        let updated =
            Event::OrderUpdated(OrderUpdated { order_id: id, status: OrderStatus::Confirmed, timestamp: now });
        let deleted = Event::UserDeleted(UserDeleted { user_id: UserId::generate(now) });
        let actor = Actor::Customer("ada".to_owned());
        let effects =
            OrderEffects::new(Effects::event(now, updated).with_event(now, deleted), "order-service", &actor).unwrap();
        let [entry] = &effects.entries[..] else { panic!("{:?}", effects.entries) };
        assert_eq!((entry.order_id, entry.event_id, &entry.actor), (id, effects.effects.events[0].id, &actor));
    }
}
