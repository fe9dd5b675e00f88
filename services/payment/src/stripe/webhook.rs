//! The events that Stripe sends.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::objects::{Intent, ProviderRefund};
use crate::domain::{IntentSeen, RefundSeen};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    created: Option<i64>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Box<RawValue>,
}

#[derive(Deserialize)]
struct Charge {
    #[serde(default)]
    payment_intent: Option<String>,
}

/// What a webhook tells, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An intent changed.
    Intent(IntentSeen),
    /// A refund changed.
    Refund(RefundSeen),
    /// Money of an intent went back; its refunds have to be asked for.
    Refunded {
        /// The intent.
        intent: String,
    },
    /// Something that does not matter here.
    Other,
}

/// Reads a webhook's body, which was signed.
///
/// # Errors
/// If it is not of the form of Stripe's events.
pub fn read_notice(body: &[u8]) -> serde_json::Result<Notice> {
    let event: Event = serde_json::from_slice(body)?;
    let object = event.data.object.get();
    Ok(match event.kind.as_str() {
        // The event is made when the money is taken.
        "payment_intent.succeeded" => {
            let seen = serde_json::from_str::<Intent>(object)?.seen();
            let taken_at = seen.taken_at.or_else(|| event.created.and_then(DateTime::from_timestamp_secs));
            Notice::Intent(IntentSeen { taken_at, ..seen })
        }
        "payment_intent.payment_failed" | "payment_intent.canceled" | "payment_intent.processing" => {
            Notice::Intent(serde_json::from_str::<Intent>(object)?.seen())
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            serde_json::from_str::<ProviderRefund>(object)?.seen().map_or(Notice::Other, Notice::Refund)
        }
        "charge.refunded" => {
            let charge: Charge = serde_json::from_str(object)?;
            charge.payment_intent.map_or(Notice::Other, |intent| Notice::Refunded { intent })
        }
        _ => Notice::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_do_not_matter_are_taken_and_ignored() {
        let body = br#"{"id":"evt_1","type":"customer.created","data":{"object":{"id":"cus_1"}}}"#;
        assert_eq!(read_notice(body).unwrap(), Notice::Other);
        let body = br#"{"id":"evt_1","type":"charge.refunded","data":{"object":{"id":"ch_1","payment_intent":null}}}"#;
        assert_eq!(read_notice(body).unwrap(), Notice::Other);
        assert!(read_notice(b"[]").is_err());
    }
}
