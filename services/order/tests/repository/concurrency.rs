//! Conformance tests of concurrent operations.

use chrono::Duration;
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::api::{OrderStatus, PaymentStatus};
use contracts::event::OrderUpdated;
use contracts::{Event, EventId, OrderId, UserId};
use futures::future::join_all;
use order_service::domain::*;
use order_service::repository::{CONSTRAINT_ORDER_ID, CONSTRAINT_ORDER_NUMBER, OrderEffects};

use crate::fixture::*;

/// Number of concurrent operations.
const TASKS: i64 = 16;

/// Returns the effects of a change of an order, caused by a message of its own.
fn status_event(order: OrderId, second: i64) -> OrderEffects {
    let handled = InboxRecord { consumer: "queue", event_id: EventId::generate(at(second)) };
    let updated = OrderUpdated { order_id: order, status: OrderStatus::Pending, timestamp: at(second) };
    order_effects(Effects::event(at(second), Event::OrderUpdated(updated)).consuming(handled))
}

/// Returns the sequence numbers, within their order, of the unpublished events.
async fn sequences(fixture: &Fixture) -> Vec<i64> {
    let claimed = fixture.outbox.store().claim(100, std::time::Duration::from_secs(1), at(0)).await.unwrap();
    let mut sequences: Vec<_> = claimed.into_iter().map(|row| row.envelope.sequence).collect();
    sequences.sort_unstable();
    sequences
}

pub(super) async fn concurrent_updates_of_one_order_are_serialized(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    update(&*fixture.repository, order.id, |order| order.notes = None).await;
    let writers = (0..TASKS).map(|second| {
        let (repository, id) = (fixture.repository.clone(), order.id);
        tokio::spawn(async move {
            let paid = payment(second, PaymentStatus::Completed);
            let mut pay = |order: &mut Order| {
                order.notes = Some(order.notes.take().unwrap_or_default() + "x");
                order.payments.push(PaymentProjection { refunds: vec![refund(second + 1)], ..paid.clone() });
                Some(status_event(id, second))
            };
            repository.update(id, &mut pay).await.unwrap().unwrap()
        })
    });
    let writers: Vec<_> = writers.collect();
    // Concurrent reads see a consistent order, however they read it.
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let found = fixture.repository.find(order.id).await.unwrap();
        let listed = list(&*fixture.repository, 0, 1).await.rows.pop();
        for order in [found, listed] {
            let order = order.unwrap();
            assert_eq!(order.notes.unwrap_or_default().len(), order.payments.len());
        }
    }
    let mut left: Vec<_> = join_all(writers).await.into_iter().map(|order| order.unwrap().payments.len()).collect();
    left.sort_unstable();
    let all: Vec<_> = (1..=usize::try_from(TASKS).unwrap()).collect();
    assert_eq!(left, all, "each update starts from the result of another one");
    let order = fixture.repository.find(order.id).await.unwrap().unwrap();
    assert_eq!(order.notes, Some("x".repeat(all.len())));
    assert!(order.payments.iter().all(|payment| payment.refunds.len() == 1), "{order:?}");
    assert_eq!(fixture.repository.timeline(order.id).await.unwrap().len(), all.len());
    assert_eq!(sequences(&fixture).await, (1..=TASKS).collect::<Vec<_>>());
}

pub(super) async fn concurrent_deliveries_of_a_message_are_applied_once(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    let message = status_event(order.id, 1);
    let tasks = (0..TASKS).map(|_| {
        let (repository, id) = (fixture.repository.clone(), order.id);
        let mut message = message.clone();
        // Each attempt creates an event of its own.
        message.effects.events[0].id = EventId::generate(at(1));
        tokio::spawn(async move {
            let mut note = |order: &mut Order| {
                order.notes = Some(order.notes.take().unwrap_or_default() + "!");
                Some(message.clone())
            };
            repository.update(id, &mut note).await
        })
    });
    let mut applied = 0;
    for outcome in join_all(tasks.collect::<Vec<_>>()).await {
        match outcome.unwrap() {
            Ok(_) => applied += 1,
            Err(error) => assert!(matches!(error, StoreError::AlreadyHandled), "{error:?}"),
        }
    }
    assert_eq!((applied, fixture.pending().await), (1, 1));
    let noted = fixture.repository.find(order.id).await.unwrap().unwrap();
    assert_eq!(noted.notes, Some(order.notes.unwrap() + "!"));
    assert_eq!(fixture.repository.timeline(order.id).await.unwrap().len(), 1);
}

