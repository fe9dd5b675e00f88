//! Load shedding: excess requests are rejected at once, before memory and latency grow without bound.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus::IntCounterVec;
use tokio::sync::Semaphore;

use super::HttpSettings;
use super::limits::body::Upload;
use super::long_poll::RequestPlace;
pub use super::overload::counter;
use super::overload::overload;
use super::receive::{NotReceived, Reception};

/// Limit of requests that are received and handled at once.
pub(super) struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    reception: Reception,
    shed: IntCounterVec,
}

impl ConcurrencyLimit {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let shed = counter(&settings.metrics);
        for reason in ["requests", "bodies", "waiting"] {
            shed.with_label_values(&[reason]).inc_by(0);
        }
        Self { permits: Arc::new(Semaphore::new(settings.max_concurrent_requests)), reception: Reception::new(), shed }
    }

    fn overload(&self, reason: &str) -> Response {
        overload(&self.shed, reason).into_response()
    }
}

/// Handles a request if there is a permit once its body has arrived; otherwise rejects it with 503 and `Retry-After`.
pub(super) async fn load_shed(State(limit): State<Arc<ConcurrencyLimit>>, request: Request, next: Next) -> Response {
    let request = if request.extensions().get::<Upload>().is_some() {
        request
    } else {
        match limit.reception.receive(request).await {
            Ok(request) => request,
            Err(NotReceived::Overload) => return limit.overload("bodies"),
            Err(NotReceived::Rejected(error)) => return error.into_response(),
        }
    };
    let Ok(permit) = limit.permits.clone().try_acquire_owned() else { return limit.overload("requests") };
    let place = RequestPlace::new(permit);
    let mut request = request;
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    place.release();
    response
}
