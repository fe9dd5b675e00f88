//! `GET /v1/events` (<https://docs.stripe.com/api/events/list>)

use axum::extract::State;

use crate::http::list::{self, list};
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::model::event::Event;
use crate::state::AppState;
use crate::store::pages::{EVENTS, Filter};

/// Returns a page of events, newest first, optionally filtered by `type` or `types`.
pub(crate) async fn handle(
    State(app): State<AppState>,
    AccountOnly(request): AccountOnly,
) -> Result<ApiResponse, ApiError> {
    let known = [&list::PARAMS[..], &["type", "types"]].concat();
    request.params.only(&known, &[], &["delivery_success"])?;
    let mut filters = Vec::new();
    if let Some(kind) = request.params.text("type")? {
        filters.push(Filter::Is("type", kind.to_owned()));
    }
    if let Some(kinds) = request.params.list("types")? {
        filters.push(Filter::OneOf("type", kinds));
    }
    let to_json = |event: &Event| event.to_json().map_err(|error| sqlx::Error::Decode(error.into()).into());
    let page = list(&app, EVENTS, &request.params, filters, "/v1/events", to_json).await?;
    Ok(ApiResponse::ok(page))
}
