//! `POST /v1/refunds` (<https://docs.stripe.com/api/refunds/create>)

use axum::extract::State;
use axum::response::Response;

use crate::http::answer::ApiError;
use crate::http::execute::execute;
use crate::http::request::AccountCall;
use crate::rules::refund::CreateRefund;
use crate::sandbox::App;

/// Gives back all or a part of what was taken.
pub(crate) async fn handle(State(app): State<App>, AccountCall(call): AccountCall) -> Result<Response, ApiError> {
    let operation = CreateRefund::parse(&call.params)?;
    execute(&app, &call, operation).await
}
