//! Conformance tests of timelines: numbers of entries, and readers that wait for them.

use std::time::Duration;

use common::cache::{Cache, CacheUrl};
use common::database::query;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::http::{LongPolls, RequestPlace};
use common::telemetry::clock::ManualClock;
use common::telemetry::metrics::Metrics;
use contracts::{Actor, EventId, OrderId};
use futures::future::join_all;
use order_service::NAME;
use order_service::domain::*;
use order_service::repository::OrderEffects;
use order_service::repository::sql::statements::{INSERT_TIMELINE_ENTRY, TAKE_TIMELINE_NUMBERS};
use order_service::service::OrderService;
use testkit::eventually;
use tokio::time::{Instant, timeout};

use crate::concurrency::{TASKS, status_event};
use crate::fixture::*;

const DEADLINE: Duration = Duration::from_secs(60);
/// Time in which a writer that is not blocked commits.
const SHORT: Duration = Duration::from_millis(200);

/// Inserts an entry as the version before does, without a number.
async fn insert_unnumbered(fixture: &Fixture, order: OrderId, second: i64) {
    let insert = "INSERT INTO order_timeline (order_id, at, type, summary, service, event_id, data)
        VALUES ($1, $2, 'order.updated', 'old', 'order-service', $3, '{}')";
    let insert = query(insert).bind(order).bind(at(second)).bind(EventId::generate(at(second)));
    insert.execute(&mut fixture.db.writer().await.unwrap()).await.unwrap();
}

/// Returns the numbers of an order's entries with their times, in seconds.
async fn numbered(fixture: &Fixture, order: OrderId) -> Vec<(i64, i64)> {
    let entries = fixture.repository.timeline(order).await.unwrap();
    entries.iter().map(|entry| (entry.seq.unwrap(), (entry.at - START).num_seconds())).collect()
}

fn service(fixture: &Fixture) -> OrderService {
    let (clock, metrics) = (ManualClock::at(START), Metrics::new());
    let cache = Cache::connect(&CacheUrl::Memory, NAME, &metrics);
    OrderService::new(fixture.repository.clone(), cache, clock.shared(), &metrics)
}

/// Reads a timeline as a client does that waits, until it has this number of entries. Returns their numbers and ids.
async fn follow(service: OrderService, order: OrderId, count: usize) -> Vec<(i64, EventId)> {
    let poll = LongPolls::new(&Metrics::new()).begin(&RequestPlace::default()).unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < count {
        let entries = service.wait_for_timeline(&poll, order, after, Instant::now() + DEADLINE).await.unwrap();
        assert!(!entries.is_empty(), "no entry in {DEADLINE:?} after {seen:?}");
        seen.extend(entries.iter().map(|entry| (entry.seq.unwrap(), entry.event_id)));
        after = seen.last().unwrap().0;
    }
    seen
}

pub(super) async fn timeline_entries_are_numbered_without_gaps(fixture: Fixture) {
    let (repository, placed) = (&fixture.repository, new_order_at(0));
    let id = placed.order.id;
    let created = order_effects(Effects::event(at(5), placed.order.created_event()));
    repository.insert(&placed, UnpaidLimits::NONE, &created).await.unwrap().unwrap();
    let message = status_event(id, 1);
    repository.append_timeline(&message).await.unwrap();
    // A transaction that is rolled back takes no number.
    let again = repository.append_timeline(&message).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    let two = OrderEffects {
        entries: [status_event(id, 4), status_event(id, 2)].map(|effects| effects.entries[0].clone()).to_vec(),
        ..OrderEffects::default()
    };
    repository.update(id, &mut |_| Some(two.clone())).await.unwrap();
    assert_eq!(numbered(&fixture, id).await, [(1, 5), (2, 1), (3, 4), (4, 2)], "the order of the commits decides");
    let other = place(&**repository, 9).await.id;
    repository.append_timeline(&status_event(other, 0)).await.unwrap();
    assert_eq!(numbered(&fixture, other).await, [(1, 0)], "each order counts from 1");
    let unknown = new_order_at(0).order.id;
    let mut heads = repository.timeline_heads(&[id, other, unknown]).await.unwrap();
    let mut expected = [(id, Some(4)), (other, Some(1))];
    heads.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heads, expected);
}

