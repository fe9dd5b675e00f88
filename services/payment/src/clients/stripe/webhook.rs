//! Parsing of Stripe's webhook events. An event is a hint: the ids of its objects are read, and a refund's
//! status and amount, to be compared with what is stored. Nothing of an event is stored.

use contracts::{Money, PaymentId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::objects::refund_status;
use super::text::{Reference, is_id};
use crate::domain::RefundClaim;

/// Body of an event, limited to the fields that are read. Every field may be missing or of another type.
#[derive(Deserialize)]
struct EventBody<'a> {
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

/// Object of an event, limited to the fields that are read.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payment_intent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    amount_refunded: Option<&'a RawValue>,
}

impl Object<'_> {
    fn metadata(&self) -> Option<Metadata<'_>> {
        serde_json::from_str(self.metadata?.get()).ok()
    }
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    payment_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refund_id: Option<&'a RawValue>,
}

/// Parsed webhook event: the object that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// Webhook event: change of an intent.
    Intent {
        /// Id of the intent.
        intent: String,
        /// Payment named in the metadata.
        payment: Option<PaymentId>,
    },
    /// Webhook event: change of a refund.
    Refund {
        /// Id of the refunded intent.
        intent: String,
        /// Claimed state of its refunds, if it can be read.
        claim: Option<RefundClaim>,
    },
    /// Webhook event: any other event.
    Other,
}

/// Parses the body of a verified webhook. An event of an unknown kind or shape is [`WebhookEvent::Other`].
///
/// # Errors
/// If the body is not a JSON object.
pub fn parse_webhook_event(body: &[u8]) -> serde_json::Result<WebhookEvent> {
    let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
    // Validated without building values: depth, numbers and escapes of ignored parts do not matter.
    serde_json::from_str::<IgnoredAny>(text)?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(serde::de::Error::custom("an event must be a JSON object"));
    }
    Ok(parse_known(text).unwrap_or(WebhookEvent::Other))
}

fn parse_known(text: &str) -> Option<WebhookEvent> {
    let event: EventBody<'_> = serde_json::from_str(text).ok()?;
    let kind: String = parse(event.kind)?;
    let names_intent = match kind.as_str() {
        "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled"
        | "payment_intent.processing" => true,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" | "charge.refunded" => false,
        _ => return None,
    };
    let data: Data<'_> = serde_json::from_str(event.data?.get()).ok()?;
    let object: Object<'_> = serde_json::from_str(data.object?.get()).ok()?;
    if !names_intent {
        let claim = if kind == "charge.refunded" { total_claim(&object) } else { refund_claim(&object) };
        return Some(WebhookEvent::Refund { intent: reference_id(object.payment_intent)?, claim });
    }
    let payment = object.metadata().and_then(|metadata| parse::<String>(metadata.payment_id)?.parse().ok());
    Some(WebhookEvent::Intent { intent: reference_id(object.id)?, payment })
}

fn total_claim(charge: &Object<'_>) -> Option<RefundClaim> {
    Some(RefundClaim::Total(Money::from_cents(parse(charge.amount_refunded)?)))
}

fn refund_claim(refund: &Object<'_>) -> Option<RefundClaim> {
    let refund_id = refund.metadata().and_then(|metadata| parse::<String>(metadata.refund_id)?.parse().ok());
    let status: String = parse(refund.status)?;
    Some(RefundClaim::Refund { id: parse(refund.id)?, refund_id, status: refund_status(Some(&status)) })
}

fn parse<T: DeserializeOwned>(value: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// Returns the referenced id. It is used in a path, so that anything but a valid id is ignored.
fn reference_id(value: Option<&RawValue>) -> Option<String> {
    let id = match parse(value)? {
        Reference::Id(id) | Reference::Expanded { id } => id,
    };
    is_id(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProviderRefundStatus;

    fn event(kind: &str, object: &str) -> WebhookEvent {
        let body = format!(r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{object}}}}}"#);
        parse_webhook_event(body.as_bytes()).unwrap()
    }

    #[test]
    fn event_names_its_intent_whatever_its_other_fields() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let object = format!(r#"{{"id":"pi_1","amount":null,"status":7,"metadata":{{"payment_id":"{id}","x":null}}}}"#);
        let intent = "pi_1".to_owned();
        let expected = WebhookEvent::Intent { intent: intent.clone(), payment: id.parse().ok() };
        assert_eq!(event("payment_intent.succeeded", &object), expected);
        for object in [r#"{"id":"pi_1"}"#, r#"{"id":"pi_1","metadata":null}"#, r#"{"id":"pi_1","metadata":[1]}"#] {
            let expected = WebhookEvent::Intent { intent: intent.clone(), payment: None };
            assert_eq!(event("payment_intent.canceled", object), expected, "{object}");
        }
        for object in [
            r#"{"id":"re_1","payment_intent":"pi_1","amount":null}"#,
            r#"{"id":"re_1","payment_intent":{"id":"pi_1","object":"payment_intent"}}"#,
        ] {
            let expected = WebhookEvent::Refund { intent: intent.clone(), claim: None };
            assert_eq!(event("refund.failed", object), expected, "{object}");
        }
    }

    #[test]
    fn event_of_a_refund_claims_a_status_or_a_total() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let refund = format!(
            r#"{{"id":"re_1","payment_intent":"pi_1","status":"succeeded","metadata":{{"refund_id":"{id}"}}}}"#
        );
        let claim = RefundClaim::Refund {
            id: "re_1".to_owned(),
            refund_id: id.parse().ok(),
            status: ProviderRefundStatus::Succeeded,
        };
        let refund_event = |claim| WebhookEvent::Refund { intent: "pi_1".to_owned(), claim };
        assert_eq!(event("refund.updated", &refund), refund_event(Some(claim)));
        let charge = r#"{"id":"ch_1","payment_intent":"pi_1","amount_refunded":250}"#;
        assert_eq!(event("charge.refunded", charge), refund_event(Some(RefundClaim::Total(Money::from_cents(250)))));
        let shapeless = r#"{"id":"ch_1","payment_intent":"pi_1","amount_refunded":"all"}"#;
        assert_eq!(event("charge.refunded", shapeless), refund_event(None));
    }

    #[test]
    fn event_of_unknown_kind_or_shape_is_ignored() {
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
            assert_eq!(parse_webhook_event(body.as_bytes()).unwrap(), WebhookEvent::Other, "{body:.99}");
        }
    }

    #[test]
    fn body_that_is_not_a_json_object_is_rejected() {
        for body in ["", "[]", "null", "7", "{", "{} {}", "<xml/>", "{\"a\":\"\u{1}\"}"] {
            assert!(parse_webhook_event(body.as_bytes()).is_err(), "{body}");
        }
        assert!(parse_webhook_event(b"{\"type\":\"\xff\"}").is_err());
    }
}
