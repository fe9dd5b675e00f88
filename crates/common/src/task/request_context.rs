//! Context of the current request.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderName;
use tokio::time::Instant;

/// Header with the id of the request, propagated to other services and back to the client.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header with the remaining time of the request in milliseconds.
pub static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Context of a request. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) request_id: Arc<str>,
    pub(crate) deadline: Instant,
    pub(crate) waited: WaitedTime,
}

/// Time that a request waited for a change on purpose. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitedTime(Arc<AtomicU64>);

impl WaitedTime {
    /// Adds a time.
    pub(crate) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the sum of the times.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

tokio::task_local! {
    static CONTEXT: RequestContext;
}

/// Time limit of work that outlives its request.
const DETACHED_TIME: Duration = Duration::from_secs(30);

impl RequestContext {
    /// Returns the context for shared work, which the deadline of this request does not bind.
    pub(crate) fn without_deadline(self) -> Self {
        Self { deadline: Instant::now() + DETACHED_TIME, ..self }
    }

    /// Runs `work` as a part of this request.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        CONTEXT.scope(self, work).await
    }
}

/// Returns the context of the current request.
pub(crate) fn current() -> Option<RequestContext> {
    CONTEXT.try_with(Clone::clone).ok()
}

/// Returns the id of the current request; `None` outside of requests.
#[must_use]
pub fn request_id() -> Option<String> {
    CONTEXT.try_with(|context| context.request_id.as_ref().to_owned()).ok()
}

/// Returns the deadline of the current request; `None` outside of requests.
#[must_use]
pub fn deadline() -> Option<Instant> {
    CONTEXT.try_with(|context| context.deadline).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn context_is_empty_outside_of_requests() {
        assert_eq!(request_id(), None);
        assert_eq!(deadline(), None);
    }
}
