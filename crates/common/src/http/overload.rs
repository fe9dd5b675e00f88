//! Rejection of requests for which there is no place.

use std::time::Duration;

use contracts::ErrorCode;
use prometheus::IntCounterVec;

use super::ApiError;
use crate::telemetry::metrics::Metrics;

/// Delay before a rejected client should retry.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Returns the counter of rejected requests by reason.
#[must_use]
pub fn counter(metrics: &Metrics) -> IntCounterVec {
    metrics.counter_vec(
        "http_server_requests_shed_total",
        "Requests rejected by load shedding, by reason.",
        &["reason"],
    )
}

/// Counts a rejected request and returns its error: 503 with `Retry-After`.
pub(super) fn overload(shed: &IntCounterVec, reason: &str) -> ApiError {
    shed.with_label_values(&[reason]).inc();
    ApiError::new(ErrorCode::ServiceUnavailable, "Service overloaded, retry later").retry_after(RETRY_AFTER)
}
