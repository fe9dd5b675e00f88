//! `PUT /api/users/{id}/role`

use axum::extract::State;
use common::auth::{AdminOnly, Role};
use common::http::{ApiError, Checks, Json, Path};
use contracts::{Problem, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::ProfileView;
use crate::app::AppState;
use crate::domain::User;
use crate::error::Error;

#[derive(Deserialize, ToSchema)]
#[schema(as = RoleChange)]
pub(super) struct Body {
    /// `user` or `admin`.
    #[schema(required)]
    role: Option<String>,
}

/// Gives a user another role; their access tokens of before are refused here at once, in the other services within 5 s.
#[utoipa::path(
    put,
    path = "/api/users/{id}/role",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = Body,
    responses(
        (status = 200, body = ProfileView),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "USER_NOT_FOUND", body = Problem),
        (status = 409, description = "CONFLICT: the last admin", body = Problem),
    )
)]
pub(super) async fn set_role(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<UserId>,
    Json(body): Json<Body>,
) -> Result<Json<ProfileView>, ApiError> {
    let mut checks = Checks::new();
    let role = match checks.required("role", body.role).as_deref() {
        Some("user") => Some(Role::User),
        Some("admin") => Some(Role::Admin),
        Some(_) => {
            checks.fail("role", "must be user or admin");
            None
        }
        None => None,
    };
    let role = checks.finish(role)?;
    let rule = |user: &mut User, now| Ok(user.set_role(role, now));
    let changed = match role {
        Role::Admin => app.people.change(id, rule).await,
        _ => app.people.take_away(id, rule).await,
    };
    let user = changed?;
    Ok(Json(ProfileView::of(user).ok_or(Error::NotFound)?))
}
