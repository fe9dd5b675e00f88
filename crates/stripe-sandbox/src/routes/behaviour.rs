//! `PUT` and `GET /sandbox/behaviour`: how badly the provider behaves. Stripe has no such call.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::behaviour::Behaviour;
use crate::http::answer::ApiError;
use crate::http::auth::{self, Caller};
use crate::sandbox::App;

/// Sets the rates; those that are left out are none.
pub(crate) async fn put(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    check(&app, &request)?;
    let Json(behaviour) = Json::<Behaviour>::from_request(request, &())
        .await
        .map_err(|rejection| ApiError::invalid(rejection.body_text()).status(rejection.status()))?;
    if let Some(problem) = behaviour.problem() {
        return Err(ApiError::invalid(problem));
    }
    app.settings.behaviour.set(behaviour);
    Ok((StatusCode::OK, Json(behaviour)).into_response())
}

/// The rates as they are.
pub(crate) async fn get(State(app): State<App>, request: Request) -> Result<Json<Behaviour>, ApiError> {
    check(&app, &request)?;
    Ok(Json(app.settings.behaviour.get()))
}

fn check(app: &App, request: &Request) -> Result<(), ApiError> {
    match auth::caller(request.headers(), &app.settings.secret_key)? {
        Caller::Account => Ok(()),
        Caller::Browser => Err(auth::secret_key_required()),
    }
}
