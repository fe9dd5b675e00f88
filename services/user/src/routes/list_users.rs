//! `GET /api/users`

use axum::extract::State;
use common::auth::{AdminOnly, Role};
use common::http::{ApiError, Checks, Json, Query};
use contracts::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::form::page;
use super::view::ProfileView;
use crate::app::AppState;
use crate::people::canonical_email;
use crate::store::Filter;

#[derive(Deserialize)]
pub(super) struct Params {
    page: Option<i64>,
    limit: Option<i64>,
    email: Option<String>,
    role: Option<String>,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
pub(super) struct Page {
    users: Vec<ProfileView>,
    total: u64,
    page: i64,
    limit: u32,
}

/// All users, the newest first.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "users",
    security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, description = "From 1"),
        ("limit" = Option<i64>, Query, description = "1 to 100; 20 unless it is said"),
        ("email" = Option<String>, Query, description = "The user with this address"),
        ("role" = Option<String>, Query, description = "Users in this role"),
    ),
    responses(
        (status = 200, body = Page),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
    )
)]
pub(super) async fn list_users(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(params): Query<Params>,
) -> Result<Json<Page>, ApiError> {
    let mut checks = Checks::new();
    let place = page(&mut checks, params.page, params.limit);
    let role = params.role.map(|text| text.parse::<Role>().map_err(|error| checks.fail("role", error)));
    let (page, limit) = checks.finish(place)?;
    let email = params.email.map(|email| canonical_email(&email));
    let filter = Filter { email, role: role.and_then(Result::ok) };
    let offset = u64::try_from(page - 1).unwrap_or_default().saturating_mul(limit.into());
    let (users, total) = app.people.users.list(&filter, limit, offset).await?;
    Ok(Json(Page { users: users.into_iter().filter_map(ProfileView::of).collect(), total, page, limit }))
}
