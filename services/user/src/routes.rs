//! HTTP endpoints of the user service.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

mod change_password;
mod delete_user;
mod get_user;
mod jwks;
mod list_users;
mod login;
mod logout;
mod me;
mod refresh;
mod register;
mod request;
mod response;
mod revocations;
mod set_role;
mod token;
mod update_user;

/// Returns the router of all endpoints.
pub(crate) fn router(state: AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(token::token))
        .routes(routes!(revocations::list_revocations))
        .routes(routes!(jwks::jwks))
        .routes(routes!(me::get_me, me::update_me))
        .routes(routes!(change_password::change_password))
        .routes(routes!(list_users::list_users))
        .routes(routes!(get_user::get_user, update_user::update_user, delete_user::delete_user))
        .routes(routes!(set_role::set_role))
        .with_state(state)
}
