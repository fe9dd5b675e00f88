//! `GET /v1/payment_intents` (<https://docs.stripe.com/api/payment_intents/list>)

use axum::extract::State;

use crate::http::list::{self, list};
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::model::intent::Intent;
use crate::state::AppState;
use crate::store::pages::INTENTS;

/// Returns a page of intents, newest first.
pub(crate) async fn handle(
    State(app): State<AppState>,
    AccountOnly(request): AccountOnly,
) -> Result<ApiResponse, ApiError> {
    request.params.only(&list::PARAMS, &[], &["customer", "customer_account"])?;
    let hosted_url = &app.settings.hosted_url;
    let to_json = |intent: &Intent| Ok(intent.to_json(hosted_url));
    let page = list(&app, INTENTS, &request.params, Vec::new(), "/v1/payment_intents", to_json).await?;
    Ok(ApiResponse::ok(page))
}
