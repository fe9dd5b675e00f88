//! The conformance suite of outbox and inbox: every store that writes effects runs it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::effects::{Effects, Handled};
use common::outbox::{Outbox, OutboxRow};
use common::store::StoreError;
use contracts::calls::OrderStatus;
use contracts::event::OrderUpdated;
use contracts::{Event, EventId, OrderId};

/// A store with an outbox.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Commits a change that has these effects.
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError>;
    /// The outbox.
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

/// So many events, each of an order of its own.
#[must_use]
pub fn many_effects(count: u32) -> Effects {
    (0..count).fold(Effects::none(), |effects, _| effects.with(at(0), event(OrderId::generate(at(0)))))
}

/// Runs the suite on an empty store.
///
/// # Panics
/// If the store breaks a rule.
pub async fn suite(fixture: &dyn Fixture) {
    leases(fixture).await;
    sequences(fixture).await;
    handled_once(fixture).await;
    relays_share(fixture).await;
}

/// What is claimed is nobody else's until the lease runs out, what is published never comes again.
async fn leases(fixture: &dyn Fixture) {
    let (outbox, order) = (fixture.outbox(), OrderId::generate(at(0)));
    let store = outbox.store();
    let effects = Effects::of(at(0), event(order)).with(at(1), event(order)).with(at(2), event(order));
    fixture.commit(&effects).await.expect("effects are written");
    assert_eq!(outbox.state(at(12)).await.expect("a state").pending, 3);
    assert_eq!(outbox.state(at(12)).await.expect("a state").oldest_seconds, 12);

    let first = store.claim(2, LEASE, at(10)).await.expect("a claim");
    assert_eq!(ids(&first), [effects.events[0].id, effects.events[1].id], "the oldest come first");
    let rest = store.claim(10, LEASE, at(11)).await.expect("a claim");
    assert_eq!(ids(&rest), [effects.events[2].id], "what is claimed is nobody else's");
    assert!(store.claim(10, LEASE, at(12)).await.expect("a claim").is_empty());

    store.mark_published(&ids(&first)[..1]).await.expect("a mark");
    store.mark_failed(&ids(&rest), at(13)).await.expect("a mark");
    let given_back = store.claim(10, LEASE, at(13)).await.expect("a claim");
    assert_eq!(ids(&given_back), ids(&rest), "what failed comes at once, what is claimed still not");
    let after = at(15) + TimeDelta::milliseconds(1);
    let expired = store.claim(10, LEASE, after).await.expect("a claim");
    assert_eq!(ids(&expired), [effects.events[1].id], "a lease that ran out frees its event");

    store.mark_published(&ids(&expired)).await.expect("a mark");
    store.mark_published(&ids(&rest)).await.expect("a mark");
    assert!(store.claim(10, LEASE, at(1000)).await.expect("a claim").is_empty());
    assert_eq!(outbox.state(at(1000)).await.expect("a state").pending, 0);
}

/// Events of one thing are counted from one, also after those before were removed.
async fn sequences(fixture: &dyn Fixture) {
    let store = fixture.outbox().store();
    let (one, other) = (OrderId::generate(at(0)), OrderId::generate(at(0)));
    for order in [one, other, one] {
        fixture.commit(&Effects::of(at(0), event(order))).await.expect("effects are written");
    }
    let rows = store.claim(10, LEASE, at(3000)).await.expect("a claim");
    let counted: Vec<_> = rows.iter().map(|row| (row.envelope.aggregate_id.clone(), row.envelope.sequence)).collect();
    assert_eq!(counted, [(one.to_string(), 1), (other.to_string(), 1), (one.to_string(), 2)]);
    assert_eq!(rows[0].envelope.event().expect("readable data"), Some(event(one)));
    store.mark_published(&ids(&rows)).await.expect("a mark");
    fixture.commit(&Effects::of(at(0), event(one))).await.expect("effects are written");
    let rows = store.claim(10, LEASE, at(4000)).await.expect("a claim");
    assert_eq!(rows[0].envelope.sequence, 3);
    store.mark_published(&ids(&rows)).await.expect("a mark");
}

/// A message has its effects once for each consumer, and not at all when it comes again.
async fn handled_once(fixture: &dyn Fixture) {
    let (order, message) = (OrderId::generate(at(0)), EventId::generate(at(0)));
    let by = |consumer| Effects::of(at(0), event(order)).handling(Handled { consumer, event_id: message });
    fixture.commit(&by("one")).await.expect("the first time");
    let again = fixture.commit(&by("one")).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    fixture.commit(&by("other")).await.expect("another consumer");
    assert_eq!(fixture.outbox().state(at(0)).await.expect("a state").pending, 2);
    fixture.outbox().store().forget_handled(at(1)).await.expect("it is forgotten");
    fixture.commit(&by("one")).await.expect("what was forgotten is new again");
}

/// Relays that claim at the same time never get the same event, and all of them get all.
async fn relays_share(fixture: &dyn Fixture) {
    let store = fixture.outbox().store();
    let left_over = ids(&store.claim(100, LEASE, at(5000)).await.expect("a claim"));
    store.mark_published(&left_over).await.expect("a mark");
    let effects = many_effects(60);
    fixture.commit(&effects).await.expect("effects are written");
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
    // A relay that finds what another is just claiming may leave it for its next turn.
    all.extend(ids(&store.claim(100, LEASE, at(6000)).await.expect("a claim")));
    let mut expected: Vec<_> = effects.events.iter().map(|new| new.id).collect();
    expected.sort_unstable();
    all.sort_unstable();
    assert_eq!(all, expected, "each event is claimed once");
    store.mark_published(&all).await.expect("a mark");
}
