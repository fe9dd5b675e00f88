//! `GET /api/auth/revocations`

use axum::extract::State;
use common::http::{ApiError, Json, Query, ServiceWith, Validator, scope};
use contracts::Problem;
use contracts::api::RevocationPage;
use serde::Deserialize;

use crate::state::AppState;

/// Maximum number of revocations in a page.
const PAGE_SIZE: u32 = 500;

#[derive(Deserialize)]
pub(super) struct ListRevocationsQuery {
    after: Option<i64>,
}

/// Lists revoked access after a position of the feed. A revocation stays in the feed until the last affected token has
/// expired.
#[utoipa::path(
    get,
    path = "/api/auth/revocations",
    tag = "auth",
    security(("bearer" = [])),
    params(("after" = Option<i64>, Query, description = "Position to continue from; default 0")),
    responses(
        (status = 200, body = RevocationPage),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN; INSUFFICIENT_SCOPE: without users:read", body = Problem),
    )
)]
pub(super) async fn list_revocations(
    State(app): State<AppState>,
    _service: ServiceWith<scope::UsersRead>,
    Query(query): Query<ListRevocationsQuery>,
) -> Result<Json<RevocationPage>, ApiError> {
    let mut checks = Validator::new();
    let after = checks.integer("after", Some(query.after.unwrap_or(0)), 0..=i64::MAX);
    let after = checks.finish(after)?;
    let items = app.sessions.list_revocations(after, PAGE_SIZE).await?;
    let next = items.last().map_or(after, |last| last.seq);
    Ok(Json(RevocationPage { items, next }))
}
