//! `GET /actuator/health`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{DependencyStatus, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// Health in the format of Spring Boot.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorHealth {
    /// `UP` or `DOWN`.
    #[schema(example = "UP")]
    status: &'static str,
    components: BTreeMap<&'static str, ActuatorComponent>,
}

/// Dependency of the service.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorComponent {
    /// `UP`, `DOWN`, or `UNKNOWN` for a failed optional dependency.
    #[schema(example = "UP")]
    status: &'static str,
}

/// Returns the health of the service and its dependencies.
#[utoipa::path(
    get,
    path = "/actuator/health",
    tag = "actuator",
    responses((status = 200, body = ActuatorHealth), (status = 503, description = "DOWN", body = ActuatorHealth))
)]
pub(super) async fn health(State(app): State<AppState>) -> (StatusCode, Json<ActuatorHealth>) {
    let report = app.info.health.report().await;
    let status = |status| match status {
        DependencyStatus::Up => "UP",
        DependencyStatus::Degraded => "UNKNOWN",
        DependencyStatus::Down => "DOWN",
    };
    let components = report
        .dependencies
        .iter()
        .map(|dependency| (dependency.name, ActuatorComponent { status: status(dependency.status) }))
        .collect();
    let (code, status) =
        if report.is_ready() { (StatusCode::OK, "UP") } else { (StatusCode::SERVICE_UNAVAILABLE, "DOWN") };
    (code, Json(ActuatorHealth { status, components }))
}
