//! What only shows when many work at once.

use contracts::Event;
use contracts::event::OrderUpdated;
use futures::future::join_all;

use super::*;

const RACERS: i64 = 16;

/// That an order changed, as the effect of a message of its own.
fn told(order: OrderId, second: i64) -> Written {
    let handled = Handled { consumer: "queue", event_id: EventId::generate(at(second)) };
    let updated = OrderUpdated { order_id: order, status: OrderStatus::Pending, timestamp: at(second) };
    written(Effects::of(at(second), Event::OrderUpdated(updated)).handling(handled))
}

/// The numbers, within the order, of the events that wait to be published.
async fn sequences(fixture: &Fixture) -> Vec<i64> {
    let claimed = fixture.outbox.store().claim(100, std::time::Duration::from_secs(1), at(0)).await.unwrap();
    let mut sequences: Vec<_> = claimed.into_iter().map(|row| row.envelope.sequence).collect();
    sequences.sort_unstable();
    sequences
}

pub(super) async fn changes_of_an_order_follow_each_other(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    write(&*fixture.store, order.id, |order| order.notes = None).await;
    let writers = (0..RACERS).map(|second| {
        let (store, id) = (fixture.store.clone(), order.id);
        tokio::spawn(async move {
            let paid = payment(second, PaymentStatus::Completed);
            let mut pay = |order: &mut Order| {
                order.notes = Some(order.notes.take().unwrap_or_default() + "x");
                order.payments.push(Payment { refunds: vec![refund(second + 1)], ..paid.clone() });
                Some(told(id, second))
            };
            store.change(id, &mut pay).await.unwrap().unwrap()
        })
    });
    let writers: Vec<_> = writers.collect();
    // Whoever reads in the meantime sees an order of one moment, on whichever way.
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let found = fixture.store.find(order.id).await.unwrap();
        let listed = fixture.store.list(Filter::default(), 0, 1).await.unwrap().orders.pop();
        for seen in [found, listed] {
            let seen = seen.unwrap();
            assert_eq!(seen.notes.unwrap_or_default().len(), seen.payments.len());
        }
    }
    let mut left: Vec<_> = join_all(writers).await.into_iter().map(|order| order.unwrap().payments.len()).collect();
    left.sort_unstable();
    let all: Vec<_> = (1..=usize::try_from(RACERS).unwrap()).collect();
    assert_eq!(left, all, "each began where another one ended");
    let order = fixture.store.find(order.id).await.unwrap().unwrap();
    assert_eq!(order.notes, Some("x".repeat(all.len())));
    assert!(order.payments.iter().all(|payment| payment.refunds.len() == 1), "{order:?}");
    assert_eq!(fixture.store.timeline(order.id).await.unwrap().len(), all.len());
    assert_eq!(sequences(&fixture).await, (1..=RACERS).collect::<Vec<_>>());
}

pub(super) async fn a_message_that_comes_often_at_once_has_its_effect_once(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    let message = told(order.id, 1);
    let racers = (0..RACERS).map(|_| {
        let (store, id) = (fixture.store.clone(), order.id);
        let mut message = message.clone();
        // Each try makes an event of its own.
        message.effects.events[0].id = EventId::generate(at(1));
        tokio::spawn(async move {
            let mut note = |order: &mut Order| {
                order.notes = Some(order.notes.take().unwrap_or_default() + "!");
                Some(message.clone())
            };
            store.change(id, &mut note).await
        })
    });
    let mut heard = 0;
    for outcome in join_all(racers.collect::<Vec<_>>()).await {
        match outcome.unwrap() {
            Ok(_) => heard += 1,
            Err(error) => assert!(matches!(error, StoreError::AlreadyHandled), "{error:?}"),
        }
    }
    assert_eq!((heard, fixture.pending().await), (1, 1));
    let noted = fixture.store.find(order.id).await.unwrap().unwrap();
    assert_eq!(noted.notes, Some(order.notes.unwrap() + "!"));
    assert_eq!(fixture.store.timeline(order.id).await.unwrap().len(), 1);
}

