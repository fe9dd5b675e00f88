//! `POST /v1/payment_intents` (<https://docs.stripe.com/api/payment_intents/create>)

use axum::extract::State;
use axum::response::Response;

use crate::http::answer::ApiError;
use crate::http::execute::execute;
use crate::http::request::AccountCall;
use crate::rules::create::Create;
use crate::sandbox::App;

/// Makes an intent, and confirms it at once where `confirm` is set.
pub(crate) async fn handle(State(app): State<App>, AccountCall(call): AccountCall) -> Result<Response, ApiError> {
    let operation = Create::parse(&call.params, &app.settings)?;
    execute(&app, &call, operation).await
}
