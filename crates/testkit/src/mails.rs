//! Conformance suite of the queue of mails, run by every store that writes effects.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::mail_queue::{MailQueue, MailQueueState};
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use common::database::{NewMail, QueuedMail};
use contracts::EventId;
use serde_json::json;
use uuid::Uuid;

/// Store with a queue of mails.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Commits a change with these effects.
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError>;
    /// Returns the queue.
    fn mails(&self) -> MailQueue;
}

const LEASE: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
}

fn mail(second: i64) -> NewMail {
    NewMail::new(at(second), "welcome", &"recipient", json!({"number": second}))
}

fn ids(mails: &[QueuedMail]) -> Vec<Uuid> {
    mails.iter().map(|mail| mail.id).collect()
}

/// Runs the suite on an empty store.
///
/// # Panics
/// If the store violates the contract.
pub async fn suite(fixture: &dyn Fixture) {
    mails_are_claimed_under_a_lease(fixture).await;
    late_worker_changes_nothing(fixture).await;
    handled_message_causes_no_second_mail(fixture).await;
    workers_share(fixture).await;
}

async fn claim(fixture: &dyn Fixture, n: u32, second: i64) -> Vec<QueuedMail> {
    fixture.mails().store().claim(n, LEASE, at(second)).await.expect("a claim")
}

async fn waiting(fixture: &dyn Fixture, second: i64) -> MailQueueState {
    fixture.mails().store().state(at(second)).await.expect("a state")
}

/// Checks that a claimed mail is exclusive until its lease expires, and is complete.
async fn mails_are_claimed_under_a_lease(fixture: &dyn Fixture) {
    let store = fixture.mails().store();
    let (first, second, third) = (mail(0), mail(1), mail(2));
    let effects = [&first, &second, &third].into_iter().cloned().fold(Effects::none(), Effects::with_mail);
    fixture.commit(&effects).await.expect("the effects commit");
    assert_eq!(waiting(fixture, 12).await, MailQueueState { waiting: 3, oldest_seconds: 12 });
    assert_eq!(claim(fixture, 9, -1).await.len(), 0, "none is due yet");

    let mut claimed = claim(fixture, 2, 10).await;
    claimed.sort_by_key(|mail| mail.created_at);
    assert_eq!(ids(&claimed), [first.id, second.id], "the longest due come first");
    assert_eq!(ids(&claim(fixture, 9, 10).await), [third.id], "the others are claimed");
    let QueuedMail { kind, recipient, created_at, attempts, .. } = &claimed[1];
    assert_eq!((kind.as_str(), recipient.as_str(), *created_at, *attempts), ("welcome", "recipient", at(1), 1));
    assert_eq!(claimed[1].data::<serde_json::Value>().expect("data"), json!({"number": 1}));

    store.remove(&claimed[0]).await.expect("removed");
    store.postpone(&claimed[1], at(500)).await.expect("postponed");
    assert_eq!(claim(fixture, 9, 69).await.len(), 0);
    let again = claim(fixture, 9, 70).await;
    assert_eq!((ids(&again), again[0].attempts), (vec![third.id], 2), "its lease has expired");
    store.remove(&again[0]).await.expect("removed");
    let postponed = claim(fixture, 9, 500).await;
    assert_eq!((ids(&postponed), postponed[0].attempts), (vec![second.id], 2));
    store.remove(&postponed[0]).await.expect("removed");
    assert_eq!(waiting(fixture, 600).await, MailQueueState::default());
}

/// Checks that a worker whose lease has expired neither removes nor postpones the mail.
async fn late_worker_changes_nothing(fixture: &dyn Fixture) {
    let store = fixture.mails().store();
    fixture.commit(&Effects::none().with_mail(mail(0))).await.expect("the effects commit");
    let late = claim(fixture, 1, 0).await;
    let current = claim(fixture, 1, 60).await;
    assert_eq!(ids(&current), ids(&late));
    store.remove(&late[0]).await.expect("ignored");
    store.postpone(&late[0], at(0)).await.expect("ignored");
    assert_eq!(waiting(fixture, 60).await.waiting, 1);
    assert_eq!(claim(fixture, 1, 61).await.len(), 0, "the current worker still holds it");
    store.remove(&current[0]).await.expect("removed");
    assert_eq!(waiting(fixture, 61).await.waiting, 0);
}

/// Checks that mails are part of the transaction of their change.
async fn handled_message_causes_no_second_mail(fixture: &dyn Fixture) {
    let handled = InboxRecord { consumer: "mails", event_id: EventId::generate(at(0)) };
    fixture.commit(&Effects::none().with_mail(mail(0)).consuming(handled)).await.expect("the effects commit");
    let again = fixture.commit(&Effects::none().with_mail(mail(1)).consuming(handled)).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    let claimed = claim(fixture, 9, 10).await;
    assert_eq!(claimed.len(), 1);
    fixture.mails().store().remove(&claimed[0]).await.expect("removed");
}

/// Checks that concurrent workers claim each mail once.
async fn workers_share(fixture: &dyn Fixture) {
    let effects = (0..30).map(mail).fold(Effects::none(), Effects::with_mail);
    let mut expected: Vec<_> = effects.mails.iter().map(|mail| mail.id).collect();
    fixture.commit(&effects).await.expect("the effects commit");
    let work = async || {
        let mut mine = Vec::new();
        loop {
            let claimed = claim(fixture, 4, 100).await;
            if claimed.is_empty() {
                return mine;
            }
            mine.extend(claimed);
        }
    };
    let (one, two, three) = tokio::join!(work(), work(), work());
    // A worker ends early if others claimed all that it had found.
    let all: Vec<_> = [one, two, three, work().await].into_iter().flatten().collect();
    let mut claimed = ids(&all);
    claimed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(claimed, expected, "each mail is claimed once");
    for mail in &all {
        fixture.mails().store().remove(mail).await.expect("removed");
    }
    assert_eq!(waiting(fixture, 100).await, MailQueueState::default());
}
