//! Stripe's objects, as far as they are read. Fields that are not known are ignored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{Money, PaymentId, RefundId};
use secrecy::SecretString;
use serde::Deserialize;

use super::text::{Reference, read_currency, read_id, read_words};
use crate::domain::{Captured, Decline, Fact, IntentSeen, RefundFact, RefundSeen};

/// Largest amount that is believed, in cents: Stripe takes eight digits (<https://docs.stripe.com/api/charges/object>),
/// and sums of such amounts stay exact.
const MAX_CENTS: i64 = 999_999_999_999;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// A payment intent.
#[derive(Clone, Debug, Deserialize)]
pub struct Intent {
    /// Its id.
    #[serde(deserialize_with = "read_id")]
    pub id: String,
    status: String,
    #[serde(deserialize_with = "read_currency")]
    currency: String,
    #[serde(default)]
    amount_received: i64,
    /// What lets the customer's browser pay it. It is handed to the customer, and kept
    /// only with the answer to a request that has an idempotency key.
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

/// The last attempt to take the money: whole where it was asked for, else its id.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum LatestCharge {
    Whole { created: i64 },
    Id(#[expect(dead_code, reason = "only told apart from the whole charge")] String),
}

#[derive(Clone, Debug, Deserialize)]
struct LastError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default, deserialize_with = "read_words")]
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

impl Intent {
    /// The payment that its metadata names.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        self.metadata.as_ref()?.get("payment_id")?.parse().ok()
    }

    /// Where the customer's browser has to go, if anywhere.
    #[must_use]
    pub fn redirect_url(&self) -> Option<String> {
        self.next_action.as_ref()?.redirect_to_url.as_ref()?.url.clone()
    }

    /// When the money was taken, as far as is told.
    fn taken_at(&self) -> Option<DateTime<Utc>> {
        match self.latest_charge {
            Some(LatestCharge::Whole { created }) if self.status == "succeeded" => {
                DateTime::from_timestamp_secs(created)
            }
            _ => None,
        }
    }

    /// What it says.
    #[must_use]
    pub fn seen(&self) -> IntentSeen {
        let fact = match self.status.as_str() {
            "succeeded" => {
                Fact::Succeeded(Captured { amount: money(self.amount_received), currency: self.currency.clone() })
            }
            "canceled" => Fact::Canceled,
            "processing" => Fact::Processing,
            "requires_payment_method" => match &self.last_payment_error {
                Some(error) => Fact::Declined {
                    reason: error.message.clone().unwrap_or_else(|| "The payment was declined.".to_owned()),
                    kind: Decline::of(error.decline_code.as_deref().or(error.code.as_deref())),
                },
                None => Fact::Waiting,
            },
            _ => Fact::Waiting,
        };
        IntentSeen { id: self.id.clone(), payment: self.payment(), fact, taken_at: self.taken_at() }
    }
}

/// A refund.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderRefund {
    /// Its id.
    #[serde(deserialize_with = "read_id")]
    pub id: String,
    status: Option<String>,
    amount: i64,
    #[serde(default)]
    payment_intent: Option<Reference>,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
    #[serde(default, deserialize_with = "read_words")]
    failure_reason: Option<String>,
}

impl ProviderRefund {
    /// The refund of ours that its metadata names.
    #[must_use]
    pub fn ours(&self) -> Option<RefundId> {
        self.metadata.as_ref()?.get("refund_id")?.parse().ok()
    }

    /// What it says; `None` if it is not of an intent, or gives nothing back.
    #[must_use]
    pub fn seen(&self) -> Option<RefundSeen> {
        let fact = match self.status.as_deref() {
            Some("succeeded") => RefundFact::Succeeded,
            Some("failed" | "canceled") => RefundFact::Failed,
            _ => RefundFact::Pending,
        };
        Some(RefundSeen {
            id: self.id.clone(),
            intent: self.payment_intent.clone()?.into_id(),
            ours: self.ours(),
            amount: Some(money(self.amount)).filter(|amount| !amount.is_zero())?,
            fact,
            failure: self.failure_reason.clone(),
        })
    }
}

