//! Conformance suite of outbox and inbox, run by every store that writes effects.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::outbox::{Outbox, OutboxRow};
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::api::OrderStatus;
use contracts::event::OrderUpdated;
use contracts::{Event, EventId, OrderId};

/// Store with an outbox.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Commits a change with these effects.
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError>;
    /// Returns the outbox.
    fn outbox(&self) -> Outbox;
}

const LEASE: Duration = Duration::from_secs(5);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
}

fn event(order_id: OrderId) -> Event {
    Event::OrderUpdated(OrderUpdated { order_id, status: OrderStatus::Confirmed, timestamp: at(0) })
}

fn ids(rows: &[OutboxRow]) -> Vec<EventId> {
    rows.iter().map(|row| row.envelope.id).collect()
}

/// Creates effects of `count` events, each of a different order.
#[must_use]
pub fn many_effects(count: u32) -> Effects {
    (0..count).fold(Effects::none(), |effects, _| effects.with_event(at(0), event(OrderId::generate(at(0)))))
}

/// Runs the suite on an empty store.
///
/// # Panics
/// If the store violates the contract.
pub async fn suite(fixture: &dyn Fixture) {
    leases(fixture).await;
    sequences(fixture).await;
    ignore_already_handled(fixture).await;
    relays_share(fixture).await;
}

/// Checks that claimed events are exclusive until their lease expires, and published events are never claimed again.
async fn leases(fixture: &dyn Fixture) {
    let (outbox, order) = (fixture.outbox(), OrderId::generate(at(0)));
    let store = outbox.store();
    let effects = Effects::event(at(0), event(order)).with_event(at(1), event(order)).with_event(at(2), event(order));
    fixture.commit(&effects).await.expect("the effects commit");
    assert_eq!(outbox.state(at(12)).await.expect("a state").pending, 3);
    assert_eq!(outbox.state(at(12)).await.expect("a state").oldest_seconds, 12);

    let first = store.claim(2, LEASE, at(10)).await.expect("a claim");
    assert_eq!(ids(&first), [effects.events[0].id, effects.events[1].id], "the oldest events come first");
    let rest = store.claim(10, LEASE, at(11)).await.expect("a claim");
    assert_eq!(ids(&rest), [effects.events[2].id], "claimed events are exclusive");
    assert!(store.claim(10, LEASE, at(12)).await.expect("a claim").is_empty());

    store.mark_published(&ids(&first)[..1]).await.expect("a mark");
    store.mark_failed(&ids(&rest), at(13)).await.expect("a mark");
    let given_back = store.claim(10, LEASE, at(13)).await.expect("a claim");
    assert_eq!(ids(&given_back), ids(&rest), "a failed event is available at once, a claimed one is not");
    let after = at(15) + TimeDelta::milliseconds(1);
    let expired = store.claim(10, LEASE, after).await.expect("a claim");
    assert_eq!(ids(&expired), [effects.events[1].id], "an expired lease releases its event");

    store.mark_published(&ids(&expired)).await.expect("a mark");
    store.mark_published(&ids(&rest)).await.expect("a mark");
    assert!(store.claim(10, LEASE, at(1000)).await.expect("a claim").is_empty());
    assert_eq!(outbox.state(at(1000)).await.expect("a state").pending, 0);
}

/// Checks that the events of an aggregate are numbered from one, also after earlier events were removed.
async fn sequences(fixture: &dyn Fixture) {
    let store = fixture.outbox().store();
    let (one, other) = (OrderId::generate(at(0)), OrderId::generate(at(0)));
    for order in [one, other, one] {
        fixture.commit(&Effects::event(at(0), event(order))).await.expect("the effects commit");
    }
    let rows = store.claim(10, LEASE, at(3000)).await.expect("a claim");
    let counted: Vec<_> = rows.iter().map(|row| (row.envelope.aggregate_id.clone(), row.envelope.sequence)).collect();
    assert_eq!(counted, [(one.to_string(), 1), (other.to_string(), 1), (one.to_string(), 2)]);
    assert_eq!(rows[0].envelope.event().expect("readable data"), Some(event(one)));
    store.mark_published(&ids(&rows)).await.expect("a mark");
    fixture.commit(&Effects::event(at(0), event(one))).await.expect("the effects commit");
    let rows = store.claim(10, LEASE, at(4000)).await.expect("a claim");
    assert_eq!(rows[0].envelope.sequence, 3);
    store.mark_published(&ids(&rows)).await.expect("a mark");
}

/// Checks that a message has its effects once per consumer, and none when it is redelivered.
async fn ignore_already_handled(fixture: &dyn Fixture) {
    let (order, message) = (OrderId::generate(at(0)), EventId::generate(at(0)));
    let by = |consumer| Effects::event(at(0), event(order)).consuming(InboxRecord { consumer, event_id: message });
    fixture.commit(&by("one")).await.expect("the first time");
    let again = fixture.commit(&by("one")).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    fixture.commit(&by("other")).await.expect("another consumer");
    assert_eq!(fixture.outbox().state(at(0)).await.expect("a state").pending, 2);
    fixture.outbox().store().forget_handled(at(1)).await.expect("it is forgotten");
    fixture.commit(&by("one")).await.expect("what was forgotten is new again");
}

/// Checks that concurrent relays never claim the same event, and together claim all.
async fn relays_share(fixture: &dyn Fixture) {
    let store = fixture.outbox().store();
    let left_over = ids(&store.claim(100, LEASE, at(5000)).await.expect("a claim"));
    store.mark_published(&left_over).await.expect("a mark");
    let effects = many_effects(60);
    fixture.commit(&effects).await.expect("the effects commit");
    let relays = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let rows = store.claim(7, LEASE, at(6000)).await.expect("a claim");
                if rows.is_empty() {
                    return claimed;
                }
                claimed.extend(ids(&rows));
            }
        })
    });
    let mut all = Vec::new();
    for relay in relays.collect::<Vec<_>>() {
        all.extend(relay.await.expect("no panic"));
    }
    // A relay may skip an event that another is claiming, until its next step.
    all.extend(ids(&store.claim(100, LEASE, at(6000)).await.expect("a claim")));
    let mut expected: Vec<_> = effects.events.iter().map(|new| new.id).collect();
    expected.sort_unstable();
    all.sort_unstable();
    assert_eq!(all, expected, "each event is claimed once");
    store.mark_published(&all).await.expect("a mark");
}
