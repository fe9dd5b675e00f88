//! Refund of a charge.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::FromRow;

use crate::model::json_text::JsonText;

/// Status of a refund. One that has not failed reduces the refundable amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

/// Row of `refunds`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) charge: String,
    pub(crate) payment_intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: RefundStatus,
    pub(crate) reason: Option<String>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) metadata: JsonText<BTreeMap<String, String>>,
    pub(crate) settle_at: Option<i64>,
    pub(crate) settle_as: Option<RefundStatus>,
    /// Trace of the request that created the refund.
    pub(crate) traceparent: Option<String>,
}

impl Refund {
    /// Returns Stripe's refund object.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "customer_account": null,
            "metadata": self.metadata.0,
            "payment_intent": self.payment_intent,
            "payment_method": null,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": match self.status {
                RefundStatus::Pending => "pending",
                RefundStatus::Succeeded => "succeeded",
                RefundStatus::Failed => "failed",
            },
            "transfer_reversal": null,
        });
        if let Some(reason) = &self.failure_reason {
            object["failure_reason"] = json!(reason);
        }
        object
    }
}
