//! The suites that every store of users passes, and what is told of one of them alone.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

#[path = "store/accounts.rs"]
mod accounts;
#[path = "store/admins.rs"]
mod admins;
#[path = "store/deleted.rs"]
mod deleted;
#[path = "store/events.rs"]
mod events;
#[path = "store/failures.rs"]
mod failures;
#[path = "store/mongodb.rs"]
mod mongodb;
#[path = "store/revocations.rs"]
mod revocations;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::auth::Role;
use common::effects::Effects;
use common::outbox::Outbox;
use common::sqlite::Sqlite;
use common::store::StoreError;
use tempfile::TempDir;
use testkit::{outbox, servers};
use user_service::NAME;
use user_service::domain::{Preferences, Profile, User};
use user_service::store::mongodb::MongoUsers;
use user_service::store::sqlite::{MIGRATIONS, SqliteUsers};
use user_service::store::{Stored, Users, Written};

/// A store with nothing in it, as two instances of the service have it.
struct Fixture {
    users: Arc<dyn Users>,
    /// The same store, by connections of its own.
    neighbour: Arc<dyn Users>,
    outbox: Outbox,
    _directory: Option<TempDir>,
}

impl Fixture {
    async fn sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let open = async || Sqlite::open(&directory.path().join("users.db"), NAME, &MIGRATIONS).await.unwrap();
        let (db, other) = (open().await, open().await);
        let outbox = db.outbox();
        let (users, neighbour) = (Arc::new(SqliteUsers::new(db)), Arc::new(SqliteUsers::new(other)));
        Some(Self { users, neighbour, outbox, _directory: Some(directory) })
    }

    /// Both instances start at once, on a database that has nothing yet.
    async fn mongodb() -> Option<Self> {
        let url = servers::mongodb().await?.database().parse().unwrap();
        let (users, neighbour) = tokio::try_join!(MongoUsers::open(&url), MongoUsers::open(&url)).unwrap();
        let outbox = users.outbox();
        Some(Self { users: Arc::new(users), neighbour: Arc::new(neighbour), outbox, _directory: None })
    }

    async fn insert(&self, email: &str, role: Role, second: i64) -> User {
        let (user, effects) = user(email, role, second);
        assert_eq!(self.users.insert(&user, &effects).await.unwrap(), Written::Done);
        user
    }

    async fn stored(&self, user: &User) -> Stored {
        self.users.find(user.id).await.unwrap().unwrap()
    }

    async fn pending(&self) -> u64 {
        self.outbox.state(at(0)).await.unwrap().pending
    }

    /// Publishes all that waits; answers how many events that were.
    async fn publish(&self, second: i64) -> usize {
        let rows = self.outbox.store().claim(1000, std::time::Duration::from_secs(5), at(second)).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.envelope.id).collect();
        self.outbox.store().mark_published(&ids).await.unwrap();
        ids.len()
    }
}

/// Effects are committed with a change of some user.
struct Carrier {
    fixture: Fixture,
    user: User,
}

#[async_trait]
impl outbox::Fixture for Carrier {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        let stored = self.fixture.stored(&self.user).await;
        assert_eq!(self.fixture.users.save(&stored, effects).await?, Written::Done);
        Ok(())
    }

    fn outbox(&self) -> Outbox {
        self.fixture.outbox.clone()
    }
}

/// Outbox and inbox keep their rules.
async fn outbox_suite(fixture: Fixture) {
    let (user, _) = user("carrier@example.com", Role::User, 0);
    fixture.users.insert(&user, &Effects::none()).await.unwrap();
    outbox::suite(&Carrier { fixture, user }).await;
}

/// Each test of the suites on each store.
macro_rules! suites {
    ($($suite:ident: $($name:ident),* $(,)?;)*) => {
        suites!(on sqlite_store, sqlite, $($suite: $($name),*;)*);
        suites!(on mongodb_store, mongodb, $($suite: $($name),*;)*);
    };
    (on $store:ident, $fixture:ident, $($suite:ident: $($name:ident),*;)*) => {
        mod $store {
            #[tokio::test]
            async fn outbox_and_inbox() {
                let Some(fixture) = crate::Fixture::$fixture().await else { return };
                crate::outbox_suite(fixture).await;
            }

            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $name() {
                        let Some(fixture) = crate::Fixture::$fixture().await else { return };
                        crate::$suite::$name(fixture).await;
                    }
                )*
            })*
        }
    };
}

suites!(
    accounts:
        a_user_is_found_by_id_and_address,
        all_of_a_user_is_kept,
        an_address_is_one_accounts,
        addresses_outside_ascii_are_listed,
        an_outdated_change_is_not_written,
        one_of_many_changes_at_once_is_written,
        a_list_is_narrowed_sorted_and_cut;
    admins:
        the_last_admin_stays,
        who_stands_for_another_stays_meanwhile,
        of_admins_who_are_taken_away_at_once_one_stays;
    deleted:
        the_deleted_are_found_by_id_alone,
        the_deleted_are_removed_once_nothing_of_theirs_waits;
    events:
        what_is_refused_causes_nothing,
        the_relay_and_the_user_do_not_disturb_each_other,
        a_message_has_its_effect_once,
        events_of_many_users_are_shared_by_relays;
    failures:
        failures_in_a_row_are_counted_for_a_while,
        failures_are_counted_by_all_instances_together;
    revocations:
        revocations_are_listed_in_order_until_their_tokens_ran_out,
        reader_of_the_feed_misses_nothing_that_is_written_meanwhile;
);

/// Some second of 2096, so that no server takes it for past and tidies up by a clock of its own.
fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(4_000_000_000 + second, 0).unwrap()
}

fn user(email: &str, role: Role, second: i64) -> (User, Effects) {
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
    User::register(profile, role, "hash".to_owned(), at(second))
}
