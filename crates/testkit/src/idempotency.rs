//! Conformance suite of idempotency keys, run by every store that writes effects.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::ManualClock;
use common::effects::Effects;
use common::idempotency::{Begun, FINGERPRINT_SCHEME, KeptAnswer, KeyedRequest, Keys, Turn};
use common::store::StoreError;

use crate::outbox::{Fixture, many_effects};

/// Time at the start of the suite.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn request(caller: &str, key: &str, hash: u8) -> KeyedRequest {
    let fingerprint = format!("{FINGERPRINT_SCHEME}{hash}");
    KeyedRequest { caller: caller.to_owned(), key: key.to_owned(), hash: [hash; 32], fingerprint }
}

fn response(body: &str) -> KeptAnswer {
    KeptAnswer { status: 201, location: Some("/somewhere".to_owned()), body: body.to_owned() }
}

async fn acquire(keys: &Keys, request: &KeyedRequest) -> Turn {
    match keys.begin(request).await.expect("a decision") {
        Begun::Go(turn) => turn,
        other => panic!("{request:?} is not acquired: {other:?}"),
    }
}

/// Runs the suite on an empty store. `keys` belong to the fixture's store and use `clock`, which is at [`START`].
///
/// # Panics
/// If the store violates the contract.
pub async fn suite(fixture: &dyn Fixture, keys: &Keys, clock: &ManualClock) {
    executes_once(fixture, keys).await;
    reacquires_expired(fixture, keys, clock).await;
    releases(keys).await;
    compares_requests(keys).await;
    arbitrates_races(fixture, keys).await;
    expires(keys, clock).await;
}

/// Checks that a request is executed once, and distinguished from other requests and other callers.
async fn executes_once(fixture: &dyn Fixture, keys: &Keys) {
    let first = request("ann", "once", 1);
    let turn = acquire(keys, &first).await;
    assert_eq!(turn.resource, None);
    assert_eq!(keys.begin(&first).await.expect("a decision"), Begun::InFlight);
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("a decision"), Begun::Mismatch);
    let other = acquire(keys, &request("bob", "once", 2)).await;
    fixture.commit(&Effects::none().keyed(Some(turn.answers(response("done"))))).await.expect("the effects commit");
    assert_eq!(keys.begin(&first).await.expect("a decision"), Begun::Done(response("done")));
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("a decision"), Begun::Mismatch);
    let again = fixture.commit(&Effects::none().keyed(Some(turn.answers(response("again"))))).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "a response is stored once: {again:?}");
    keys.forget(&turn.claim).await.expect("a decision");
    assert_eq!(keys.begin(&first).await.expect("a decision"), Begun::Done(response("done")), "it stays completed");
    keys.forget(&other.claim).await.expect("a decision");
}

/// Checks that an expired lease is acquired with its linked resource, and that the previous holder can no longer write.
async fn reacquires_expired(fixture: &dyn Fixture, keys: &Keys, clock: &ManualClock) {
    let retried = request("ann", "reacquired", 1);
    let dead = acquire(keys, &retried).await;
    fixture.commit(&Effects::none().keyed(Some(dead.makes(&"payment 1")))).await.expect("the effects commit");
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Begun::InFlight);
    clock.advance(TimeDelta::seconds(11));
    let next = acquire(keys, &retried).await;
    assert_eq!(next.resource.as_deref(), Some("payment 1"));
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Begun::InFlight);
    let pending = pending(fixture).await;
    let late = fixture.commit(&many_effects(1).keyed(Some(dead.answers(response("late"))))).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(self::pending(fixture).await, pending, "nothing is written");
    keys.forget(&dead.claim).await.expect("a decision");
    fixture.commit(&Effects::none().keyed(Some(next.answers(response("done"))))).await.expect("the effects commit");
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Begun::Done(response("done")));
}

/// Checks that a released key is free again.
async fn releases(keys: &Keys) {
    let turn = acquire(keys, &request("ann", "released", 1)).await;
    keys.forget(&turn.claim).await.expect("a decision");
    let turn = acquire(keys, &request("ann", "released", 2)).await;
    keys.forget(&turn.claim).await.expect("a decision");
}

/// Checks that requests are compared by fingerprints of this scheme, and by hashes where the row has another scheme.
async fn compares_requests(keys: &Keys) {
    let begin = |request: KeyedRequest| async move { keys.begin(&request).await.expect("a decision") };
    acquire(keys, &request("ann", "compared", 1)).await;
    let relaid = KeyedRequest { hash: [2; 32], ..request("ann", "compared", 1) };
    assert_eq!(begin(relaid).await, Begun::InFlight, "the fingerprint decides");
    let other = KeyedRequest { hash: [1; 32], ..request("ann", "compared", 2) };
    assert_eq!(begin(other).await, Begun::Mismatch, "the fingerprint decides");
    let unknown =
        KeyedRequest { fingerprint: "9:unknown scheme".to_owned(), ..request("ann", "of another version", 1) };
    acquire(keys, &unknown).await;
    assert_eq!(begin(request("ann", "of another version", 1)).await, Begun::InFlight, "the hash decides");
    assert_eq!(begin(request("ann", "of another version", 2)).await, Begun::Mismatch, "the hash decides");
}

/// Checks that one of many concurrent requests acquires the key.
async fn arbitrates_races(fixture: &dyn Fixture, keys: &Keys) {
    let contested = request("ann", "race", 1);
    let racers = (0..32).map(|_| {
        let (keys, contested) = (keys.clone(), contested.clone());
        tokio::spawn(async move { keys.begin(&contested).await })
    });
    let mut turns = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("no panic").expect("a decision") {
            Begun::Go(turn) => turns.push(turn),
            other => assert_eq!(other, Begun::InFlight),
        }
    }
    assert_eq!(turns.len(), 1, "one of them acquires the key");
    fixture.commit(&Effects::none().keyed(Some(turns[0].answers(response("won"))))).await.expect("the effects commit");
}

/// Checks that a key is free again after a day.
async fn expires(keys: &Keys, clock: &ManualClock) {
    let expired = request("ann", "old", 1);
    let turn = acquire(keys, &expired).await;
    clock.advance(TimeDelta::hours(24));
    let again = acquire(keys, &request("ann", "old", 2)).await;
    assert_eq!(again.resource, None);
    assert_ne!(turn.claim.token, again.claim.token);
}

async fn pending(fixture: &dyn Fixture) -> u64 {
    fixture.outbox().state(START).await.expect("a state").pending
}
