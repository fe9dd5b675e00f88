//! What keeps one request from harming the service: its body's size, its time, its panics.

mod body;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::FieldError;
use futures::FutureExt;
use http::Method;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::ApiError;
use super::error::deadline_exceeded;
use crate::task::request_context;

/// How long a handler that writes may go on after its client was told that it took too long. It ends what it began,
/// since a cancelled one would leave that to the jobs that clean up.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the handler. One that may write runs as a task of its own, so that a client that goes away does not end it midway.
pub(super) async fn guard(State(in_flight): State<TaskTracker>, request: Request, next: Next) -> Response {
    if !http_server::has_valid_host(request.version(), request.headers()) {
        return ApiError::validation(vec![invalid_host()]).into_response();
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let request = match body::limit(request) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    let handler = AssertUnwindSafe(next.run(request)).catch_unwind().map(|outcome| outcome.unwrap_or_else(panicked));
    let Some(context) = request_context::current() else {
        return ApiError::internal("a request has no context").into_response();
    };
    let deadline = context.deadline;
    if reads {
        return timeout_at(deadline, handler).await.unwrap_or_else(|_| late());
    }
    let task = context.scope(timeout_at(deadline + GRACE, handler)).in_current_span();
    match timeout_at(deadline, in_flight.spawn(task)).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(fault)) => ApiError::internal(fault).into_response(),
        Ok(Ok(Err(_))) | Err(_) => late(),
    }
}

/// Problem of a `Host` header that is missing, repeated or malformed (RFC 9112, section 3.2).
fn invalid_host() -> FieldError {
    let message = "must be sent once, as a host with an optional port".to_owned();
    FieldError { field: "Host".to_owned(), message }
}

fn late() -> Response {
    deadline_exceeded().into_response()
}

// By value, as `catch_unwind` gives it.
#[expect(clippy::needless_pass_by_value, reason = "it is the form in which a panic is caught")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal(format!("a handler panicked: {}", message.unwrap_or("without a message"))).into_response()
}

/// When a request that begins now must be answered.
pub(super) fn deadline(allowed: Duration) -> Instant {
    Instant::now() + allowed
}
