//! Throttling of sign-ins to one account from many addresses.

use chrono::TimeDelta;
use testkit::{ApiResponse, ResponseExt as _};

use crate::support::TestApi;

fn retry_after(response: ApiResponse) -> i64 {
    let seconds = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
    response.problem(429, "TOO_MANY_REQUESTS");
    seconds
}

pub(crate) async fn failures_from_many_addresses_delay_attempts_without_a_lock(api: TestApi) {
    let other = api.another_instance().await;
    api.register("john@example.com").await;
    for email in ["john@example.com", "nobody@example.com"] {
        let mut address = 0;
        let mut attempt = async |password: &str| {
            address += 1;
            let api = if address % 2 == 0 { &api } else { &other };
            api.login_from(&format!("198.51.100.{address}"), email, password).await
        };
        for _ in 0..11 {
            attempt("password124").await.problem(401, "INVALID_CREDENTIALS");
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(retry_after(attempt("password123").await), expected, "{email}");
            api.clock.advance(TimeDelta::seconds(expected));
            attempt("password124").await.problem(401, "INVALID_CREDENTIALS");
        }
        assert_eq!(retry_after(attempt("password123").await), 60);
        if email == "john@example.com" {
            api.login(email, "password123").await.json(200);
            assert_eq!(retry_after(attempt("password123").await), 60, "the attack continues");
            api.clock.advance(TimeDelta::seconds(60));
            attempt("password123").await.json(200);
            for _ in 0..11 {
                attempt("password124").await.problem(401, "INVALID_CREDENTIALS");
            }
        }
    }
}

pub(crate) async fn concurrent_attempts_from_many_addresses_do_not_exceed_the_limit(api: TestApi) {
    let attempts = (0..40).map(|number| async move { format!("198.51.100.{number}") });
    let attempts = attempts
        .map(|address| async { api.login_from(&address.await, "john@example.com", "password124").await.status });
    let statuses = futures::future::join_all(attempts).await;
    let verified = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(verified, 11, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}

pub(crate) async fn addresses_of_one_ipv6_network_count_as_one(api: TestApi) {
    api.register("john@example.com").await;
    for host in 1..=10 {
        let address = format!("2001:db8:1:2::{host:x}");
        api.login_from(&address, "john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
    }
    let throttled = api.login_from("2001:db8:1:2:ffff::1", "john@example.com", "password123").await;
    assert!(retry_after(throttled) > 60, "by the network");
    api.login_from("2001:db8:1:3::1", "john@example.com", "password123").await.json(200);
}
