//! `PUT /api/users/{id}/role`

use axum::extract::State;
use common::http::{AdminOnly, ApiError, Json, Path, Validator};
use contracts::{Problem, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::AccountRole;
use crate::service::UserProfile;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = RoleChange)]
pub(super) struct SetRoleRequest {
    /// New role: `user` or `admin`.
    #[schema(required)]
    role: Option<String>,
}

/// Changes the role of a user. Earlier access tokens of the user are rejected here immediately, in the other services
/// within 5 s.
#[utoipa::path(
    put,
    path = "/api/users/{id}/role",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = SetRoleRequest,
    responses(
        (status = 200, body = UserProfile),
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
    Json(request): Json<SetRoleRequest>,
) -> Result<Json<UserProfile>, ApiError> {
    let mut checks = Validator::new();
    let role = match checks.required("role", request.role).as_deref() {
        Some("user") => Some(AccountRole::User),
        Some("admin") => Some(AccountRole::Admin),
        Some(_) => {
            checks.fail("role", "must be user or admin");
            None
        }
        None => None,
    };
    Ok(Json(app.accounts.set_role(id, checks.finish(role)?).await?))
}
