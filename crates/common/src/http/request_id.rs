//! The id and the time limit that a client sends with a request.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use uuid::{NoContext, Timestamp, Uuid};

use crate::task::request_context::{REQUEST_ID, REQUEST_TIMEOUT};
use crate::telemetry::clock::Clock;

/// The longest request id that is taken over from a client, in characters.
const MAX_REQUEST_ID: usize = 128;

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
    use crate::telemetry::clock::SystemClock;

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
}
