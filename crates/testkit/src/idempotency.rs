//! Conformance suite of idempotency keys, run by every store that writes effects.

use chrono::{DateTime, TimeDelta, Utc};
use common::database::idempotency::{
    Acquire, FINGERPRINT_SCHEME, IdempotencyKeys, IdempotencyLease, IdempotentRequest, StoredResponse,
};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::telemetry::clock::ManualClock;

use crate::outbox::{Fixture, many_effects};

/// Time at the start of the suite.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn request(caller: &str, key: &str, hash: u8) -> IdempotentRequest {
    let fingerprint = format!("{FINGERPRINT_SCHEME}{hash}");
    IdempotentRequest { caller: caller.to_owned(), key: key.to_owned(), hash: [hash; 32], fingerprint }
}

fn response(body: &str) -> StoredResponse {
    StoredResponse { status: 201, location: Some("/somewhere".to_owned()), body: body.to_owned() }
}

async fn acquire(keys: &IdempotencyKeys, request: &IdempotentRequest) -> IdempotencyLease {
    match keys.begin(request).await.expect("a decision") {
        Acquire::Acquired(lease) => lease,
        other => panic!("{request:?} is not acquired: {other:?}"),
    }
}

/// Runs the suite on an empty store. `keys` belong to the fixture's store and use `clock`, which is at [`START`].
///
/// # Panics
/// If the store violates the contract.
pub async fn suite(fixture: &dyn Fixture, keys: &IdempotencyKeys, clock: &ManualClock) {
    executes_once(fixture, keys).await;
    reacquires_expired(fixture, keys, clock).await;
    releases(keys).await;
    compares_requests(keys).await;
    arbitrates_races(fixture, keys).await;
    expires(keys, clock).await;
}

/// Checks that a request is executed once, and distinguished from other requests and other callers.
async fn executes_once(fixture: &dyn Fixture, keys: &IdempotencyKeys) {
    let first = request("ann", "once", 1);
    let lease = acquire(keys, &first).await;
    assert_eq!(lease.resource, None);
    assert_eq!(keys.begin(&first).await.expect("a decision"), Acquire::InProgress);
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("a decision"), Acquire::KeyReused);
    let other = acquire(keys, &request("bob", "once", 2)).await;
    fixture
        .commit(&Effects::none().idempotency(Some(lease.complete(response("done")))))
        .await
        .expect("the effects commit");
    assert_eq!(keys.begin(&first).await.expect("a decision"), Acquire::Completed(response("done")));
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("a decision"), Acquire::KeyReused);
    let again = fixture.commit(&Effects::none().idempotency(Some(lease.complete(response("again"))))).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "a response is stored once: {again:?}");
    keys.release(&lease.reference).await.expect("a decision");
    assert_eq!(
        keys.begin(&first).await.expect("a decision"),
        Acquire::Completed(response("done")),
        "it stays completed"
    );
    keys.release(&other.reference).await.expect("a decision");
}

/// Checks that an expired lease is acquired with its linked resource, and that the previous holder can no longer write.
async fn reacquires_expired(fixture: &dyn Fixture, keys: &IdempotencyKeys, clock: &ManualClock) {
    let retried = request("ann", "reacquired", 1);
    let dead = acquire(keys, &retried).await;
    fixture
        .commit(&Effects::none().idempotency(Some(dead.link_resource(&"payment 1"))))
        .await
        .expect("the effects commit");
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Acquire::InProgress);
    clock.advance(TimeDelta::seconds(11));
    let next = acquire(keys, &retried).await;
    assert_eq!(next.resource.as_deref(), Some("payment 1"));
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Acquire::InProgress);
    let pending = pending(fixture).await;
    let late = fixture.commit(&many_effects(1).idempotency(Some(dead.complete(response("late"))))).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(self::pending(fixture).await, pending, "nothing is written");
    keys.release(&dead.reference).await.expect("a decision");
    fixture
        .commit(&Effects::none().idempotency(Some(next.complete(response("done")))))
        .await
        .expect("the effects commit");
    assert_eq!(keys.begin(&retried).await.expect("a decision"), Acquire::Completed(response("done")));
}

/// Checks that a released key is free again.
async fn releases(keys: &IdempotencyKeys) {
    let lease = acquire(keys, &request("ann", "released", 1)).await;
    keys.release(&lease.reference).await.expect("a decision");
    let lease = acquire(keys, &request("ann", "released", 2)).await;
    keys.release(&lease.reference).await.expect("a decision");
}

/// Checks that requests are compared by fingerprints of this scheme, and by hashes where the row has another scheme.
async fn compares_requests(keys: &IdempotencyKeys) {
    let begin = |request: IdempotentRequest| async move { keys.begin(&request).await.expect("a decision") };
    acquire(keys, &request("ann", "compared", 1)).await;
    let relaid = IdempotentRequest { hash: [2; 32], ..request("ann", "compared", 1) };
    assert_eq!(begin(relaid).await, Acquire::InProgress, "the fingerprint decides");
    let other = IdempotentRequest { hash: [1; 32], ..request("ann", "compared", 2) };
    assert_eq!(begin(other).await, Acquire::KeyReused, "the fingerprint decides");
    let unknown =
        IdempotentRequest { fingerprint: "9:unknown scheme".to_owned(), ..request("ann", "of another version", 1) };
    acquire(keys, &unknown).await;
    assert_eq!(begin(request("ann", "of another version", 1)).await, Acquire::InProgress, "the hash decides");
    assert_eq!(begin(request("ann", "of another version", 2)).await, Acquire::KeyReused, "the hash decides");
}

/// Checks that one of many concurrent requests acquires the key.
async fn arbitrates_races(fixture: &dyn Fixture, keys: &IdempotencyKeys) {
    let contested = request("ann", "race", 1);
    let racers = (0..32).map(|_| {
        let (keys, contested) = (keys.clone(), contested.clone());
        tokio::spawn(async move { keys.begin(&contested).await })
    });
    let mut leases = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("no panic").expect("a decision") {
            Acquire::Acquired(lease) => leases.push(lease),
            other => assert_eq!(other, Acquire::InProgress),
        }
    }
    assert_eq!(leases.len(), 1, "one of them acquires the key");
    fixture
        .commit(&Effects::none().idempotency(Some(leases[0].complete(response("won")))))
        .await
        .expect("the effects commit");
}

/// Checks that a key is free again after a day.
async fn expires(keys: &IdempotencyKeys, clock: &ManualClock) {
    let expired = request("ann", "old", 1);
    let lease = acquire(keys, &expired).await;
    clock.advance(TimeDelta::hours(24));
    let again = acquire(keys, &request("ann", "old", 2)).await;
    assert_eq!(again.resource, None);
    assert_ne!(lease.reference.token, again.reference.token);
}

async fn pending(fixture: &dyn Fixture) -> u64 {
    fixture.outbox().state(START).await.expect("a state").pending
}
