//! `GET /v1/refunds/{id}` (<https://docs.stripe.com/api/refunds/retrieve>)

use axum::extract::{Path, State};

use crate::http::answer::{Answer, ApiError};
use crate::http::request::AccountCall;
use crate::sandbox::App;
use crate::store::refunds;

/// Shows a refund.
pub(crate) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    AccountCall(call): AccountCall,
) -> Result<Answer, ApiError> {
    call.params.only(&[], &[], &[])?;
    let mut conn = app.store.reader.acquire().await?;
    match refunds::find(&mut conn, &id).await? {
        Some(refund) => Ok(Answer::ok(refund.to_json())),
        None => Err(ApiError::missing("refund", &id, "id")),
    }
}
