//! `POST /v1/payment_intents/{id}/confirm` (<https://docs.stripe.com/api/payment_intents/confirm>)

use axum::extract::{Path, State};
use axum::response::Response;

use crate::http::answer::ApiError;
use crate::http::execute::execute;
use crate::http::request::AnyCall;
use crate::rules::confirm::Confirm;
use crate::sandbox::App;

/// Charges the payment method; a browser may do so with the client secret.
pub(crate) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    AnyCall(call): AnyCall,
) -> Result<Response, ApiError> {
    let operation = Confirm::parse(id, call.caller, &call.params)?;
    execute(&app, &call, operation).await
}
