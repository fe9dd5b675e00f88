//! `/actuator/health`, `/actuator/info` and `/actuator/prometheus`: what monitoring of the older service asks.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use common::http::{DependencyStatus, Health, Json};
use common::metrics::Metrics;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::AppState;

/// What the service says of itself.
pub(crate) struct About {
    pub(crate) service: &'static str,
    pub(crate) version: String,
    pub(crate) environment: String,
    pub(crate) currency: String,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}

/// The service's health as Spring Boot tells it.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorHealth {
    /// `UP` or `DOWN`.
    #[schema(example = "UP")]
    status: &'static str,
    components: BTreeMap<&'static str, ActuatorComponent>,
}

/// Something that the service needs.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorComponent {
    /// `UP`, `DOWN`, or `UNKNOWN` for something that the service works without.
    #[schema(example = "UP")]
    status: &'static str,
}

/// Whether the service works, and what it needs for that.
#[utoipa::path(
    get,
    path = "/actuator/health",
    tag = "actuator",
    responses((status = 200, body = ActuatorHealth), (status = 503, description = "DOWN", body = ActuatorHealth))
)]
pub(super) async fn health(State(app): State<AppState>) -> (StatusCode, Json<ActuatorHealth>) {
    let report = app.about.health.report().await;
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

/// What runs here.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorInfo {
    app: ActuatorApp,
    /// The currency that prices are in (ISO 4217).
    currency: String,
}

/// The service by name and version.
#[derive(Serialize, ToSchema)]
pub(super) struct ActuatorApp {
    name: &'static str,
    version: String,
    environment: String,
}

/// Name, version and environment of the service.
#[utoipa::path(get, path = "/actuator/info", tag = "actuator", responses((status = 200, body = ActuatorInfo)))]
pub(super) async fn info(State(app): State<AppState>) -> Json<ActuatorInfo> {
    let about = &app.about;
    let (version, environment) = (about.version.clone(), about.environment.clone());
    let app = ActuatorApp { name: about.service, version, environment };
    Json(ActuatorInfo { app, currency: about.currency.clone() })
}

/// The metrics in Prometheus' text form, as at `/metrics`.
#[utoipa::path(
    get,
    path = "/actuator/prometheus",
    tag = "actuator",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn prometheus(State(app): State<AppState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.about.metrics.render())
}
