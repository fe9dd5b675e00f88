//! `GET /v1/refunds` (<https://docs.stripe.com/api/refunds/list>)

use axum::extract::State;

use crate::http::list::{self, list};
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::model::refund::Refund;
use crate::state::AppState;
use crate::store::pages::{Filter, REFUNDS};

/// Returns a page of refunds, newest first, optionally of one intent or charge.
pub(crate) async fn handle(
    State(app): State<AppState>,
    AccountOnly(request): AccountOnly,
) -> Result<ApiResponse, ApiError> {
    let columns = ["payment_intent", "charge"];
    request.params.only(&[&list::PARAMS[..], &columns[..]].concat(), &[], &[])?;
    let mut filters = Vec::new();
    for column in columns {
        if let Some(id) = request.params.text(column)? {
            filters.push(Filter::Is(column, id.to_owned()));
        }
    }
    let to_json = |refund: &Refund| Ok(refund.to_json());
    let page = list(&app, REFUNDS, &request.params, filters, "/v1/refunds", to_json).await?;
    Ok(ApiResponse::ok(page))
}