pub(super) async fn what_is_told_of_an_order_at_once_is_all_kept(fixture: Fixture) {
    let placed = placed_at(0);
    let id = placed.order.id;
    let racers = (0..RACERS).map(|second| {
        let store = fixture.store.clone();
        tokio::spawn(async move { store.record(&told(id, second)).await })
    });
    let racers: Vec<_> = racers.collect();
    insert(&*fixture.store, &placed).await;
    for racer in join_all(racers).await {
        racer.unwrap().unwrap();
    }
    let times: Vec<_> = fixture.store.timeline(id).await.unwrap().into_iter().map(|entry| entry.at).collect();
    assert_eq!(times, (0..RACERS).map(at).collect::<Vec<_>>());
}

pub(super) async fn of_an_order_and_its_tombstone_one_wins(fixture: Fixture) {
    for second in 0..20 {
        let placed = placed_at(second);
        let id = placed.order.id;
        let burials = (0..3).map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.abandon(id, at(0)).await })
        });
        let burials: Vec<_> = burials.collect();
        let store = fixture.store.clone();
        let inserted = tokio::spawn(async move { store.insert(&placed, UnpaidLimits::NONE, &told(id, second)).await })
            .await
            .unwrap();
        let exists = fixture.store.find(id).await.unwrap().is_some();
        assert_eq!(inserted.is_ok(), exists, "{inserted:?}");
        for burial in join_all(burials).await {
            assert_eq!(burial.unwrap().unwrap().is_some(), exists);
        }
        let entries = fixture.store.timeline(id).await.unwrap();
        assert_eq!(entries.len(), usize::from(exists), "what lost leaves nothing");
    }
}

pub(super) async fn of_orders_with_one_id_one_wins(fixture: Fixture) {
    let id = placed_at(0).order.id;
    let racers = (0..RACERS).map(|second| {
        let mut placed = placed_at(second);
        placed.order.id = id;
        placed
    });
    let won = race(&fixture, racers.collect(), ID_TAKEN).await;
    assert_eq!(fixture.store.find(id).await.unwrap().as_ref(), Some(&won.order));
    assert_eq!(fixture.store.timeline(id).await.unwrap().len(), 1);
}

pub(super) async fn of_orders_with_one_number_one_wins(fixture: Fixture) {
    let number = placed_at(0).order.number;
    let racers: Vec<_> = (0..RACERS)
        .map(|second| {
            let mut placed = placed_at(second);
            placed.order.number = number.clone();
            placed
        })
        .collect();
    let won = race(&fixture, racers.clone(), NUMBER_TAKEN).await;
    assert_eq!(fixture.store.find_by_number(&number).await.unwrap().as_ref(), Some(&won.order));
    // Who lost may try again with the same id.
    for (second, mut placed) in (0..).zip(racers).filter(|(_, placed)| placed.order.id != won.order.id) {
        placed.order.number = OrderNumber::new(at(second), 0);
        insert(&*fixture.store, &placed).await;
    }
}

/// Writes them at once: one alone is written, the others break this constraint and leave nothing.
async fn race(fixture: &Fixture, racers: Vec<Placed>, constraint: &str) -> Placed {
    let racers = racers.into_iter().map(|placed| {
        let store = fixture.store.clone();
        let effects = told(placed.order.id, 0);
        tokio::spawn(async move {
            store.insert(&placed, UnpaidLimits::NONE, &effects).await.map(|written| written.map(|()| placed).unwrap())
        })
    });
    let mut won = Vec::new();
    for outcome in join_all(racers.collect::<Vec<_>>()).await {
        match outcome.unwrap() {
            Ok(placed) => won.push(placed),
            Err(error) => assert_eq!(error.unique(), Some(constraint), "{error:?}"),
        }
    }
    assert_eq!((won.len(), fixture.pending().await), (1, 1));
    assert_eq!(fixture.store.list(Filter::default(), 0, 1).await.unwrap().total, 1);
    won.remove(0)
}

