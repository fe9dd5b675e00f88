//! Stripe's objects, as far as they are read. Fields that are not known are ignored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{Money, PaymentId, RefundId};
use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::{Captured, Decline, Fact, IntentSeen, RefundFact, RefundSeen};

/// The most that is kept of the provider's words.
const MOST_WORDS: usize = 500;

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
    pub id: String,
    status: String,
    currency: String,
    #[serde(default)]
    amount_received: i64,
    /// What lets the customer's browser pay it. It is handed to the customer, and kept
    /// only with the answer to a request that has an idempotency key.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    #[serde(default)]
    metadata: HashMap<String, String>,
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
    #[serde(default)]
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
        self.metadata.get("payment_id")?.parse().ok()
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
            "succeeded" => Fact::Succeeded(Captured {
                amount: Money::from_cents(self.amount_received),
                currency: self.currency.to_ascii_uppercase(),
            }),
            "canceled" => Fact::Canceled,
            "processing" => Fact::Processing,
            "requires_payment_method" => match &self.last_payment_error {
                Some(error) => Fact::Declined {
                    reason: words(error.message.as_deref(), "The payment was declined."),
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
    pub id: String,
    status: Option<String>,
    amount: i64,
    #[serde(default)]
    payment_intent: Option<String>,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
    #[serde(default)]
    failure_reason: Option<String>,
}

impl ProviderRefund {
    /// The refund of ours that its metadata names.
    #[must_use]
    pub fn ours(&self) -> Option<RefundId> {
        self.metadata.as_ref()?.get("refund_id")?.parse().ok()
    }

    /// What it says; `None` if it is not of an intent.
    #[must_use]
    pub fn seen(&self) -> Option<RefundSeen> {
        let fact = match self.status.as_deref() {
            Some("succeeded") => RefundFact::Succeeded,
            Some("failed" | "canceled") => RefundFact::Failed,
            _ => RefundFact::Pending,
        };
        Some(RefundSeen {
            id: self.id.clone(),
            intent: self.payment_intent.clone()?,
            ours: self.ours(),
            amount: Money::from_cents(self.amount),
            fact,
            failure: self.failure_reason.clone(),
        })
    }
}

fn words(text: Option<&str>, otherwise: &str) -> String {
    text.unwrap_or(otherwise).chars().take(MOST_WORDS).collect()
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
