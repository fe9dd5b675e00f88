//! Middleware that injects faults into responses.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::sleep;
use tracing::Instrument as _;

use crate::faults::roll;
use crate::http::response::ApiError;
use crate::state::AppState;

/// Delay beyond the time-out of any client.
const BEYOND_TIMEOUTS: Duration = Duration::from_secs(90);

/// Delays, replaces or withholds responses by the current fault rates.
pub(crate) async fn layer(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let rates = app.settings.faults.get();
    if rates.latency_ms > 0 {
        sleep(Duration::from_millis(rates.latency_ms)).await;
    }
    let mutates = request.method() != Method::GET;
    if mutates && roll(rates.error_before) {
        return failure();
    }
    // Executed by a separate task, so that a disconnecting client does not cancel it.
    let response = tokio::spawn(next.run(request).in_current_span()).await;
    if mutates && roll(rates.timeout) {
        sleep(BEYOND_TIMEOUTS).await;
    }
    if mutates && roll(rates.error_after) {
        return failure();
    }
    response.unwrap_or_else(|_| failure())
}

fn failure() -> Response {
    ApiError::injected().into_response()
}