/// An amount that can be stored and added up, whatever the provider claims.
fn money(cents: i64) -> Money {
    Money::from_cents(cents.clamp(0, MAX_CENTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(rest: &str) -> Intent {
        serde_json::from_str(&format!(r#"{{"id":"pi_1","currency":"usd","unknown":1,{rest}}}"#)).unwrap()
    }

    #[test]
    fn each_status_is_a_fact() {
        let fact = |rest| intent(rest).seen().fact;
        assert_eq!(fact(r#""status":"requires_payment_method""#), Fact::Waiting);
        assert_eq!(fact(r#""status":"requires_action","last_payment_error":{"message":"old"}"#), Fact::Waiting);
        assert_eq!(fact(r#""status":"processing""#), Fact::Processing);
        assert_eq!(fact(r#""status":"canceled""#), Fact::Canceled);
        assert_eq!(
            fact(r#""status":"requires_payment_method","last_payment_error":{"message":"Declined."}"#),
            Fact::Declined { reason: "Declined.".to_owned(), kind: Decline::Other }
        );
        let captured = Captured { amount: Money::from_cents(1234), currency: "USD".to_owned() };
        assert_eq!(fact(r#""status":"succeeded","amount_received":1234"#), Fact::Succeeded(captured));
    }

    #[test]
    fn an_intent_names_its_payment_and_hides_its_secret() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let text = format!(r#""status":"x","client_secret":"hidden","metadata":{{"payment_id":"{id}"}}"#);
        let intent = intent(&text);
        assert_eq!(intent.payment(), id.parse().ok());
        assert!(!format!("{intent:?}").contains("hidden"));
    }

    #[test]
    fn what_a_lying_provider_says_can_be_stored() {
        let lies = r#""id":"pi_\u0000/../2","currency":"u\u0000sd","amount_received":-5,"metadata":null,"#;
        let text = format!(r#"{{{lies}"status":"succeeded","next_action":null}}"#);
        let seen = serde_json::from_str::<Intent>(&text).unwrap().seen();
        assert_eq!(seen.id, "pi_2");
        assert_eq!(seen.fact, Fact::Succeeded(Captured { amount: Money::ZERO, currency: "USD".to_owned() }));
        let text = r#"{"id":"re_1\n","amount":9223372036854775807,"payment_intent":{"id":"pi_1\u0000"},"status":"failed",
            "failure_reason":"lost\u0000 or\u001b stolen"}"#;
        let seen = serde_json::from_str::<ProviderRefund>(text).unwrap().seen().unwrap();
        assert_eq!((seen.id.as_str(), seen.intent.as_str(), seen.amount.cents()), ("re_1", "pi_1", MAX_CENTS));
        assert_eq!(seen.failure.as_deref(), Some("lost or stolen"));
        let declined = intent(r#""status":"requires_payment_method","last_payment_error":{"message":"No\u0000."}"#);
        assert!(matches!(declined.seen().fact, Fact::Declined { reason, .. } if reason == "No."));
    }

    #[test]
    fn a_refund_says_where_it_is() {
        let refund = |status: &str| {
            let text = format!(r#"{{"id":"re_1","amount":5,"payment_intent":"pi_1","status":"{status}"}}"#);
            serde_json::from_str::<ProviderRefund>(&text).unwrap().seen().unwrap().fact
        };
        assert_eq!(refund("succeeded"), RefundFact::Succeeded);
        assert_eq!(refund("pending"), RefundFact::Pending);
        assert_eq!(refund("requires_action"), RefundFact::Pending);
        assert_eq!(refund("failed"), RefundFact::Failed);
        assert_eq!(refund("canceled"), RefundFact::Failed);
    }
}
