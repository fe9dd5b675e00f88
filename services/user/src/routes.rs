//! HTTP endpoints of the user service.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

mod change_password;
mod delete_user;
mod export_me;
mod forgot_password;
mod get_user;
mod jwks;
mod list_users;
mod login;
mod logout;
mod me;
mod my_sessions;
mod refresh;
mod register;
mod request;
mod request_verification;
mod reset_password;
mod response;
mod revocations;
mod send_password_reset;
mod set_role;
mod token;
mod update_user;
mod user_sessions;
mod verify_email;

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
        .routes(routes!(forgot_password::forgot_password))
        .routes(routes!(reset_password::reset_password))
        .routes(routes!(verify_email::verify_email))
        .routes(routes!(request_verification::request_verification))
        .routes(routes!(send_password_reset::send_password_reset))
        .routes(routes!(my_sessions::list_my_sessions, my_sessions::end_my_other_sessions))
        .routes(routes!(my_sessions::end_my_session))
        .routes(routes!(user_sessions::list_user_sessions, user_sessions::end_user_sessions))
        .routes(routes!(user_sessions::end_user_session))
        .routes(routes!(export_me::export_me))
        .with_state(state)
}
