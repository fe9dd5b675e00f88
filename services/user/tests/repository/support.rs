//! Empty repository shared by two instances, and users to store in it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::database::Database;
use common::database::mail_queue::MailQueue;
use common::database::outbox::Outbox;
use common::database::transaction_effects::Effects;
use contracts::Event;
use tempfile::TempDir;
use testkit::servers;
use user_service::NAME;
use user_service::domain::{AccountRole, Preferences, Profile, User};
use user_service::repository::mongodb::MongoUserRepository;
use user_service::repository::sqlite::{MIGRATIONS, SqliteUserRepository};
use user_service::repository::{SaveOutcome, UserRepository, Versioned};

/// Empty repository, opened by two instances of the service.
pub(crate) struct Fixture {
    pub(crate) repository: Arc<dyn UserRepository>,
    /// Same store through the connections of another instance.
    pub(crate) other_instance: Arc<dyn UserRepository>,
    pub(crate) outbox: Outbox,
    pub(crate) mails: MailQueue,
    _directory: Option<TempDir>,
}

impl Fixture {
    pub(crate) async fn on_sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let open = async || Database::open_sqlite(&directory.path().join("users.db"), NAME, &MIGRATIONS).await.unwrap();
        let (db, other) = (open().await, open().await);
        let (outbox, mails) = (db.outbox(), db.mails());
        let (repository, other_instance) =
            (Arc::new(SqliteUserRepository::new(db)), Arc::new(SqliteUserRepository::new(other)));
        Some(Self { repository, other_instance, outbox, mails, _directory: Some(directory) })
    }

    /// Opens an empty database by both instances concurrently; `None` if no server is installed.
    pub(crate) async fn on_mongodb() -> Option<Self> {
        let url = servers::mongodb().await?.database().parse().unwrap();
        let open = || MongoUserRepository::open(&url);
        let (repository, other) = tokio::try_join!(open(), open()).unwrap();
        let (outbox, mails) = (repository.outbox(), repository.mails());
        let (repository, other_instance) = (Arc::new(repository), Arc::new(other));
        Some(Self { repository, other_instance, outbox, mails, _directory: None })
    }

    pub(crate) async fn insert(&self, email: &str, role: AccountRole, second: i64) -> User {
        let (user, effects) = user(email, role, second);
        assert_eq!(self.repository.insert(&user, &effects).await.unwrap(), SaveOutcome::Saved);
        user
    }

    pub(crate) async fn stored(&self, user: &User) -> Versioned<User> {
        self.repository.find(user.id).await.unwrap().unwrap()
    }

    pub(crate) async fn pending(&self) -> u64 {
        self.outbox.state(at(0)).await.unwrap().pending
    }

    /// Publishes all pending events and returns their number.
    pub(crate) async fn publish(&self, second: i64) -> usize {
        let rows = self.outbox.store().claim(1000, std::time::Duration::from_secs(5), at(second)).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.envelope.id).collect();
        self.outbox.store().mark_published(&ids).await.unwrap();
        ids.len()
    }
}

/// Returns a time in 2096, so that no server expires data by a clock of its own.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(4_000_000_000 + second, 0).unwrap()
}

pub(crate) fn to_effects(events: Vec<Event>, now: DateTime<Utc>) -> Effects {
    events.into_iter().fold(Effects::none(), |effects, event| effects.with_event(now, event))
}

pub(crate) fn user(email: &str, role: AccountRole, second: i64) -> (User, Effects) {
    let profile = Profile {
        email: email.to_owned(),
        email_verified: false,
        first_name: "John".to_owned(),
        last_name: "Doe".to_owned(),
        date_of_birth: None,
        phone_number: None,
        address: None,
        preferences: Preferences::default(),
    };
    let (user, events) = User::register(profile, role, "hash".to_owned(), at(second));
    (user, to_effects(events, at(second)))
}
