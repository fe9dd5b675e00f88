//! Long polls: requests that wait for a change before they respond.
//!
//! A waiting request occupies one of the places of [`LongPolls`] instead of a place among the requests that are handled,
//! so that many clients can wait without taking capacity from others. Its waiting time counts for no latency figure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use prometheus::IntCounterVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::ApiError;
use super::overload::{counter, overload};
use crate::task::request_context::{self, WaitedTime};
use crate::telemetry::metrics::Metrics;

/// Maximum number of requests that wait at once. Each occupies a connection of a client and no other resource.
const MAX_WAITING: usize = 512;
/// Part of a request's time that is left for its response after waiting.
const RESERVE: Duration = Duration::from_secs(1);

/// Requests that wait for a change. Clones share the places.
#[derive(Clone, Debug)]
pub struct LongPolls {
    places: Arc<Semaphore>,
    ended: CancellationToken,
    shed: IntCounterVec,
}

impl LongPolls {
    /// Creates the places.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let (places, ended) = (Arc::new(Semaphore::new(MAX_WAITING)), CancellationToken::new());
        Self { places, ended, shed: counter(metrics) }
    }

    /// Returns the number of free places.
    #[must_use]
    pub fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    /// Moves a request from its place among the handled requests to one among the waiting requests.
    ///
    /// # Errors
    /// 503 with `Retry-After` if no place is free.
    pub fn begin(&self, place: &RequestPlace) -> Result<LongPoll, ApiError> {
        let permit = self.places.clone().try_acquire_owned().map_err(|_| overload(&self.shed, "waiting"))?;
        place.release();
        Ok(LongPoll { ended: self.ended.clone(), _permit: permit })
    }

    /// Ends the waiting of all requests, at shutdown.
    pub fn end(&self) {
        self.ended.cancel();
    }
}

/// Request that waits for a change.
#[derive(Debug)]
pub struct LongPoll {
    ended: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl LongPoll {
    /// Waits for a change. Returns whether it happened by `until`; false also at shutdown and shortly before the time of
    /// the request is over.
    pub async fn wait(&self, until: Instant, change: impl Future<Output = ()>) -> bool {
        let context = request_context::current();
        let latest = context.as_ref().and_then(|context| context.deadline.checked_sub(RESERVE));
        let until = latest.map_or(until, |latest| latest.min(until));
        let _timer = WaitTimer { begun: Instant::now(), waited: context.map(|context| context.waited) };
        tokio::select! {
            biased;
            () = self.ended.cancelled() => false,
            outcome = timeout_at(until, change) => outcome.is_ok(),
        }
    }
}

/// Adds the time of its life to the waiting time of the request, also if the client disconnects.
struct WaitTimer {
    begun: Instant,
    waited: Option<WaitedTime>,
}

impl Drop for WaitTimer {
    fn drop(&mut self) {
        if let Some(waited) = &self.waited {
            waited.add(self.begun.elapsed());
        }
    }
}

/// Place of a request among those that are handled at once. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RequestPlace(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl RequestPlace {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Releases the place to another request.
    pub(super) fn release(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestPlace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::internal("the request has no place"))
    }
}
