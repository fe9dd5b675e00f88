//! `GET /actuator/prometheus`

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::state::AppState;

/// Returns the metrics in the Prometheus text format, as `/metrics` does.
#[utoipa::path(
    get,
    path = "/actuator/prometheus",
    tag = "actuator",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn prometheus(State(app): State<AppState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.info.metrics.render())
}