pub(super) async fn concurrent_timeline_entries_are_all_stored(fixture: Fixture) {
    let placed = new_order_at(0);
    let id = placed.order.id;
    let tasks = (0..TASKS).map(|second| {
        let repository = fixture.repository.clone();
        tokio::spawn(async move { repository.append_timeline(&status_event(id, second)).await })
    });
    let tasks: Vec<_> = tasks.collect();
    insert(&*fixture.repository, &placed).await;
    for task in join_all(tasks).await {
        task.unwrap().unwrap();
    }
    let times: Vec<_> = fixture.repository.timeline(id).await.unwrap().into_iter().map(|entry| entry.at).collect();
    assert_eq!(times, (0..TASKS).map(at).collect::<Vec<_>>());
}

pub(super) async fn either_the_order_or_its_tombstone_is_committed(fixture: Fixture) {
    for second in 0..20 {
        let placed = new_order_at(second);
        let id = placed.order.id;
        let tombstones = (0..3).map(|_| {
            let repository = fixture.repository.clone();
            tokio::spawn(async move { repository.insert_tombstone(id, at(0)).await })
        });
        let tombstones: Vec<_> = tombstones.collect();
        let repository = fixture.repository.clone();
        let inserted =
            tokio::spawn(
                async move { repository.insert(&placed, UnpaidLimits::NONE, &status_event(id, second)).await },
            )
            .await
            .unwrap();
        let exists = fixture.repository.find(id).await.unwrap().is_some();
        assert_eq!(inserted.is_ok(), exists, "{inserted:?}");
        for tombstone in join_all(tombstones).await {
            assert_eq!(tombstone.unwrap().unwrap().is_some(), exists);
        }
        let entries = fixture.repository.timeline(id).await.unwrap();
        assert_eq!(entries.len(), usize::from(exists), "the loser leaves no trace");
    }
}

pub(super) async fn one_of_concurrent_orders_with_one_id_is_committed(fixture: Fixture) {
    let id = new_order_at(0).order.id;
    let tasks = (0..TASKS).map(|second| {
        let mut placed = new_order_at(second);
        placed.order.id = id;
        placed
    });
    let won = insert_concurrently(&fixture, tasks.collect(), CONSTRAINT_ORDER_ID).await;
    assert_eq!(fixture.repository.find(id).await.unwrap().as_ref(), Some(&won.order));
    assert_eq!(fixture.repository.timeline(id).await.unwrap().len(), 1);
}

pub(super) async fn one_of_concurrent_orders_with_one_number_is_committed(fixture: Fixture) {
    let number = new_order_at(0).order.number;
    let tasks: Vec<_> = (0..TASKS)
        .map(|second| {
            let mut placed = new_order_at(second);
            placed.order.number = number.clone();
            placed
        })
        .collect();
    let won = insert_concurrently(&fixture, tasks.clone(), CONSTRAINT_ORDER_NUMBER).await;
    assert_eq!(fixture.repository.find_by_number(&number).await.unwrap().as_ref(), Some(&won.order));
    // The losers can be inserted with another number.
    for (second, mut placed) in (0..).zip(tasks).filter(|(_, placed)| placed.order.id != won.order.id) {
        placed.order.number = OrderNumber::generate(at(second), 0);
        insert(&*fixture.repository, &placed).await;
    }
}

/// Inserts the orders concurrently: one is committed, the others violate the constraint and leave no trace.
async fn insert_concurrently(fixture: &Fixture, tasks: Vec<NewOrder>, constraint: &str) -> NewOrder {
    let tasks = tasks.into_iter().map(|placed| {
        let repository = fixture.repository.clone();
        let effects = status_event(placed.order.id, 0);
        tokio::spawn(async move {
            repository
                .insert(&placed, UnpaidLimits::NONE, &effects)
                .await
                .map(|outcome| outcome.map(|()| placed).unwrap())
        })
    });
    let mut won = Vec::new();
    for outcome in join_all(tasks.collect::<Vec<_>>()).await {
        match outcome.unwrap() {
            Ok(placed) => won.push(placed),
            Err(error) => assert_eq!(error.unique(), Some(constraint), "{error:?}"),
        }
    }
    assert_eq!((won.len(), fixture.pending().await), (1, 1));
    assert_eq!(list(&*fixture.repository, 0, 1).await.total, Some(1));
    won.remove(0)
}

