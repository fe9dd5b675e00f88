//! The conformance suite of idempotency keys: every store that writes effects runs it.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::ManualClock;
use common::database::transaction_effects::Effects;
use common::idempotency::{
    Acquire, FINGERPRINT_SCHEME, IdempotencyKeys, IdempotencyLease, IdempotentRequest, StoredResponse,
};
use common::store::StoreError;

use crate::outbox::{Fixture, many_effects};

/// When the suite begins.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn request(caller: &str, key: &str, hash: u8) -> IdempotentRequest {
    let fingerprint = format!("{FINGERPRINT_SCHEME}{hash}");
    IdempotentRequest { caller: caller.to_owned(), key: key.to_owned(), hash: [hash; 32], fingerprint }
}

fn answer(body: &str) -> StoredResponse {
    StoredResponse { status: 201, location: Some("/somewhere".to_owned()), body: body.to_owned() }
}

async fn go(keys: &IdempotencyKeys, request: &IdempotentRequest) -> IdempotencyLease {
    match keys.begin(request).await.expect("an answer") {
        Acquire::Acquired(turn) => turn,
        other => panic!("{request:?} may not go: {other:?}"),
    }
}

/// Runs the suite on an empty store; `keys` are those of the fixture's store, by this clock, which stands at [`START`].
///
/// # Panics
/// If the store breaks a rule.
pub async fn suite(fixture: &dyn Fixture, keys: &IdempotencyKeys, clock: &ManualClock) {
    once(fixture, keys).await;
    taken_up(fixture, keys, clock).await;
    refused(keys).await;
    compared(keys).await;
    at_the_same_time(fixture, keys).await;
    forgotten(keys, clock).await;
}

/// A request is done once; it is told apart from others, and its caller from other callers.
async fn once(fixture: &dyn Fixture, keys: &IdempotencyKeys) {
    let first = request("ann", "once", 1);
    let turn = go(keys, &first).await;
    assert_eq!(turn.resource, None);
    assert_eq!(keys.begin(&first).await.expect("an answer"), Acquire::InProgress);
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("an answer"), Acquire::KeyReused);
    let other = go(keys, &request("bob", "once", 2)).await;
    fixture.commit(&Effects::none().idempotency(Some(turn.complete(answer("done"))))).await.expect("it is written");
    assert_eq!(keys.begin(&first).await.expect("an answer"), Acquire::Completed(answer("done")));
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("an answer"), Acquire::KeyReused);
    let again = fixture.commit(&Effects::none().idempotency(Some(turn.complete(answer("again"))))).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "an answer is given once: {again:?}");
    keys.release(&turn.reference).await.expect("an answer");
    assert_eq!(keys.begin(&first).await.expect("an answer"), Acquire::Completed(answer("done")), "it stays");
    keys.release(&other.reference).await.expect("an answer");
}

/// A key whose process died is taken up with what it made, and the dead one writes nothing any more.
async fn taken_up(fixture: &dyn Fixture, keys: &IdempotencyKeys, clock: &ManualClock) {
    let asked = request("ann", "taken up", 1);
    let dead = go(keys, &asked).await;
    fixture.commit(&Effects::none().idempotency(Some(dead.link_resource(&"payment 1")))).await.expect("it is written");
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Acquire::InProgress);
    clock.advance(TimeDelta::seconds(11));
    let next = go(keys, &asked).await;
    assert_eq!(next.resource.as_deref(), Some("payment 1"));
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Acquire::InProgress);
    let pending = pending(fixture).await;
    let late = fixture.commit(&many_effects(1).idempotency(Some(dead.complete(answer("late"))))).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(self::pending(fixture).await, pending, "nothing of it is written");
    keys.release(&dead.reference).await.expect("an answer");
    fixture.commit(&Effects::none().idempotency(Some(next.complete(answer("done"))))).await.expect("it is written");
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Acquire::Completed(answer("done")));
}

/// What was refused is not kept.
async fn refused(keys: &IdempotencyKeys) {
    let turn = go(keys, &request("ann", "refused", 1)).await;
    keys.release(&turn.reference).await.expect("an answer");
    let turn = go(keys, &request("ann", "refused", 2)).await;
    keys.release(&turn.reference).await.expect("an answer");
}

/// Requests are compared by fingerprints of this scheme, and by their hashes where the row has none of it.
async fn compared(keys: &IdempotencyKeys) {
    let begun = |asked: IdempotentRequest| async move { keys.begin(&asked).await.expect("an answer") };
    go(keys, &request("ann", "compared", 1)).await;
    let relaid = IdempotentRequest { hash: [2; 32], ..request("ann", "compared", 1) };
    assert_eq!(begun(relaid).await, Acquire::InProgress, "the fingerprint counts");
    let other = IdempotentRequest { hash: [1; 32], ..request("ann", "compared", 2) };
    assert_eq!(begun(other).await, Acquire::KeyReused, "the fingerprint counts");
    let unknown =
        IdempotentRequest { fingerprint: "9:unknown scheme".to_owned(), ..request("ann", "of another version", 1) };
    go(keys, &unknown).await;
    assert_eq!(begun(request("ann", "of another version", 1)).await, Acquire::InProgress, "the hash counts");
    assert_eq!(begun(request("ann", "of another version", 2)).await, Acquire::KeyReused, "the hash counts");
}

/// Of many that come at once one goes.
async fn at_the_same_time(fixture: &dyn Fixture, keys: &IdempotencyKeys) {
    let asked = request("ann", "race", 1);
    let racers = (0..32).map(|_| {
        let (keys, asked) = (keys.clone(), asked.clone());
        tokio::spawn(async move { keys.begin(&asked).await })
    });
    let mut turns = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("no panic").expect("an answer") {
            Acquire::Acquired(turn) => turns.push(turn),
            other => assert_eq!(other, Acquire::InProgress),
        }
    }
    assert_eq!(turns.len(), 1, "one of them goes");
    fixture.commit(&Effects::none().idempotency(Some(turns[0].complete(answer("won"))))).await.expect("it is written");
}

/// After a day a key is new again, whatever it was used for.
async fn forgotten(keys: &IdempotencyKeys, clock: &ManualClock) {
    let asked = request("ann", "old", 1);
    let turn = go(keys, &asked).await;
    clock.advance(TimeDelta::hours(24));
    let again = go(keys, &request("ann", "old", 2)).await;
    assert_eq!(again.resource, None);
    assert_ne!(turn.reference.token, again.reference.token);
}

async fn pending(fixture: &dyn Fixture) -> u64 {
    fixture.outbox().state(START).await.expect("a state").pending
}
