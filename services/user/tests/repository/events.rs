//! Events of changes and the relay that publishes them.

use std::time::Duration;

use async_trait::async_trait;
use common::database::NewMail;
use common::database::mail_queue::MailQueue;
use common::database::outbox::Outbox;
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::EventId;
use serde_json::json;
use testkit::{mails, outbox};
use user_service::domain::{AccountRole, User};
use user_service::repository::SaveOutcome;

use crate::support::{Fixture, at, to_effects, user};

const LEASE: Duration = Duration::from_secs(5);

/// Commits effects with a change of a user.
struct UserEffects {
    fixture: Fixture,
    user: User,
}

#[async_trait]
impl outbox::Fixture for UserEffects {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        let stored = self.fixture.stored(&self.user).await;
        assert_eq!(self.fixture.repository.save(&stored, effects).await?, SaveOutcome::Saved);
        Ok(())
    }

    fn outbox(&self) -> Outbox {
        self.fixture.outbox.clone()
    }
}

#[async_trait]
impl mails::Fixture for UserEffects {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        outbox::Fixture::commit(self, effects).await
    }

    fn mails(&self) -> MailQueue {
        self.fixture.mails.clone()
    }
}

pub(crate) async fn mail_queue_conforms(fixture: Fixture) {
    let (user, _) = user("recipient@example.com", AccountRole::User, 0);
    fixture.repository.insert(&user, &Effects::none()).await.unwrap();
    mails::suite(&UserEffects { fixture, user }).await;
}

/// The mails of an insert and of a save are written with it, and not without it.
pub(crate) async fn mails_are_written_with_their_change(fixture: Fixture) {
    let welcome = |user: &User| Effects::none().with_mail(NewMail::new(at(0), "welcome", &user.id, json!({})));
    let waiting = async || fixture.mails.store().state(at(0)).await.unwrap().waiting;
    let (john, _) = user("john@example.com", AccountRole::User, 0);
    assert_eq!(fixture.repository.insert(&john, &welcome(&john)).await.unwrap(), SaveOutcome::Saved);
    let (other, _) = user("john@example.com", AccountRole::User, 1);
    assert_eq!(fixture.repository.insert(&other, &welcome(&other)).await.unwrap(), SaveOutcome::EmailTaken);
    assert_eq!(waiting().await, 1);
    let read = fixture.stored(&john).await;
    assert_eq!(fixture.repository.save(&read, &welcome(&john)).await.unwrap(), SaveOutcome::Saved);
    assert_eq!(fixture.repository.save(&read, &welcome(&john)).await.unwrap(), SaveOutcome::VersionConflict);
    assert_eq!(waiting().await, 2);
    // A claim and a save of the user do not conflict.
    let read = fixture.stored(&john).await;
    let claimed = fixture.mails.store().claim(9, LEASE, at(1)).await.unwrap();
    assert_eq!(fixture.repository.save(&read, &Effects::none()).await.unwrap(), SaveOutcome::Saved);
    for mail in &claimed {
        assert_eq!(mail.recipient, john.id.to_string());
        fixture.mails.store().remove(mail).await.unwrap();
    }
    assert_eq!((claimed.len(), waiting().await), (2, 0));
}

pub(crate) async fn outbox_and_inbox_conform(fixture: Fixture) {
    let (user, _) = user("carrier@example.com", AccountRole::User, 0);
    fixture.repository.insert(&user, &Effects::none()).await.unwrap();
    outbox::suite(&UserEffects { fixture, user }).await;
}

pub(crate) async fn rejected_insert_writes_no_event(fixture: Fixture) {
    fixture.insert("john@example.com", AccountRole::User, 0).await;
    let (other, effects) = user("john@example.com", AccountRole::User, 1);
    assert_eq!(fixture.repository.insert(&other, &effects).await.unwrap(), SaveOutcome::EmailTaken);
    assert_eq!(fixture.pending().await, 1);
}

pub(crate) async fn relay_and_saves_do_not_conflict(fixture: Fixture) {
    let (john, relay) = (fixture.insert("john@example.com", AccountRole::User, 0).await, fixture.outbox.store());
    let mut read = fixture.stored(&john).await;
    let claimed = relay.claim(10, LEASE, at(1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let effects = to_effects(read.value.set_password("another hash".to_owned(), None, at(2)), at(2));
    assert_eq!(
        fixture.repository.save(&read, &effects).await.unwrap(),
        SaveOutcome::Saved,
        "a claim does not change the version"
    );
    assert_eq!(fixture.pending().await, 2);

    let read = fixture.stored(&john).await;
    let next = relay.claim(10, LEASE, at(3)).await.unwrap();
    assert_eq!(next.iter().map(|row| row.envelope.sequence).collect::<Vec<_>>(), [2], "the first is still claimed");
    relay.mark_failed(&[next[0].envelope.id], at(3)).await.unwrap();
    relay.mark_published(&[claimed[0].envelope.id]).await.unwrap();
    assert_eq!(fixture.stored(&john).await, read);
    assert_eq!(fixture.repository.save(&read, &Effects::none()).await.unwrap(), SaveOutcome::Saved);
    let again = relay.claim(10, LEASE, at(4)).await.unwrap();
    let envelope = &again[0].envelope;
    assert_eq!((again.len(), envelope.id, envelope.sequence), (1, effects.events[0].id, 2));
    assert_eq!(envelope.event().unwrap().as_ref(), Some(&effects.events[0].event));
    assert_eq!((envelope.service.as_str(), envelope.timestamp), ("user-service", at(2)));
    assert_eq!(envelope.aggregate_id, john.id.to_string());
}

pub(crate) async fn message_is_handled_once(fixture: Fixture) {
    let handled = InboxRecord { consumer: "suite", event_id: EventId::generate(at(0)) };
    let (john, effects) = user("john@example.com", AccountRole::User, 0);
    fixture.repository.insert(&john, &effects.clone().consuming(handled)).await.unwrap();
    let again = fixture.repository.save(&fixture.stored(&john).await, &effects.consuming(handled)).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    let (jane, effects) = user("jane@example.com", AccountRole::User, 0);
    let with_another = fixture.repository.insert(&jane, &effects.clone().consuming(handled)).await;
    assert!(matches!(with_another, Err(StoreError::AlreadyHandled)), "{with_another:?}");
    fixture.repository.insert(&jane, &effects).await.unwrap();
    let with_another = fixture.repository.save(&fixture.stored(&jane).await, &Effects::none().consuming(handled)).await;
    assert!(matches!(with_another, Err(StoreError::AlreadyHandled)), "{with_another:?}");
    assert_eq!(fixture.pending().await, 2);
}

pub(crate) async fn relays_share_the_events_of_many_users(fixture: Fixture) {
    let mut expected = Vec::new();
    for number in 0..30 {
        let (user, effects) = user(&format!("{number}@example.com"), AccountRole::User, number);
        fixture.repository.insert(&user, &effects).await.unwrap();
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
