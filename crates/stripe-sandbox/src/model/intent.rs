//! Payment intent and its statuses.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::FromRow;

use crate::model::json_text::JsonText;

/// Status of an intent (<https://docs.stripe.com/payments/paymentintents/lifecycle>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    /// No payment method, or the last one was declined.
    RequiresPaymentMethod,
    /// Payment method that is not charged yet.
    RequiresConfirmation,
    /// Pending action of the customer on a page.
    RequiresAction,
    /// Intent status: successful charge.
    Succeeded,
    /// Intent status: cancelled; no further charge is possible.
    Canceled,
}

impl IntentStatus {
    /// Returns Stripe's name of the status.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }

    /// Returns whether the intent can still be confirmed or cancelled.
    pub(crate) const fn is_open(self) -> bool {
        !matches!(self, Self::Succeeded | Self::Canceled)
    }
}

/// Row of `payment_intents`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: i64,
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: IntentStatus,
    pub(crate) client_secret: String,
    pub(crate) description: Option<String>,
    pub(crate) receipt_email: Option<String>,
    pub(crate) metadata: JsonText<BTreeMap<String, String>>,
    /// `true` if the types are those of the account instead of the request's.
    pub(crate) automatic_methods: bool,
    /// `always` or `never`, for automatic methods.
    pub(crate) allow_redirects: String,
    pub(crate) payment_method_types: JsonText<Vec<String>>,
    pub(crate) payment_method: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) latest_charge: Option<String>,
    pub(crate) last_payment_error: Option<JsonText<Value>>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) cancellation_reason: Option<String>,
}

/// Fields of an intent that a browser with a publishable key may read.
const BROWSER_FIELDS: &[&str] = &[
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_configuration_details",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "status",
];

impl Intent {
    /// Returns the status with which a customer returns to the shop, as Stripe names it.
    pub(crate) fn redirect_status(&self) -> &'static str {
        if self.status == IntentStatus::Succeeded { "succeeded" } else { "failed" }
    }

    /// Returns Stripe's payment intent object; `hosted_url` is the URL of this server's pages.
    pub(crate) fn to_json(&self, hosted_url: &str) -> Value {
        let next_action = (self.status == IntentStatus::RequiresAction).then(|| {
            json!({
                "type": "redirect_to_url",
                "redirect_to_url": {
                    "return_url": self.return_url,
                    "url": format!("{}/sandbox/3ds/{}", hosted_url.trim_end_matches('/'), self.id),
                },
            })
        });
        let automatic =
            self.automatic_methods.then(|| json!({ "enabled": true, "allow_redirects": self.allow_redirects }));
        json!({
            "id": self.id,
            "object": "payment_intent",
            "allowed_payment_method_types": null,
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_details": { "tip": {} },
            "amount_received": self.amount_received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": automatic,
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": "automatic_async",
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "customer_account": null,
            "description": self.description,
            "excluded_payment_method_types": null,
            "last_payment_error": self.last_payment_error.as_ref().map(|error| &error.0),
            "latest_charge": self.latest_charge,
            "livemode": false,
            "managed_payments": null,
            "metadata": self.metadata.0,
            "next_action": next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": {},
            "payment_method_types": self.payment_method_types.0,
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status.as_str(),
            "transfer_data": null,
            "transfer_group": null,
        })
    }

    /// Returns the fields that a browser may read, without metadata and charge.
    pub(crate) fn to_browser_json(&self, hosted_url: &str) -> Value {
        let mut object = self.to_json(hosted_url);
        if let Value::Object(fields) = &mut object {
            fields.retain(|name, _| BROWSER_FIELDS.contains(&name.as_str()));
        }
        object
    }
}
