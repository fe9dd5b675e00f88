//! Stripe objects, limited to the fields that are read. Unknown fields are ignored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{Money, PaymentId, RefundId};
use secrecy::SecretString;
use serde::Deserialize;

use super::text::{Reference, deserialize_currency, deserialize_id, deserialize_text};
use crate::domain::{Captured, Decline, IntentSnapshot, IntentStatus, ProviderRefundStatus, RefundSnapshot};

/// Maximum accepted amount in cents: Stripe takes eight digits (<https://docs.stripe.com/api/charges/object>),
/// and sums of such amounts stay exact.
const MAX_CENTS: i64 = 999_999_999_999;

/// Page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// Payment intent.
#[derive(Clone, Debug, Deserialize)]
pub struct PaymentIntent {
    /// Id.
    #[serde(deserialize_with = "deserialize_id")]
    pub id: String,
    status: String,
    #[serde(deserialize_with = "deserialize_currency")]
    currency: String,
    #[serde(default)]
    amount_received: i64,
    /// Secret with which the customer's browser confirms the payment. It is returned to the customer, and stored only in
    /// the response to a request with an idempotency key.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
    #[serde(default)]
    last_payment_error: Option<LastError>,
    #[serde(default)]
    next_action: Option<NextAction>,
    #[serde(default)]
    latest_charge: Option<LatestCharge>,
}

/// Last attempt to capture: the charge where it was expanded, else its id.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum LatestCharge {
    Expanded { created: i64 },
    Id(#[expect(dead_code, reason = "only distinguished from the expanded charge")] String),
}

#[derive(Clone, Debug, Deserialize)]
struct LastError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default, deserialize_with = "deserialize_text")]
    message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct NextAction {
    #[serde(default)]
    redirect_to_url: Option<Redirect>,
}

#[derive(Clone, Debug, Deserialize)]
struct Redirect {
    #[serde(default)]
    url: Option<String>,
}

impl PaymentIntent {
    /// Returns the payment named in the metadata.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        self.metadata.as_ref()?.get("payment_id")?.parse().ok()
    }

    /// Returns the URL to which the customer's browser is redirected, if any.
    #[must_use]
    pub fn redirect_url(&self) -> Option<String> {
        self.next_action.as_ref()?.redirect_to_url.as_ref()?.url.clone()
    }

    /// Returns the time of the capture, if reported.
    fn captured_at(&self) -> Option<DateTime<Utc>> {
        match self.latest_charge {
            Some(LatestCharge::Expanded { created }) if self.status == "succeeded" => {
                DateTime::from_timestamp_secs(created)
            }
            _ => None,
        }
    }

    /// Converts the intent into a domain snapshot.
    #[must_use]
    pub fn to_snapshot(&self) -> IntentSnapshot {
        let status = match self.status.as_str() {
            "succeeded" => IntentStatus::Succeeded(Captured {
                amount: money(self.amount_received),
                currency: self.currency.clone(),
            }),
            "canceled" => IntentStatus::Canceled,
            "processing" => IntentStatus::Processing,
            "requires_payment_method" => match &self.last_payment_error {
                Some(error) => IntentStatus::Declined {
                    reason: error.message.clone().unwrap_or_else(|| "The payment was declined.".to_owned()),
                    kind: Decline::from_code(error.decline_code.as_deref().or(error.code.as_deref())),
                },
                None => IntentStatus::AwaitingCustomer,
            },
            _ => IntentStatus::AwaitingCustomer,
        };
        IntentSnapshot { id: self.id.clone(), payment: self.payment(), status, captured_at: self.captured_at() }
    }
}

/// Refund.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderRefund {
    /// Id.
    #[serde(deserialize_with = "deserialize_id")]
    pub id: String,
    status: Option<String>,
    amount: i64,
    #[serde(default)]
    payment_intent: Option<Reference>,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
    #[serde(default, deserialize_with = "deserialize_text")]
    failure_reason: Option<String>,
}

impl ProviderRefund {
    /// Returns the refund of this service named in the metadata.
    #[must_use]
    pub fn refund_id(&self) -> Option<RefundId> {
        self.metadata.as_ref()?.get("refund_id")?.parse().ok()
    }

    /// Converts the refund into a domain snapshot; `None` if it belongs to no intent or has no amount.
    #[must_use]
    pub fn to_snapshot(&self) -> Option<RefundSnapshot> {
        let status = refund_status(self.status.as_deref());
        Some(RefundSnapshot {
            id: self.id.clone(),
            intent: self.payment_intent.clone()?.into_id(),
            refund_id: self.refund_id(),
            amount: Some(money(self.amount)).filter(|amount| !amount.is_zero())?,
            status,
            failure_reason: self.failure_reason.clone(),
        })
    }
}

