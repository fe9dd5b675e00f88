//! Failed logins.

use chrono::TimeDelta;

use crate::support::{Fixture, at};

const WINDOW: TimeDelta = TimeDelta::minutes(15);

pub(crate) async fn login_failures_are_counted_until_they_expire(fixture: Fixture) {
    let repository = &fixture.repository;
    assert_eq!(repository.login_failures("key", at(0)).await.unwrap().0, 0);
    assert_eq!(repository.record_login_failure("key", WINDOW, at(0)).await.unwrap(), 1);
    assert_eq!(repository.record_login_failure("key", WINDOW, at(60)).await.unwrap(), 2);
    repository.record_login_failure("another", WINDOW, at(60)).await.unwrap();
    assert_eq!(repository.login_failures("key", at(61)).await.unwrap(), (2, at(60) + WINDOW));
    assert_eq!(repository.login_failures("key", at(60) + WINDOW).await.unwrap().0, 0, "the failures have expired");
    repository.purge(at(60)).await.unwrap();
    assert_eq!(repository.login_failures("another", at(61)).await.unwrap().0, 1, "unexpired failures stay");
    repository.purge(at(2000)).await.unwrap();
    assert_eq!(repository.record_login_failure("key", WINDOW, at(2000)).await.unwrap(), 1, "the count restarts");
    repository.clear_login_failures("key").await.unwrap();
    assert_eq!(repository.login_failures("key", at(2000)).await.unwrap().0, 0);
    repository.clear_login_failures("nothing").await.unwrap();
}

pub(crate) async fn instances_share_the_login_failures(fixture: Fixture) {
    let counts = (0..20).map(|number| {
        let repository = if number % 2 == 0 { fixture.repository.clone() } else { fixture.other_instance.clone() };
        tokio::spawn(async move { repository.record_login_failure("key", WINDOW, at(0)).await.unwrap() })
    });
    let mut recorded = Vec::new();
    for count in counts.collect::<Vec<_>>() {
        recorded.push(count.await.unwrap());
    }
    recorded.sort_unstable();
    assert_eq!(recorded, (1..=20).collect::<Vec<_>>());
}
