//! Access to an intent, and the errors of its status.

use crate::http::auth::{self, Caller};
use crate::http::params;
use crate::http::response::ApiError;
use crate::model::intent::{Intent, IntentStatus};
use serde_json::Value;

/// Requires the client secret of a browser; a wrong one is an error for any caller.
pub(crate) fn check_client_secret(intent: &Intent, caller: Caller, secret: Option<&str>) -> Result<(), ApiError> {
    match secret {
        None if caller == Caller::Browser => Err(params::missing("client_secret")),
        Some(secret) if !auth::secrets_equal(secret, &intent.client_secret) => Err(ApiError::invalid(
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
        )
        .param("client_secret")),
        _ => Ok(()),
    }
}

/// Returns the fields of the intent that the caller may read.
pub(crate) fn visible_json(intent: &Intent, caller: Caller, hosted_url: &str) -> Value {
    match caller {
        Caller::Account => intent.to_json(hosted_url),
        Caller::Browser => intent.to_browser_json(hosted_url),
    }
}

/// Returns the error of confirming a completed intent.
pub(crate) fn cannot_confirm(intent: &Intent, visible: Value) -> ApiError {
    let message = if intent.status == IntentStatus::Succeeded {
        "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
            .into()
    } else {
        format!(
            "You cannot confirm this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
             following statuses may be confirmed: requires_confirmation, requires_action.",
            intent.status.as_str()
        )
    };
    unexpected_state(message, visible)
}

/// Returns the error of cancelling a completed intent.
pub(crate) fn cannot_cancel(intent: &Intent, visible: Value) -> ApiError {
    let message = format!(
        "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
         following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
         requires_action, processing.",
        intent.status.as_str()
    );
    unexpected_state(message, visible)
}

/// Returns the error of confirming an intent without a payment method.
pub(crate) fn missing_method() -> ApiError {
    ApiError::invalid(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the \
         PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment \
         method or ConfirmationToken.",
    )
    .code("payment_intent_unexpected_state")
}

fn unexpected_state(message: impl Into<String>, visible: Value) -> ApiError {
    ApiError::invalid(message).code("payment_intent_unexpected_state").payment_intent(visible).executed()
}