/// Maps the status of a refund (<https://docs.stripe.com/api/refunds/object#refund_object-status>).
pub(super) fn refund_status(text: Option<&str>) -> ProviderRefundStatus {
    match text {
        Some("succeeded") => ProviderRefundStatus::Succeeded,
        Some("failed" | "canceled") => ProviderRefundStatus::Failed,
        _ => ProviderRefundStatus::Pending,
    }
}

/// Clamps an amount to the range that can be stored and summed, whatever the provider reports.
fn money(cents: i64) -> Money {
    Money::from_cents(cents.clamp(0, MAX_CENTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(rest: &str) -> PaymentIntent {
        serde_json::from_str(&format!(r#"{{"id":"pi_1","currency":"usd","unknown":1,{rest}}}"#)).unwrap()
    }

    #[test]
    fn each_status_maps_to_an_intent_status() {
        let status = |rest| intent(rest).to_snapshot().status;
        assert_eq!(status(r#""status":"requires_payment_method""#), IntentStatus::AwaitingCustomer);
        assert_eq!(
            status(r#""status":"requires_action","last_payment_error":{"message":"old"}"#),
            IntentStatus::AwaitingCustomer
        );
        assert_eq!(status(r#""status":"processing""#), IntentStatus::Processing);
        assert_eq!(status(r#""status":"canceled""#), IntentStatus::Canceled);
        assert_eq!(
            status(r#""status":"requires_payment_method","last_payment_error":{"message":"Declined."}"#),
            IntentStatus::Declined { reason: "Declined.".to_owned(), kind: Decline::Other }
        );
        let captured = Captured { amount: Money::from_cents(1234), currency: "USD".to_owned() };
        assert_eq!(status(r#""status":"succeeded","amount_received":1234"#), IntentStatus::Succeeded(captured));
    }

    #[test]
    fn intent_names_its_payment_and_hides_its_secret() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let text = format!(r#""status":"x","client_secret":"hidden","metadata":{{"payment_id":"{id}"}}"#);
        let intent = intent(&text);
        assert_eq!(intent.payment(), id.parse().ok());
        assert!(!format!("{intent:?}").contains("hidden"));
    }

    #[test]
    fn invalid_provider_data_is_sanitised() {
        let invalid = r#""id":"pi_\u0000/../2","currency":"u\u0000sd","amount_received":-5,"metadata":null,"#;
        let text = format!(r#"{{{invalid}"status":"succeeded","next_action":null}}"#);
        let snapshot = serde_json::from_str::<PaymentIntent>(&text).unwrap().to_snapshot();
        assert_eq!(snapshot.id, "pi_2");
        assert_eq!(
            snapshot.status,
            IntentStatus::Succeeded(Captured { amount: Money::ZERO, currency: "USD".to_owned() })
        );
        let text = r#"{"id":"re_1\n","amount":9223372036854775807,"payment_intent":{"id":"pi_1\u0000"},"status":"failed",
            "failure_reason":"lost\u0000 or\u001b stolen"}"#;
        let snapshot = serde_json::from_str::<ProviderRefund>(text).unwrap().to_snapshot().unwrap();
        assert_eq!(
            (snapshot.id.as_str(), snapshot.intent.as_str(), snapshot.amount.cents()),
            ("re_1", "pi_1", MAX_CENTS)
        );
        assert_eq!(snapshot.failure_reason.as_deref(), Some("lost or stolen"));
        let declined = intent(r#""status":"requires_payment_method","last_payment_error":{"message":"No\u0000."}"#);
        assert!(matches!(declined.to_snapshot().status, IntentStatus::Declined { reason, .. } if reason == "No."));
    }

    #[test]
    fn refund_status_maps_to_a_provider_refund_status() {
        let refund = |status: &str| {
            let text = format!(r#"{{"id":"re_1","amount":5,"payment_intent":"pi_1","status":"{status}"}}"#);
            serde_json::from_str::<ProviderRefund>(&text).unwrap().to_snapshot().unwrap().status
        };
        assert_eq!(refund("succeeded"), ProviderRefundStatus::Succeeded);
        assert_eq!(refund("pending"), ProviderRefundStatus::Pending);
        assert_eq!(refund("requires_action"), ProviderRefundStatus::Pending);
        assert_eq!(refund("failed"), ProviderRefundStatus::Failed);
        assert_eq!(refund("canceled"), ProviderRefundStatus::Failed);
    }
}
