//! `rate-limiting`: fixed windows by the clock, a counter a client address.
//!
//! Each place in the file where the plugin stands counts for itself, so that routes do not use up each other's limits.

mod counters;
mod settings;
mod window;

use std::net::IpAddr;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use counters::Counters;
use window::Period;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// One place where the plugin stands, with its counters.
#[derive(Debug)]
pub(crate) struct RateLimiting {
    /// From the shortest period to the longest.
    limits: Vec<Limit>,
    hide_headers: bool,
    error_code: StatusCode,
    error_message: String,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    period: Period,
    requests: u64,
}

/// What the limits say to a request.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// For the answer, whoever gives it.
    pub(crate) headers: HeaderMap,
    pub(crate) refused: bool,
}

impl RateLimiting {
    pub(crate) fn refusal(&self) -> (StatusCode, &str) {
        (self.error_code, &self.error_message)
    }

    /// Counts a request of `client` at `now` (seconds since 1970) unless one of its limits is used up.
    pub(crate) fn check(&self, client: IpAddr, now: i64) -> Verdict {
        let starts: Vec<i64> = self.limits.iter().map(|limit| limit.period.start(now)).collect();
        let full = |used: &[u64]| {
            let exceeded = |(limit, used): (&Limit, &u64)| *used >= limit.requests;
            self.limits.iter().zip(used).rposition(exceeded)
        };
        let (used, stop) = self.counters.count(client, &starts, full);
        let headers = if self.hide_headers { HeaderMap::new() } else { self.headers(&starts, &used, stop, now) };
        Verdict { headers, refused: stop.is_some() }
    }

    /// `used` counts the requests before this one. The three short headers speak of the window with the least left, of
    /// several the longest.
    fn headers(&self, starts: &[i64], used: &[u64], stop: Option<usize>, now: i64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut tightest: Option<(u64, usize)> = None;
        for (index, (limit, used)) in self.limits.iter().zip(used).enumerate() {
            let counted = u64::from(stop.is_none() || stop == Some(index));
            let remaining = limit.requests.saturating_sub(used.saturating_add(counted));
            if tightest.is_none_or(|(least, _)| remaining <= least) {
                tightest = Some((remaining, index));
            }
            headers.insert(limit.period.limit_header(), limit.requests.into());
            headers.insert(limit.period.remaining_header(), remaining.into());
        }
        let Some((remaining, index)) = tightest else {
            return headers;
        };
        let limit = self.limits[index];
        let passed = now.saturating_sub(starts[index]);
        let reset = limit.period.seconds().saturating_sub(passed).max(1);
        headers.insert(LIMIT, limit.requests.into());
        headers.insert(REMAINING, remaining.into());
        headers.insert(RESET, HeaderValue::from(reset));
        if stop.is_some() {
            headers.insert(RETRY_AFTER, HeaderValue::from(reset));
        }
        headers
    }
}

#[cfg(test)]
mod tests;
