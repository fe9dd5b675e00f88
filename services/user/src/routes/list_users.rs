//! `GET /api/users`

use axum::extract::State;
use common::auth::Role;
use common::http::{AdminOnly, ApiError, Json, Query, Validator};
use contracts::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::page;
use crate::repository::UserFilter;
use crate::service::UserProfile;
use crate::state::AppState;

/// Maximum length of a search, in characters.
const MAX_SEARCH: usize = 100;

#[derive(Deserialize)]
pub(super) struct ListUsersQuery {
    page: Option<i64>,
    limit: Option<i64>,
    email: Option<String>,
    role: Option<String>,
    search: Option<String>,
}

/// Page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
pub(super) struct ListUsersResponse {
    users: Vec<UserProfile>,
    total: u64,
    page: i64,
    limit: u32,
}

/// Lists all users, newest first.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "users",
    security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, description = "Page number, from 1"),
        ("limit" = Option<i64>, Query, description = "Page size, 1 to 100; default 20"),
        ("email" = Option<String>, Query, description = "E-mail address of the user"),
        ("role" = Option<String>, Query, description = "Role of the users"),
        ("search" = Option<String>, Query, description = "Words, each a part of e-mail address or name, ignoring case"),
    ),
    responses(
        (status = 200, body = ListUsersResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
    )
)]
pub(super) async fn list_users(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(query): Query<ListUsersQuery>,
) -> Result<Json<ListUsersResponse>, ApiError> {
    let mut checks = Validator::new();
    let position = page(&mut checks, query.page, query.limit);
    let role = query.role.map(|text| text.parse::<Role>().map_err(|error| checks.fail("role", error)));
    let search = checks.optional_text("search", query.search, MAX_SEARCH);
    let (page, limit) = checks.finish(position)?;
    let filter = UserFilter { email: query.email, role: role.and_then(Result::ok), search: search_words(search) };
    let offset = u64::try_from(page - 1).unwrap_or_default().saturating_mul(limit.into());
    let (users, total) = app.accounts.list(filter, limit, offset).await?;
    Ok(Json(ListUsersResponse { users, total, page, limit }))
}

/// Returns the words of a search in lower case.
fn search_words(search: Option<String>) -> Vec<String> {
    search.unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect()
}
