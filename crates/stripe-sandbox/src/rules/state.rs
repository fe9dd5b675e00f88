//! Who may see an intent, and the refusals that its state gives.

use crate::http::answer::ApiError;
use crate::http::auth::{self, Caller};
use crate::http::params;
use crate::model::intent::{Intent, IntentStatus};
use serde_json::Value;

/// A browser must send the intent's client secret; whoever sends one must send the right one.
pub(crate) fn check_client_secret(intent: &Intent, caller: Caller, given: Option<&str>) -> Result<(), ApiError> {
    match given {
        None if caller == Caller::Browser => Err(params::missing("client_secret")),
        Some(given) if !auth::same(given, &intent.client_secret) => Err(ApiError::invalid(
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
        )
        .param("client_secret")),
        _ => Ok(()),
    }
}

/// The intent as `caller` may see it.
pub(crate) fn shown(intent: &Intent, caller: Caller, public_url: &str) -> Value {
    match caller {
        Caller::Account => intent.to_json(public_url),
        Caller::Browser => intent.to_browser_json(public_url),
    }
}

/// The refusal to confirm an intent that is settled.
pub(crate) fn cannot_confirm(intent: &Intent, shown: Value) -> ApiError {
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
    unexpected_state(message, shown)
}

/// The refusal to cancel an intent that is settled.
pub(crate) fn cannot_cancel(intent: &Intent, shown: Value) -> ApiError {
    let message = format!(
        "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
         following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
         requires_action, processing.",
        intent.status.as_str()
    );
    unexpected_state(message, shown)
}

/// The refusal to confirm an intent that has no payment method.
pub(crate) fn lacks_method() -> ApiError {
    ApiError::invalid(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the \
         PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment \
         method or ConfirmationToken.",
    )
    .code("payment_intent_unexpected_state")
}

fn unexpected_state(message: impl Into<String>, shown: Value) -> ApiError {
    ApiError::invalid(message).code("payment_intent_unexpected_state").payment_intent(shown).executed()
}
