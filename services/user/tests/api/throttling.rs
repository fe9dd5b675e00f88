//! The limit of sign-ins to one account from everywhere together.

use chrono::TimeDelta;

use crate::harness::{Answer, Shop};

fn retry_after(answer: Answer) -> i64 {
    let seconds = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    answer.refused(429, "TOO_MANY_REQUESTS");
    seconds
}

#[tokio::test]
async fn failures_from_many_addresses_delay_the_next_and_never_lock() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    shop.register("john@example.com").await;
    for email in ["john@example.com", "nobody@example.com"] {
        let mut address = 0;
        let mut attempt = async |password: &str| {
            address += 1;
            let shop = if address % 2 == 0 { &shop } else { &other };
            shop.login_from(&format!("198.51.100.{address}"), email, password).await
        };
        for _ in 0..11 {
            attempt("password124").await.refused(401, "INVALID_CREDENTIALS");
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(retry_after(attempt("password123").await), expected, "{email}");
            shop.clock.advance(TimeDelta::seconds(expected));
            attempt("password124").await.refused(401, "INVALID_CREDENTIALS");
        }
        assert_eq!(retry_after(attempt("password123").await), 60);
        if email == "john@example.com" {
            shop.login(email, "password123").await.expect(200);
            assert_eq!(retry_after(attempt("password123").await), 60, "the attack goes on");
            shop.clock.advance(TimeDelta::seconds(60));
            attempt("password123").await.expect(200);
            for _ in 0..11 {
                attempt("password124").await.refused(401, "INVALID_CREDENTIALS");
            }
        }
    }
}

#[tokio::test]
async fn guesses_at_the_same_time_from_many_addresses_take_turns() {
    let Some(shop) = Shop::open().await else { return };
    let guesses = (0..40).map(|number| async move { format!("198.51.100.{number}") });
    let guesses = guesses
        .map(|address| async { shop.login_from(&address.await, "john@example.com", "password124").await.status });
    let statuses = futures::future::join_all(guesses).await;
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(tried, 11, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_count_as_one() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    for host in 1..=10 {
        let address = format!("2001:db8:1:2::{host:x}");
        shop.login_from(&address, "john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
    }
    let turned_away = shop.login_from("2001:db8:1:2:ffff::1", "john@example.com", "password123").await;
    assert!(retry_after(turned_away) > 60, "by the network");
    shop.login_from("2001:db8:1:3::1", "john@example.com", "password123").await.expect(200);
}
