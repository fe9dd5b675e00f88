//! `GET /actuator/info`

use axum::extract::State;
use common::http::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// Description of the running service.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorInfo {
    app: ActuatorApp,
    /// Currency of all prices (ISO 4217).
    currency: String,
}

/// Name and version of the service.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorApp {
    name: &'static str,
    version: String,
    environment: String,
}

/// Returns name, version and environment of the service.
#[utoipa::path(get, path = "/actuator/info", tag = "actuator", responses((status = 200, body = ActuatorInfo)))]
pub(super) async fn info(State(app): State<AppState>) -> Json<ActuatorInfo> {
    let info = &app.info;
    let (version, environment) = (info.version.clone(), info.environment.clone());
    let app = ActuatorApp { name: info.service, version, environment };
    Json(ActuatorInfo { app, currency: info.currency.clone() })
}
