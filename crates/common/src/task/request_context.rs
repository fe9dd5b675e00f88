//! What is known of the request that is being handled, wherever it is asked for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio::time::Instant;

/// Carries the request's id, from hop to hop and back to the client.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Carries the milliseconds that are left for the request.
pub static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// What is known of a request. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) request_id: Arc<str>,
    pub(crate) deadline: Instant,
}

tokio::task_local! {
    static CONTEXT: RequestContext;
}

/// The time of work that outlives its request.
const DETACHED_TIME: Duration = Duration::from_secs(30);

impl RequestContext {
    /// Returns the context for work that many requests share: the deadline of this one does not bind it.
    pub(crate) fn without_deadline(self) -> Self {
        Self { deadline: Instant::now() + DETACHED_TIME, ..self }
    }

    /// Runs `work` as a part of this request.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        CONTEXT.scope(self, work).await
    }
}

/// What is known of the current request.
pub(crate) fn current() -> Option<RequestContext> {
    CONTEXT.try_with(Clone::clone).ok()
}

/// The current request's id; `None` outside of requests.
#[must_use]
pub fn request_id() -> Option<String> {
    CONTEXT.try_with(|context| context.request_id.as_ref().to_owned()).ok()
}

/// When the current request must be answered; `None` outside of requests.
#[must_use]
pub fn deadline() -> Option<Instant> {
    CONTEXT.try_with(|context| context.deadline).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outside_of_requests_nothing_is_known() {
        assert_eq!(request_id(), None);
        assert_eq!(deadline(), None);
    }
}
