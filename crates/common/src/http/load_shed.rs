//! Shedding of load: what cannot be done in time is refused at once, before memory and time to answer grow without bound.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use prometheus::IntCounterVec;
use tokio::sync::Semaphore;

use super::receive::{NotReceived, Reception};
use super::{ApiError, HttpSettings};
use crate::telemetry::metrics::Metrics;

/// When one that was refused may come back.
const COME_BACK: std::time::Duration = std::time::Duration::from_secs(1);

/// The counter of requests that were refused, by reason.
#[must_use]
pub fn counter(metrics: &Metrics) -> IntCounterVec {
    metrics.counter_vec(
        "http_server_requests_shed_total",
        "Requests that were refused, since there were too many.",
        &["reason"],
    )
}

/// How many requests a service receives and handles at once.
pub(super) struct Places {
    places: Arc<Semaphore>,
    reception: Reception,
    shed: IntCounterVec,
}

impl Places {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let shed = counter(&settings.metrics);
        for reason in ["requests", "bodies"] {
            shed.with_label_values(&[reason]).inc_by(0);
        }
        Self { places: Arc::new(Semaphore::new(settings.most_requests)), reception: Reception::new(), shed }
    }

    fn overload(&self, reason: &str) -> Response {
        self.shed.with_label_values(&[reason]).inc();
        let detail = "The service has more to do than it can; come back in a moment";
        ApiError::new(ErrorCode::ServiceUnavailable, detail).retry_after(COME_BACK).into_response()
    }
}

/// Handles the request if there is a place once its body has arrived; else it is refused with 503 and `Retry-After`.
pub(super) async fn shed(State(places): State<Arc<Places>>, request: Request, next: Next) -> Response {
    let request = match places.reception.receive(request).await {
        Ok(request) => request,
        Err(NotReceived::Overload) => return places.overload("bodies"),
        Err(NotReceived::Rejected(error)) => return error.into_response(),
    };
    let Ok(_place) = places.places.clone().try_acquire_owned() else { return places.overload("requests") };
    next.run(request).await
}