pub(super) async fn a_payment_belongs_to_one_order(fixture: Fixture) {
    let paid = payment(1, PaymentStatus::Completed);
    let mut orders = Vec::new();
    for second in 0..4 {
        orders.push(place(&*fixture.store, second).await);
    }
    let racers = orders.iter().map(|order| {
        let (store, id, paid) = (fixture.store.clone(), order.id, paid.clone());
        tokio::spawn(async move {
            let mut pay = |order: &mut Order| {
                order.status = OrderStatus::Confirmed;
                order.payments.push(paid.clone());
                Some(told(id, 1))
            };
            store.change(id, &mut pay).await
        })
    });
    let outcomes = join_all(racers.collect::<Vec<_>>()).await;
    let mut won = 0;
    for (before, outcome) in orders.into_iter().zip(outcomes) {
        let after = fixture.store.find(before.id).await.unwrap();
        match outcome.unwrap() {
            Ok(changed) => {
                assert_eq!(after, changed);
                won += 1;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
                assert_eq!(after, Some(before), "what lost leaves nothing");
            }
        }
    }
    assert_eq!((won, fixture.pending().await), (1, 1));
}

pub(super) async fn changes_of_many_orders_do_not_hinder_each_other(fixture: Fixture) {
    let mut orders = Vec::new();
    for second in 0..4 {
        orders.push(place(&*fixture.store, second).await.id);
    }
    let rounds = (0..RACERS).map(|second| {
        let (store, mut orders) = (fixture.store.clone(), orders.clone());
        // Half of them go through the orders the other way round.
        if second % 2 == 1 {
            orders.reverse();
        }
        tokio::spawn(async move {
            for id in orders {
                let mut tell = |order: &mut Order| {
                    order.updated_at += Duration::seconds(1);
                    Some(told(id, second))
                };
                store.change(id, &mut tell).await.unwrap();
            }
        })
    });
    for round in join_all(rounds.collect::<Vec<_>>()).await {
        round.unwrap();
    }
    for (second, id) in (0..).zip(orders) {
        let order = fixture.store.find(id).await.unwrap().unwrap();
        assert_eq!(order.updated_at, at(second + RACERS));
    }
}

pub(super) async fn orders_of_a_person_at_once_never_exceed_a_limit(fixture: Fixture) {
    for limits in [limits(5, 0), limits(0, 15), limits(5, 15)] {
        let user = UserId::generate(at(0));
        let racers = (0..50).map(|second| {
            let (store, placed) = (fixture.store.clone(), placed_by(user, second));
            tokio::spawn(async move { store.insert(&placed, limits, &told(placed.order.id, second)).await.unwrap() })
        });
        let outcomes = join_all(racers.collect::<Vec<_>>()).await;
        let placed = outcomes.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count();
        assert_eq!(placed, 5, "{limits:?}");
        assert_eq!(fixture.store.unpaid_of(user).await.unwrap(), Unpaid { orders: 5, pieces: 15 });
    }
}

pub(super) async fn orders_at_once_never_follow_the_deletion_of_the_account(fixture: Fixture) {
    for round in 0..10 {
        let user = UserId::generate(at(0));
        let limits = if round % 2 == 0 { UnpaidLimits::NONE } else { limits(1000, 0) };
        let racers = (0..RACERS).map(|second| {
            let (store, placed) = (fixture.store.clone(), placed_by(user, second));
            tokio::spawn(async move {
                let outcome = store.insert(&placed, limits, &told(placed.order.id, second)).await.unwrap();
                outcome.is_ok().then_some(placed.order.id)
            })
        });
        let racers: Vec<_> = racers.collect();
        let listed = fixture.store.delete_customer(user, at(0)).await.unwrap();
        let written = join_all(racers).await.into_iter().filter_map(Result::unwrap);
        let mut written: Vec<_> = written.collect();
        written.sort_unstable();
        assert_eq!(written, listed, "each order was written before the deletion, which lists it");
    }
}
