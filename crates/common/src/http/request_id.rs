//! Request id and time limit that a client sends with a request.

use std::sync::Arc;
use std::time::Duration;

use crate::task::request_context::{REQUEST_ID, REQUEST_TIMEOUT};
use crate::telemetry::clock::{Clock, uuid_v7};
use http::HeaderMap;

/// Maximum length of a client's request id, in characters.
const MAX_REQUEST_ID: usize = 128;

/// Returns the client's id if it has one to 128 visible ASCII characters, otherwise a new one (UUID version 7).
pub(crate) fn take_request_id(headers: &HeaderMap, clock: &dyn Clock) -> Arc<str> {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| is_sane(id)) {
        Some(id) => id.into(),
        None => uuid_v7(clock.now()).to_string().into(),
    }
}

fn is_sane(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns the time limit of a request: that of the service, or less if the client requests it.
pub(crate) fn time_allowed(headers: &HeaderMap, most: Duration) -> Duration {
    let asked = headers.get(&REQUEST_TIMEOUT).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    asked.map_or(most, |millis| Duration::from_millis(millis).min(most))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use uuid::Uuid;

    use super::*;
    use crate::telemetry::clock::SystemClock;

    fn taken(given: &str) -> String {
        let headers = HeaderMap::from_iter([(REQUEST_ID.clone(), HeaderValue::from_bytes(given.as_bytes()).unwrap())]);
        take_request_id(&headers, &SystemClock).as_ref().to_owned()
    }

    #[test]
    fn valid_request_id_is_accepted() {
        assert_eq!(taken("abc-1/x"), "abc-1/x");
        assert_eq!(taken(&"a".repeat(128)), "a".repeat(128));
    }

    #[test]
    fn invalid_request_id_is_replaced() {
        for given in ["", "two words", "tab\there", "umlaut-\u{e4}", &"a".repeat(129)] {
            let id: Uuid = taken(given).parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{given}");
        }
    }

    #[test]
    fn caller_can_only_shorten_the_time() {
        let most = Duration::from_secs(30);
        for (given, allowed) in [("250", 250), ("60000", 30_000), ("-1", 30_000), ("soon", 30_000), ("0", 0)] {
            let headers = HeaderMap::from_iter([(REQUEST_TIMEOUT.clone(), HeaderValue::from_static(given))]);
            assert_eq!(time_allowed(&headers, most), Duration::from_millis(allowed), "{given}");
        }
        assert_eq!(time_allowed(&HeaderMap::new(), most), most);
    }
}
