//! Failpoints around commits.

use crate::database::transaction_effects::Effects;
pub use crate::fault::failpoint::hit;

/// Describes a commit in the name of its failpoints: the consumed queue, the published events, the kinds of mails, and the
/// progress of an idempotency key.
#[must_use]
pub fn describe_effects(service: &str, effects: &Effects) -> String {
    let consumes = effects.inbox.map(|inbox| inbox.consumer);
    let publishes = effects.events.iter().map(|event| event.event.event_type().as_str());
    let mails = effects.mails.iter().map(|mail| mail.kind);
    let keyed =
        effects.idempotency.as_ref().map(|keyed| if keyed.response.is_some() { "response" } else { "resource" });
    let parts: Vec<_> = std::iter::once(service).chain(consumes).chain(publishes).chain(mails).chain(keyed).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contracts::{Event, EventId};

    use super::*;
    use crate::database::transaction_effects::InboxRecord;

    #[test]
    fn failpoint_is_named_by_the_effects_of_the_commit() {
        let now = DateTime::UNIX_EPOCH;
        let inbox = InboxRecord { consumer: "order.payments", event_id: EventId::generate(now) };
        assert_eq!(
            describe_effects("order-service", &Effects::none().consuming(inbox)),
            "order-service order.payments"
        );
        let text = r#"{"userId":"01890000-0000-7000-8000-000000000000"}"#;
        let data = serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
        let deleted = Event::read(contracts::EventType::UserDeleted, &data).unwrap();
        assert_eq!(describe_effects("user-service", &Effects::event(now, deleted)), "user-service user.deleted");
    }
}