pub(super) async fn entries_of_the_version_before_are_numbered_by_time(fixture: Fixture) {
    let [read, written] = [new_order_at(0), new_order_at(0)].map(|placed| placed.order.id);
    for order in [read, written] {
        insert_unnumbered(&fixture, order, 3).await;
        insert_unnumbered(&fixture, order, 1).await;
    }
    assert!(fixture.repository.timeline_heads(&[read]).await.unwrap().contains(&(read, None)));
    for _ in 0..2 {
        assert_eq!(numbered(&fixture, read).await, [(1, 1), (2, 3)], "by a reader, once");
    }
    assert_eq!(fixture.repository.timeline_heads(&[read]).await.unwrap(), [(read, Some(2))]);
    let entries = fixture.repository.timeline(read).await.unwrap();
    assert!(entries.iter().all(|entry| entry.actor == Actor::System), "{entries:?}");

    fixture.repository.append_timeline(&status_event(written, 2)).await.unwrap();
    assert_eq!(numbered(&fixture, written).await, [(1, 1), (2, 3), (3, 2)], "by a writer, before its own");
    // An instance of the version before goes on writing.
    insert_unnumbered(&fixture, written, 0).await;
    fixture.repository.append_timeline(&status_event(written, 7)).await.unwrap();
    assert_eq!(numbered(&fixture, written).await[3..], [(4, 0), (5, 7)]);
}

pub(super) async fn concurrent_readers_and_writers_number_each_entry_once(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await.id;
    let fixture = std::sync::Arc::new(fixture);
    let tasks = (0..TASKS).map(|second| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            match second % 4 {
                0 => insert_unnumbered(&fixture, order, second).await,
                1 => fixture.repository.append_timeline(&status_event(order, second)).await.unwrap(),
                2 => {
                    fixture.repository.update(order, &mut |_| Some(status_event(order, second))).await.unwrap();
                }
                _ => {
                    let entries = numbered(&fixture, order).await;
                    let numbers: Vec<_> = entries.iter().map(|(seq, _)| *seq).collect();
                    assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
                }
            }
        })
    });
    for task in join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    let entries = numbered(&fixture, order).await;
    let numbers: Vec<_> = entries.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=TASKS * 3 / 4).collect::<Vec<_>>());
}

/// With numbers that are given on insertion without a lock, the second writer would commit the greater number first, and a
/// reader that continues after it would never see the entry of the first.
pub(super) async fn waiting_reader_gets_the_entries_of_two_writers_whose_first_commits_last(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await.id;
    let service = service(&fixture);
    let reader = tokio::spawn(follow(service.clone(), order, 2));
    let [first, second] = [1, 2].map(|second| status_event(order, second));
    let ids = [&first, &second].map(|effects| effects.entries[0].event_id);

    let mut tx = fixture.db.begin().await.unwrap();
    query(TAKE_TIMELINE_NUMBERS).bind(order).bind(1_i64).fetch_one(&mut tx).await.unwrap();
    let entry = &first.entries[0];
    let insert = query(INSERT_TIMELINE_ENTRY).bind(order).bind(1_i64).bind(entry.at).bind(&entry.kind);
    let insert = insert.bind(&entry.summary).bind(&entry.service).bind(None::<String>).bind(entry.event_id);
    insert.bind(None::<String>).bind(&entry.data).execute(&mut tx).await.unwrap();
    let repository = fixture.repository.clone();
    let mut later = tokio::spawn(async move { repository.append_timeline(&second).await });
    assert!(timeout(SHORT, &mut later).await.is_err(), "the second writer waits for the first");
    service.poll_timelines().await.unwrap();
    assert!(!reader.is_finished());
    tx.commit().await.unwrap();
    later.await.unwrap().unwrap();

    // Both writers are other instances, so the database is polled.
    eventually("the reader has both entries", DEADLINE, || async {
        service.poll_timelines().await.unwrap();
        reader.is_finished().then_some(())
    })
    .await;
    assert_eq!(reader.await.unwrap(), [(1, ids[0]), (2, ids[1])]);
}

pub(super) async fn waiting_reader_is_woken_by_a_commit_of_its_instance(fixture: Fixture) {
    let service = service(&fixture);
    for second in 0..5 {
        let order = place(&*fixture.repository, second).await.id;
        let reader = tokio::spawn(follow(service.clone(), order, 1));
        tokio::task::yield_now().await;
        let (rule, ada) =
            (|order: &mut Order, now| order.cancel(Role::Admin, None, now), Actor::Admin("ada".to_owned()));
        service.update(order, &ada, rule).await.unwrap();
        let seen = timeout(DEADLINE / 2, reader).await.expect("the reader was woken").unwrap();
        let entries = fixture.repository.timeline(order).await.unwrap();
        assert_eq!(seen, [(1, entries[0].event_id)]);
        assert_eq!(entries[0].actor, ada);
    }
}
