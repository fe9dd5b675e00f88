//! Limits of a request: body size, time, panics.

pub(super) mod body;

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

use super::error::deadline_exceeded;
use super::{ApiError, Uploads};
use crate::fault::failpoint;
use crate::task::panic::panic_message;
use crate::task::request_context;

/// Grace period in which a mutating handler may finish after its client has received 504. A cancelled handler would
/// leave its work to the recovery workers.
const WRITE_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Runs the handler within the limits. A mutating handler runs as its own task, so a disconnecting client does not
/// cancel it.
pub(super) async fn request_limits(
    State((in_flight, uploads)): State<(TaskTracker, Option<Uploads>)>,
    request: Request,
    next: Next,
) -> Response {
    if !http_server::has_valid_host(request.version(), request.headers()) {
        return ApiError::validation(vec![invalid_host()]).into_response();
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let request = match body::limit(request, uploads) {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let handler =
        AssertUnwindSafe(next.run(request)).catch_unwind().map(|outcome| outcome.unwrap_or_else(panic_response));
    let Some(context) = request_context::current() else {
        return ApiError::internal("the request has no context").into_response();
    };
    let deadline = context.deadline;
    if reads {
        return timeout_at(deadline, handler).await.unwrap_or_else(|_| deadline_response());
    }
    let task = context.scope(timeout_at(deadline + WRITE_GRACE_PERIOD, handler)).in_current_span();
    match timeout_at(deadline, in_flight.spawn(failpoint::inherit_crash(task))).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(fault)) => ApiError::internal(fault).into_response(),
        Ok(Ok(Err(_))) | Err(_) => deadline_response(),
    }
}

/// Returns the problem of a `Host` header that is missing, repeated or malformed (RFC 9112, section 3.2).
fn invalid_host() -> FieldError {
    let message = "must be sent once, as a host with an optional port".to_owned();
    FieldError { field: "Host".to_owned(), message }
}

fn deadline_response() -> Response {
    deadline_exceeded().into_response()
}

// `catch_unwind` returns the panic by value.
#[expect(clippy::needless_pass_by_value, reason = "`catch_unwind` returns a box")]
fn panic_response(panic: Box<dyn Any + Send>) -> Response {
    ApiError::internal(format!("handler panicked: {}", panic_message(&*panic))).into_response()
}

/// Returns the deadline of a request that begins now.
pub(super) fn deadline(allowed: Duration) -> Instant {
    Instant::now() + allowed
}
