//! Event that webhooks report.

use serde_json::{Value, json};
use sqlx::FromRow;

use crate::API_VERSION;

/// Kind of a webhook event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    IntentSucceeded,
    IntentFailed,
    IntentCanceled,
    ChargeRefunded,
    RefundUpdated,
    RefundFailed,
}

impl EventKind {
    /// Returns Stripe's name of the kind.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::IntentSucceeded => "payment_intent.succeeded",
            Self::IntentFailed => "payment_intent.payment_failed",
            Self::IntentCanceled => "payment_intent.canceled",
            Self::ChargeRefunded => "charge.refunded",
            Self::RefundUpdated => "refund.updated",
            Self::RefundFailed => "refund.failed",
        }
    }
}

/// Row of `events`, with the number of its pending webhooks.
#[derive(Debug, FromRow)]
pub(crate) struct Event {
    pub(crate) body: String,
    pub(crate) pending_webhooks: i64,
}

impl Event {
    /// Returns Stripe's event object, with the current number of pending webhooks.
    pub(crate) fn to_json(&self) -> Result<Value, serde_json::Error> {
        let mut object: Value = serde_json::from_str(&self.body)?;
        object["pending_webhooks"] = json!(self.pending_webhooks);
        Ok(object)
    }
}

/// Returns the event as it is sent. `request` is the id and idempotency key of the API request that caused it.
pub(crate) fn body(
    id: &str,
    kind: EventKind,
    created: i64,
    object: &Value,
    pending_webhooks: u32,
    request: (Option<&str>, Option<&str>),
) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": pending_webhooks,
        "request": { "id": request.0, "idempotency_key": request.1 },
        "type": kind.as_str(),
    })
}
