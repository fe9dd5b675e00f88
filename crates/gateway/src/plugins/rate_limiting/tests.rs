use std::net::Ipv4Addr;

use super::*;

/// 40 s into a minute and 10:40 min into an hour.
const NOW: i64 = 1_700_000_000 - 1_700_000_000 % 3_600 + 640;

fn limits(config: &str) -> RateLimiting {
    serde_saphyr::from_str(&format!("{{{config}}}")).unwrap()
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn header(decision: &Decision, name: &str) -> i64 {
    decision.headers[name].to_str().unwrap().parse().unwrap()
}

#[test]
fn limit_counts_down_and_rejects() {
    let limits = limits("minute: 2, hour: 10");
    let first = limits.check(ip(1), NOW);
    assert!(!first.rejected);
    assert_eq!(header(&first, "x-ratelimit-limit-minute"), 2);
    assert_eq!(header(&first, "x-ratelimit-remaining-minute"), 1);
    assert_eq!(header(&first, "x-ratelimit-limit-hour"), 10);
    assert_eq!(header(&first, "x-ratelimit-remaining-hour"), 9);
    assert_eq!(header(&first, "ratelimit-limit"), 2);
    assert_eq!(header(&first, "ratelimit-remaining"), 1);
    assert_eq!(header(&first, "ratelimit-reset"), 20);
    assert!(!first.headers.contains_key(RETRY_AFTER));
    assert!(!limits.check(ip(1), NOW).rejected);

    let third = limits.check(ip(1), NOW + 5);
    assert!(third.rejected);
    assert_eq!(header(&third, "retry-after"), 15);
    assert_eq!(header(&third, "ratelimit-remaining"), 0);
    // A rejected request is not counted in the windows that still have room.
    assert_eq!(header(&third, "x-ratelimit-remaining-hour"), 8);
}

#[test]
fn window_ends_by_the_clock() {
    let limits = limits("minute: 1");
    assert!(!limits.check(ip(1), NOW).rejected);
    assert!(limits.check(ip(1), NOW + 19).rejected);
    assert!(!limits.check(ip(1), NOW + 20).rejected);
}

#[test]
fn longer_of_two_exhausted_windows_sets_the_reset() {
    let limits = limits("minute: 1, hour: 1");
    assert_eq!(header(&limits.check(ip(1), NOW), "ratelimit-reset"), 2_960);
    assert_eq!(header(&limits.check(ip(1), NOW), "retry-after"), 2_960);
}

#[test]
fn addresses_have_separate_counters() {
    let limits = limits("minute: 1");
    assert!(!limits.check(ip(1), NOW).rejected);
    assert!(!limits.check(ip(2), NOW).rejected);
    assert!(limits.check(ip(1), NOW).rejected);
}

#[test]
fn headers_can_be_hidden_and_the_rejection_changed() {
    let limits = limits("minute: 1, hide_client_headers: true, error_code: 503, error_message: slow down");
    assert!(limits.check(ip(1), NOW).headers.is_empty());
    let rejected = limits.check(ip(1), NOW);
    assert!(rejected.rejected);
    assert_eq!(limits.rejection(), (StatusCode::SERVICE_UNAVAILABLE, "slow down"));
}
