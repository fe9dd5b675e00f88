//! `PUT` and `GET /sandbox/behaviour`: fault rates. Stripe has no such endpoint.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::faults::FaultRates;
use crate::http::auth::{self, Caller};
use crate::http::response::ApiError;
use crate::state::AppState;

/// Sets the rates; omitted ones are 0.
pub(crate) async fn put(State(app): State<AppState>, request: Request) -> Result<Response, ApiError> {
    require_account(&app, &request)?;
    let Json(rates) = Json::<FaultRates>::from_request(request, &())
        .await
        .map_err(|rejection| ApiError::invalid(rejection.body_text()).status(rejection.status()))?;
    if let Some(reason) = rates.validation_error() {
        return Err(ApiError::invalid(reason));
    }
    app.settings.faults.set(rates);
    Ok((StatusCode::OK, Json(rates)).into_response())
}

/// Returns the current rates.
pub(crate) async fn get(State(app): State<AppState>, request: Request) -> Result<Json<FaultRates>, ApiError> {
    require_account(&app, &request)?;
    Ok(Json(app.settings.faults.get()))
}

fn require_account(app: &AppState, request: &Request) -> Result<(), ApiError> {
    match auth::caller(request.headers(), &app.settings.secret_key)? {
        Caller::Account => Ok(()),
        Caller::Browser => Err(auth::secret_key_required()),
    }
}
