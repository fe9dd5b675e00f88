//! `GET /v1/refunds/{id}` (<https://docs.stripe.com/api/refunds/retrieve>)

use axum::extract::{Path, State};

use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::state::AppState;
use crate::store::refunds;

/// Returns a refund.
pub(crate) async fn handle(
    State(app): State<AppState>,
    Path(id): Path<String>,
    AccountOnly(request): AccountOnly,
) -> Result<ApiResponse, ApiError> {
    request.params.only(&[], &[], &[])?;
    let mut conn = app.store.reader.acquire().await?;
    match refunds::find(&mut conn, &id).await? {
        Some(refund) => Ok(ApiResponse::ok(refund.to_json())),
        None => Err(ApiError::missing("refund", &id, "id")),
    }
}
