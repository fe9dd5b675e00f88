//! `POST /v1/payment_intents/{id}/cancel` (<https://docs.stripe.com/api/payment_intents/cancel>)

use axum::extract::{Path, State};
use axum::response::Response;

use crate::http::answer::ApiError;
use crate::http::execute::execute;
use crate::http::request::AccountCall;
use crate::rules::cancel::Cancel;
use crate::sandbox::App;

/// Gives an intent up.
pub(crate) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    AccountCall(call): AccountCall,
) -> Result<Response, ApiError> {
    let operation = Cancel::parse(id, &call.params)?;
    execute(&app, &call, operation).await
}
