//! `rate-limiting`: fixed windows by the clock, with one counter per client address.
//!
//! Each occurrence of the plugin in the file has its own counters, so that routes do not use up each other's limits.

mod config;
mod counters;
mod window;

use std::net::IpAddr;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use serde::Deserialize;

use config::Config;
use counters::Counters;
use window::Period;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Occurrence of the plugin, with its counters.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub(crate) struct RateLimiting {
    /// Limits from the shortest period to the longest.
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

/// Decision of the rate limiter on a request, with its rate-limit headers.
#[derive(Debug)]
pub(crate) struct Decision {
    /// Headers of the response of either the upstream or the gateway.
    pub(crate) headers: HeaderMap,
    pub(crate) rejected: bool,
}

impl RateLimiting {
    pub(crate) fn rejection(&self) -> (StatusCode, &str) {
        (self.error_code, &self.error_message)
    }

    /// Counts a request of `client` at `now` (seconds since 1970) unless one of its limits is exhausted.
    pub(crate) fn check(&self, client: IpAddr, now: i64) -> Decision {
        let starts: Vec<i64> = self.limits.iter().map(|limit| limit.period.start(now)).collect();
        let exceeded = |used: &[u64]| {
            self.limits.iter().zip(used).rposition(|(limit, used): (&Limit, &u64)| *used >= limit.requests)
        };
        let (used, exceeded) = self.counters.count(client, &starts, exceeded);
        let headers = if self.hide_headers { HeaderMap::new() } else { self.headers(&starts, &used, exceeded, now) };
        Decision { headers, rejected: exceeded.is_some() }
    }

    /// Returns the headers, where `used` counts the earlier requests. The three short headers describe the window with the
    /// fewest remaining requests, and the longest of several.
    fn headers(&self, starts: &[i64], used: &[u64], exceeded: Option<usize>, now: i64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut tightest: Option<(u64, usize)> = None;
        for (index, (limit, used)) in self.limits.iter().zip(used).enumerate() {
            let counted = u64::from(exceeded.is_none() || exceeded == Some(index));
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
        if exceeded.is_some() {
            headers.insert(RETRY_AFTER, HeaderValue::from(reset));
        }
        headers
    }
}

#[cfg(test)]
mod tests;
