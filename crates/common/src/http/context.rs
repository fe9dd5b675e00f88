//! What is known of the request that is being handled, wherever it is asked for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use uuid::{NoContext, Timestamp, Uuid};

use super::TrustedProxies;
use crate::clock::Clock;

/// Carries the request's id, from hop to hop and back to the client.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Carries the milliseconds that are left for the request.
pub static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// The longest request id that is taken over from a client, in characters.
const MAX_REQUEST_ID: usize = 128;

/// What is known of a request. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) request_id: Arc<str>,
    pub(crate) deadline: Instant,
    pub(crate) trusted_proxies: TrustedProxies,
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

/// The id that the client gave, if it is one to 128 visible ASCII characters; else a new one (UUID version 7).
pub(crate) fn take_request_id(headers: &HeaderMap, clock: &dyn Clock) -> Arc<str> {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| is_sane(id)) {
        Some(id) => id.into(),
        None => new_request_id(clock).into(),
    }
}

fn is_sane(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn new_request_id(clock: &dyn Clock) -> String {
    let now = clock.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())).to_string()
}

/// The time that a request may take: what the service allows, or less if the caller says so.
pub(crate) fn time_allowed(headers: &HeaderMap, most: Duration) -> Duration {
    let asked = headers.get(&REQUEST_TIMEOUT).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    asked.map_or(most, |millis| Duration::from_millis(millis).min(most))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::clock::SystemClock;

    fn taken(given: &str) -> String {
        let headers = HeaderMap::from_iter([(REQUEST_ID.clone(), HeaderValue::from_bytes(given.as_bytes()).unwrap())]);
        take_request_id(&headers, &SystemClock).as_ref().to_owned()
    }

    #[test]
    fn a_sane_request_id_is_taken_over() {
        assert_eq!(taken("abc-1/x"), "abc-1/x");
        assert_eq!(taken(&"a".repeat(128)), "a".repeat(128));
    }

    #[test]
    fn any_other_request_id_is_replaced() {
        for given in ["", "two words", "tab\there", "umlaut-\u{e4}", &"a".repeat(129)] {
            let id: Uuid = taken(given).parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{given}");
        }
    }

    #[test]
    fn a_caller_can_only_shorten_the_time() {
        let most = Duration::from_secs(30);
        for (given, allowed) in [("250", 250), ("60000", 30_000), ("-1", 30_000), ("soon", 30_000), ("0", 0)] {
            let headers = HeaderMap::from_iter([(REQUEST_TIMEOUT.clone(), HeaderValue::from_static(given))]);
            assert_eq!(time_allowed(&headers, most), Duration::from_millis(allowed), "{given}");
        }
        assert_eq!(time_allowed(&HeaderMap::new(), most), most);
    }

    #[tokio::test]
    async fn outside_of_requests_nothing_is_known() {
        assert_eq!(request_id(), None);
        assert_eq!(deadline(), None);
    }
}