pub(super) async fn payment_belongs_to_one_order(fixture: Fixture) {
    let paid = payment(1, PaymentStatus::Completed);
    let mut orders = Vec::new();
    for second in 0..4 {
        orders.push(place(&*fixture.repository, second).await);
    }
    let tasks = orders.iter().map(|order| {
        let (repository, id, paid) = (fixture.repository.clone(), order.id, paid.clone());
        tokio::spawn(async move {
            let mut pay = |order: &mut Order| {
                order.status = OrderStatus::Confirmed;
                order.payments.push(paid.clone());
                Some(status_event(id, 1))
            };
            repository.update(id, &mut pay).await
        })
    });
    let outcomes = join_all(tasks.collect::<Vec<_>>()).await;
    let mut won = 0;
    for (before, outcome) in orders.into_iter().zip(outcomes) {
        let after = fixture.repository.find(before.id).await.unwrap();
        match outcome.unwrap() {
            Ok(changed) => {
                assert_eq!(after, changed);
                won += 1;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Decode(_)), "{error:?}");
                assert_eq!(after, Some(before), "the loser leaves no trace");
            }
        }
    }
    assert_eq!((won, fixture.pending().await), (1, 1));
}

pub(super) async fn concurrent_updates_of_many_orders_do_not_deadlock(fixture: Fixture) {
    let mut orders = Vec::new();
    for second in 0..4 {
        orders.push(place(&*fixture.repository, second).await.id);
    }
    let rounds = (0..TASKS).map(|second| {
        let (repository, mut orders) = (fixture.repository.clone(), orders.clone());
        // Half of the tasks update the orders in reverse.
        if second % 2 == 1 {
            orders.reverse();
        }
        tokio::spawn(async move {
            for id in orders {
                let mut touch = |order: &mut Order| {
                    order.updated_at += Duration::seconds(1);
                    Some(status_event(id, second))
                };
                repository.update(id, &mut touch).await.unwrap();
            }
        })
    });
    for round in join_all(rounds.collect::<Vec<_>>()).await {
        round.unwrap();
    }
    for (second, id) in (0..).zip(orders) {
        let order = fixture.repository.find(id).await.unwrap().unwrap();
        assert_eq!(order.updated_at, at(second + TASKS));
    }
}

pub(super) async fn concurrent_orders_of_a_customer_never_exceed_a_limit(fixture: Fixture) {
    for limits in [limits(5, 0), limits(0, 15), limits(5, 15)] {
        let user = UserId::generate(at(0));
        let tasks = (0..50).map(|second| {
            let (repository, placed) = (fixture.repository.clone(), new_order_of(user, second));
            tokio::spawn(async move {
                repository.insert(&placed, limits, &status_event(placed.order.id, second)).await.unwrap()
            })
        });
        let outcomes = join_all(tasks.collect::<Vec<_>>()).await;
        let placed = outcomes.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count();
        assert_eq!(placed, 5, "{limits:?}");
        assert_eq!(fixture.repository.unpaid_totals(user).await.unwrap(), UnpaidTotals { orders: 5, pieces: 15 });
    }
}

pub(super) async fn concurrent_orders_are_never_committed_after_the_deletion_of_the_account(fixture: Fixture) {
    for round in 0..10 {
        let user = UserId::generate(at(0));
        let limits = if round % 2 == 0 { UnpaidLimits::NONE } else { limits(1000, 0) };
        let tasks = (0..TASKS).map(|second| {
            let (repository, placed) = (fixture.repository.clone(), new_order_of(user, second));
            tokio::spawn(async move {
                let outcome = repository.insert(&placed, limits, &status_event(placed.order.id, second)).await.unwrap();
                outcome.is_ok().then_some(placed.order.id)
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let listed = fixture.repository.mark_customer_deleted(user, at(0)).await.unwrap();
        let committed = join_all(tasks).await.into_iter().filter_map(Result::unwrap);
        let mut committed: Vec<_> = committed.collect();
        committed.sort_unstable();
        assert_eq!(committed, listed, "each order was committed before the deletion, which lists it");
    }
}
