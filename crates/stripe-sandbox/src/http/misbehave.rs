//! Answers that go wrong on purpose.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::sleep;
use tracing::Instrument as _;

use crate::behaviour::strikes;
use crate::http::answer::ApiError;
use crate::sandbox::App;

/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(90);

/// Delays, refuses or loses answers by the rates that are set.
pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let behaviour = app.settings.behaviour.get();
    if behaviour.latency_ms > 0 {
        sleep(Duration::from_millis(behaviour.latency_ms)).await;
    }
    let changes = request.method() != Method::GET;
    if changes && strikes(behaviour.error_before) {
        return failure();
    }
    // Done by a task of its own: a client that gives up waiting does not undo it.
    let done = tokio::spawn(next.run(request).in_current_span()).await;
    if changes && strikes(behaviour.timeout) {
        sleep(FOREVER).await;
    }
    if changes && strikes(behaviour.error_after) {
        return failure();
    }
    done.unwrap_or_else(|_| failure())
}

fn failure() -> Response {
    ApiError::intended().into_response()
}
