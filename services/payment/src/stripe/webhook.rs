//! The events that Stripe sends. An event is a hint: only the ids of what it is about are read.

use contracts::PaymentId;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::text::{Reference, is_id};

/// Event, as far as it is read. Every field may be missing or of another type.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

/// Object of an event, as far as it is read.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payment_intent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    payment_id: Option<&'a RawValue>,
}

/// Objects at the provider that a webhook names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An intent changed.
    Intent {
        /// Its id.
        intent: String,
        /// Payment that its metadata names.
        payment: Option<PaymentId>,
    },
    /// A refund of an intent changed.
    Refund {
        /// The intent's id.
        intent: String,
    },
    /// Nothing that matters here.
    Other,
}

/// Reads a webhook's body, which was signed. An event of an unknown kind or shape is [`Notice::Other`].
///
/// # Errors
/// If it is not a JSON object.
pub fn read_notice(body: &[u8]) -> serde_json::Result<Notice> {
    let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
    // Checked without building values: depth, numbers and escapes of what is ignored do not matter.
    serde_json::from_str::<IgnoredAny>(text)?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(serde::de::Error::custom("an event must be a JSON object"));
    }
    Ok(known(text).unwrap_or(Notice::Other))
}

fn known(text: &str) -> Option<Notice> {
    let event: Event<'_> = serde_json::from_str(text).ok()?;
    let kind: String = read(event.kind)?;
    let about_intent = match kind.as_str() {
        "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled"
        | "payment_intent.processing" => true,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" | "charge.refunded" => false,
        _ => return None,
    };
    let data: Data<'_> = serde_json::from_str(event.data?.get()).ok()?;
    let object: Object<'_> = serde_json::from_str(data.object?.get()).ok()?;
    if !about_intent {
        return Some(Notice::Refund { intent: reference(object.payment_intent)? });
    }
    let metadata = object.metadata.and_then(|metadata| serde_json::from_str::<Metadata<'_>>(metadata.get()).ok());
    let payment = metadata.and_then(|metadata| read::<String>(metadata.payment_id)?.parse().ok());
    Some(Notice::Intent { intent: reference(object.id)?, payment })
}

fn read<T: DeserializeOwned>(value: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// Returns the id of what is referred to. It goes into a path: one that is no id is none of the provider's.
fn reference(value: Option<&RawValue>) -> Option<String> {
    let id = match read(value)? {
        Reference::Id(id) | Reference::Expanded { id } => id,
    };
    is_id(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, object: &str) -> Notice {
        let body = format!(r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{object}}}}}"#);
        read_notice(body.as_bytes()).unwrap()
    }

    #[test]
    fn event_names_its_intent_whatever_else_it_claims() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let object = format!(r#"{{"id":"pi_1","amount":null,"status":7,"metadata":{{"payment_id":"{id}","x":null}}}}"#);
        let intent = "pi_1".to_owned();
        let expected = Notice::Intent { intent: intent.clone(), payment: id.parse().ok() };
        assert_eq!(event("payment_intent.succeeded", &object), expected);
        for object in [r#"{"id":"pi_1"}"#, r#"{"id":"pi_1","metadata":null}"#, r#"{"id":"pi_1","metadata":[1]}"#] {
            let expected = Notice::Intent { intent: intent.clone(), payment: None };
            assert_eq!(event("payment_intent.canceled", object), expected, "{object}");
        }
        for object in [
            r#"{"id":"re_1","payment_intent":"pi_1","amount":null}"#,
            r#"{"id":"re_1","payment_intent":{"id":"pi_1","object":"payment_intent"}}"#,
        ] {
            assert_eq!(event("refund.failed", object), Notice::Refund { intent: intent.clone() }, "{object}");
        }
    }

    #[test]
    fn event_of_another_kind_or_shape_is_ignored() {
        let deep = format!(r#"{{"type":"x","data":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
        for body in [
            r"{}",
            r#"{"id":"evt_1","object":"v2.core.event","type":"v1.billing.meter.no_meter_found","related_object":null}"#,
            r#"{"type":"payment_intent.succeeded"}"#,
            r#"{"type":"payment_intent.succeeded","data":null}"#,
            r#"{"type":"payment_intent.succeeded","data":{"object":null}}"#,
            r#"{"type":"payment_intent.succeeded","data":{"object":"pi_1"}}"#,
            r#"{"type":"payment_intent.succeeded","data":{"object":{"id":5}}}"#,
            r#"{"type":"payment_intent.succeeded","data":{"object":{"id":"../refunds?x"}}}"#,
            r#"{"type":"refund.updated","data":{"object":{"id":"re_1","payment_intent":null}}}"#,
            r#"{"type":"charge.refunded","data":{"object":{"id":"ch_1"}}}"#,
            r#"{"type":["payment_intent.succeeded"],"data":[]}"#,
            r#"{"type":"customer.created","data":{"object":{"name":"\ud800","amount":1e400}}}"#,
            r#"{"type":"a","type":"b"}"#,
            deep.as_str(),
        ] {
            assert_eq!(read_notice(body.as_bytes()).unwrap(), Notice::Other, "{body:.99}");
        }
    }

    #[test]
    fn body_that_is_not_a_json_object_is_broken() {
        for body in ["", "[]", "null", "7", "{", "{} {}", "<xml/>", "{\"a\":\"\u{1}\"}"] {
            assert!(read_notice(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read_notice(b"{\"type\":\"\xff\"}").is_err());
    }
}
