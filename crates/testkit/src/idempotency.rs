//! The conformance suite of idempotency keys: every store that writes effects runs it.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::ManualClock;
use common::effects::Effects;
use common::idempotency::{Begun, FINGERPRINT_SCHEME, KeptAnswer, KeyedRequest, Keys, Turn};
use common::store::StoreError;

use crate::outbox::{Fixture, many_effects};

/// When the suite begins.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn request(caller: &str, key: &str, hash: u8) -> KeyedRequest {
    let fingerprint = format!("{FINGERPRINT_SCHEME}{hash}");
    KeyedRequest { caller: caller.to_owned(), key: key.to_owned(), hash: [hash; 32], fingerprint }
}

fn answer(body: &str) -> KeptAnswer {
    KeptAnswer { status: 201, location: Some("/somewhere".to_owned()), body: body.to_owned() }
}

async fn go(keys: &Keys, request: &KeyedRequest) -> Turn {
    match keys.begin(request).await.expect("an answer") {
        Begun::Go(turn) => turn,
        other => panic!("{request:?} may not go: {other:?}"),
    }
}

/// Runs the suite on an empty store; `keys` are those of the fixture's store, by this clock, which stands at [`START`].
///
/// # Panics
/// If the store breaks a rule.
pub async fn suite(fixture: &dyn Fixture, keys: &Keys, clock: &ManualClock) {
    once(fixture, keys).await;
    taken_up(fixture, keys, clock).await;
    refused(keys).await;
    compared(keys).await;
    at_the_same_time(fixture, keys).await;
    forgotten(keys, clock).await;
}

/// A request is done once; it is told apart from others, and its caller from other callers.
async fn once(fixture: &dyn Fixture, keys: &Keys) {
    let first = request("ann", "once", 1);
    let turn = go(keys, &first).await;
    assert_eq!(turn.resource, None);
    assert_eq!(keys.begin(&first).await.expect("an answer"), Begun::InFlight);
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("an answer"), Begun::Mismatch);
    let other = go(keys, &request("bob", "once", 2)).await;
    fixture.commit(&Effects::none().keyed(Some(turn.answers(answer("done"))))).await.expect("it is written");
    assert_eq!(keys.begin(&first).await.expect("an answer"), Begun::Done(answer("done")));
    assert_eq!(keys.begin(&request("ann", "once", 2)).await.expect("an answer"), Begun::Mismatch);
    let again = fixture.commit(&Effects::none().keyed(Some(turn.answers(answer("again"))))).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "an answer is given once: {again:?}");
    keys.forget(&turn.claim).await.expect("an answer");
    assert_eq!(keys.begin(&first).await.expect("an answer"), Begun::Done(answer("done")), "it stays");
    keys.forget(&other.claim).await.expect("an answer");
}

/// A key whose process died is taken up with what it made, and the dead one writes nothing any more.
async fn taken_up(fixture: &dyn Fixture, keys: &Keys, clock: &ManualClock) {
    let asked = request("ann", "taken up", 1);
    let dead = go(keys, &asked).await;
    fixture.commit(&Effects::none().keyed(Some(dead.makes(&"payment 1")))).await.expect("it is written");
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Begun::InFlight);
    clock.advance(TimeDelta::seconds(11));
    let next = go(keys, &asked).await;
    assert_eq!(next.resource.as_deref(), Some("payment 1"));
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Begun::InFlight);
    let pending = pending(fixture).await;
    let late = fixture.commit(&many_effects(1).keyed(Some(dead.answers(answer("late"))))).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(self::pending(fixture).await, pending, "nothing of it is written");
    keys.forget(&dead.claim).await.expect("an answer");
    fixture.commit(&Effects::none().keyed(Some(next.answers(answer("done"))))).await.expect("it is written");
    assert_eq!(keys.begin(&asked).await.expect("an answer"), Begun::Done(answer("done")));
}

/// What was refused is not kept.
async fn refused(keys: &Keys) {
    let turn = go(keys, &request("ann", "refused", 1)).await;
    keys.forget(&turn.claim).await.expect("an answer");
    let turn = go(keys, &request("ann", "refused", 2)).await;
    keys.forget(&turn.claim).await.expect("an answer");
}

/// Requests are compared by fingerprints of this scheme, and by their hashes where the row has none of it.
async fn compared(keys: &Keys) {
    let begun = |asked: KeyedRequest| async move { keys.begin(&asked).await.expect("an answer") };
    go(keys, &request("ann", "compared", 1)).await;
    let relaid = KeyedRequest { hash: [2; 32], ..request("ann", "compared", 1) };
    assert_eq!(begun(relaid).await, Begun::InFlight, "the fingerprint counts");
    let other = KeyedRequest { hash: [1; 32], ..request("ann", "compared", 2) };
    assert_eq!(begun(other).await, Begun::Mismatch, "the fingerprint counts");
    let unknown =
        KeyedRequest { fingerprint: "9:unknown scheme".to_owned(), ..request("ann", "of another version", 1) };
    go(keys, &unknown).await;
    assert_eq!(begun(request("ann", "of another version", 1)).await, Begun::InFlight, "the hash counts");
    assert_eq!(begun(request("ann", "of another version", 2)).await, Begun::Mismatch, "the hash counts");
}

/// Of many that come at once one goes.
async fn at_the_same_time(fixture: &dyn Fixture, keys: &Keys) {
    let asked = request("ann", "race", 1);
    let racers = (0..32).map(|_| {
        let (keys, asked) = (keys.clone(), asked.clone());
        tokio::spawn(async move { keys.begin(&asked).await })
    });
    let mut turns = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("no panic").expect("an answer") {
            Begun::Go(turn) => turns.push(turn),
            other => assert_eq!(other, Begun::InFlight),
        }
    }
    assert_eq!(turns.len(), 1, "one of them goes");
    fixture.commit(&Effects::none().keyed(Some(turns[0].answers(answer("won"))))).await.expect("it is written");
}

/// After a day a key is new again, whatever it was used for.
async fn forgotten(keys: &Keys, clock: &ManualClock) {
    let asked = request("ann", "old", 1);
    let turn = go(keys, &asked).await;
    clock.advance(TimeDelta::hours(24));
    let again = go(keys, &request("ann", "old", 2)).await;
    assert_eq!(again.resource, None);
    assert_ne!(turn.claim.token, again.claim.token);
}

async fn pending(fixture: &dyn Fixture) -> u64 {
    fixture.outbox().state(START).await.expect("a state").pending
}
