//! Guesses that failed.

use chrono::TimeDelta;

use crate::{Fixture, at};

const WINDOW: TimeDelta = TimeDelta::minutes(15);

pub(crate) async fn failures_in_a_row_are_counted_for_a_while(fixture: Fixture) {
    let users = &fixture.users;
    assert_eq!(users.failures("key", at(0)).await.unwrap().0, 0);
    assert_eq!(users.count_failure("key", WINDOW, at(0)).await.unwrap(), 1);
    assert_eq!(users.count_failure("key", WINDOW, at(60)).await.unwrap(), 2);
    users.count_failure("another", WINDOW, at(60)).await.unwrap();
    assert_eq!(users.failures("key", at(61)).await.unwrap(), (2, at(60) + WINDOW));
    assert_eq!(users.failures("key", at(60) + WINDOW).await.unwrap().0, 0, "the window is over");
    users.purge(at(60)).await.unwrap();
    assert_eq!(users.failures("another", at(61)).await.unwrap().0, 1, "what counts is not removed");
    users.purge(at(2000)).await.unwrap();
    assert_eq!(users.count_failure("key", WINDOW, at(2000)).await.unwrap(), 1, "a new row begins");
    users.forget_failures("key").await.unwrap();
    assert_eq!(users.failures("key", at(2000)).await.unwrap().0, 0);
    users.forget_failures("nothing").await.unwrap();
}

pub(crate) async fn failures_are_counted_by_all_instances_together(fixture: Fixture) {
    let counts = (0..20).map(|number| {
        let users = if number % 2 == 0 { fixture.users.clone() } else { fixture.neighbour.clone() };
        tokio::spawn(async move { users.count_failure("key", WINDOW, at(0)).await.unwrap() })
    });
    let mut told = Vec::new();
    for count in counts.collect::<Vec<_>>() {
        told.push(count.await.unwrap());
    }
    told.sort_unstable();
    assert_eq!(told, (1..=20).collect::<Vec<_>>());
}
