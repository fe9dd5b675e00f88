//! What a change of a user causes, and the relay that publishes it.

use std::time::Duration;

use common::auth::Role;
use common::effects::{Effects, Handled};
use common::store::StoreError;
use contracts::EventId;
use user_service::store::Written;

use crate::{Fixture, at, user};

const LEASE: Duration = Duration::from_secs(5);

pub(crate) async fn what_is_refused_causes_nothing(fixture: Fixture) {
    fixture.insert("john@example.com", Role::User, 0).await;
    let (other, effects) = user("john@example.com", Role::User, 1);
    assert_eq!(fixture.users.insert(&other, &effects).await.unwrap(), Written::EmailTaken);
    assert_eq!(fixture.pending().await, 1);
}

pub(crate) async fn the_relay_and_the_user_do_not_disturb_each_other(fixture: Fixture) {
    let (john, relay) = (fixture.insert("john@example.com", Role::User, 0).await, fixture.outbox.store());
    let mut read = fixture.stored(&john).await;
    let claimed = relay.claim(10, LEASE, at(1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let effects = read.user.set_password("another hash".to_owned(), None, at(2));
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Done, "a claim is no change of the user");
    assert_eq!(fixture.pending().await, 2);

    let read = fixture.stored(&john).await;
    let next = relay.claim(10, LEASE, at(3)).await.unwrap();
    assert_eq!(next.iter().map(|row| row.envelope.sequence).collect::<Vec<_>>(), [2], "the first is claimed still");
    relay.mark_failed(&[next[0].envelope.id], at(3)).await.unwrap();
    relay.mark_published(&[claimed[0].envelope.id]).await.unwrap();
    assert_eq!(fixture.stored(&john).await, read);
    assert_eq!(fixture.users.save(&read, &Effects::none()).await.unwrap(), Written::Done);
    let again = relay.claim(10, LEASE, at(4)).await.unwrap();
    let envelope = &again[0].envelope;
    assert_eq!((again.len(), envelope.id, envelope.sequence), (1, effects.events[0].id, 2));
    assert_eq!(envelope.event().unwrap().as_ref(), Some(&effects.events[0].event));
    assert_eq!((envelope.service.as_str(), envelope.timestamp), ("user-service", at(2)));
    assert_eq!(envelope.aggregate_id, john.id.to_string());
}

pub(crate) async fn a_message_has_its_effect_once(fixture: Fixture) {
    let handled = Handled { consumer: "suite", event_id: EventId::generate(at(0)) };
    let (john, effects) = user("john@example.com", Role::User, 0);
    fixture.users.insert(&john, &effects.clone().handling(handled)).await.unwrap();
    let again = fixture.users.save(&fixture.stored(&john).await, &effects.handling(handled)).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    let (jane, effects) = user("jane@example.com", Role::User, 0);
    let with_another = fixture.users.insert(&jane, &effects.clone().handling(handled)).await;
    assert!(matches!(with_another, Err(StoreError::AlreadyHandled)), "{with_another:?}");
    fixture.users.insert(&jane, &effects).await.unwrap();
    let with_another = fixture.users.save(&fixture.stored(&jane).await, &Effects::none().handling(handled)).await;
    assert!(matches!(with_another, Err(StoreError::AlreadyHandled)), "{with_another:?}");
    assert_eq!(fixture.pending().await, 2);
}

pub(crate) async fn events_of_many_users_are_shared_by_relays(fixture: Fixture) {
    let mut expected = Vec::new();
    for number in 0..30 {
        let (user, effects) = user(&format!("{number}@example.com"), Role::User, number);
        fixture.users.insert(&user, &effects).await.unwrap();
        expected.push(effects.events[0].id);
    }
    let oldest = fixture.outbox.store().claim(3, LEASE, at(100)).await.unwrap();
    let oldest: Vec<_> = oldest.iter().map(|row| row.envelope.id).collect();
    assert_eq!(oldest, expected[..3], "the oldest come first");
    let relays = (0..4).map(|_| {
        let store = fixture.outbox.store();
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let rows = store.claim(4, LEASE, at(101)).await.unwrap();
                if rows.is_empty() {
                    return claimed;
                }
                assert!(rows.len() <= 4, "{}", rows.len());
                let ids: Vec<_> = rows.iter().map(|row| row.envelope.id).collect();
                store.mark_published(&ids).await.unwrap();
                claimed.extend(ids);
            }
        })
    });
    let mut all = oldest;
    for relay in relays.collect::<Vec<_>>() {
        all.extend(relay.await.unwrap());
    }
    let rest = fixture.outbox.store().claim(100, LEASE, at(101)).await.unwrap();
    all.extend(rest.iter().map(|row| row.envelope.id));
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected, "each event is claimed once");
}
