use std::net::Ipv4Addr;

use super::*;
use crate::GatewayConfig;

/// 40 s into a minute and 10:40 min into an hour.
const NOW: i64 = 1_700_000_000 - 1_700_000_000 % 3_600 + 640;

fn limits(config: &str) -> std::sync::Arc<RateLimiting> {
    let yaml = format!("_format_version: \"3.0\"\nplugins:\n- name: rate-limiting\n  config: {{{config}}}\n");
    GatewayConfig::parse(&yaml).unwrap().plugins.rate_limiting.unwrap()
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn header(verdict: &Verdict, name: &str) -> i64 {
    verdict.headers[name].to_str().unwrap().parse().unwrap()
}

#[test]
fn counts_down_and_refuses() {
    let limits = limits("minute: 2, hour: 10");
    let first = limits.check(ip(1), NOW);
    assert!(!first.refused);
    assert_eq!(header(&first, "x-ratelimit-limit-minute"), 2);
    assert_eq!(header(&first, "x-ratelimit-remaining-minute"), 1);
    assert_eq!(header(&first, "x-ratelimit-limit-hour"), 10);
    assert_eq!(header(&first, "x-ratelimit-remaining-hour"), 9);
    assert_eq!(header(&first, "ratelimit-limit"), 2);
    assert_eq!(header(&first, "ratelimit-remaining"), 1);
    assert_eq!(header(&first, "ratelimit-reset"), 20);
    assert!(!first.headers.contains_key(RETRY_AFTER));
    assert!(!limits.check(ip(1), NOW).refused);

    let third = limits.check(ip(1), NOW + 5);
    assert!(third.refused);
    assert_eq!(header(&third, "retry-after"), 15);
    assert_eq!(header(&third, "ratelimit-remaining"), 0);
    // A refused request is not counted in the windows that still have room.
    assert_eq!(header(&third, "x-ratelimit-remaining-hour"), 8);
}

#[test]
fn the_window_ends_by_the_clock() {
    let limits = limits("minute: 1");
    assert!(!limits.check(ip(1), NOW).refused);
    assert!(limits.check(ip(1), NOW + 19).refused);
    assert!(!limits.check(ip(1), NOW + 20).refused);
}

#[test]
fn of_two_windows_that_are_used_up_the_longer_says_when() {
    let limits = limits("minute: 1, hour: 1");
    assert_eq!(header(&limits.check(ip(1), NOW), "ratelimit-reset"), 2_960);
    assert_eq!(header(&limits.check(ip(1), NOW), "retry-after"), 2_960);
}

#[test]
fn addresses_are_counted_apart() {
    let limits = limits("minute: 1");
    assert!(!limits.check(ip(1), NOW).refused);
    assert!(!limits.check(ip(2), NOW).refused);
    assert!(limits.check(ip(1), NOW).refused);
}

#[test]
fn headers_can_be_hidden_and_the_refusal_changed() {
    let limits = limits("minute: 1, hide_client_headers: true, error_code: 503, error_message: slow down");
    assert!(limits.check(ip(1), NOW).headers.is_empty());
    let refused = limits.check(ip(1), NOW);
    assert!(refused.refused);
    assert_eq!(limits.refusal(), (StatusCode::SERVICE_UNAVAILABLE, "slow down"));
}
