//! Users in MongoDB: a document a user, which also holds its sessions and the events that wait to be published.
//!
//! Each change is one write of one document, so it needs no transaction and no replica set. What a user is found by
//! stands at the top of the document. Writes are answered once a majority of the servers has them on disk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Role;
use common::crash;
use common::effects::Effects;
use common::metrics::{Metrics, PoolMetrics};
use common::outbox::Outbox;
use common::schema;
use common::store::{Operations, StoreError};
use contracts::UserId;
use contracts::calls::Revocation;
use futures::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database};
use tokio::sync::Notify;

use super::{Filter, Stored, Users, Written};
use crate::NAME;
use crate::domain::User;

mod answers;
mod failures;
mod indexes;
mod outbox;
mod pool;
mod record;
mod revocations;
mod url;

pub use url::MongoUrl;

use answers::{SERVER_LIMIT, read, write};
use outbox::MongoOutbox;
use pool::Watched;
use record::{Added, Beside, document, stored, unreadable};

/// The version of the documents that this binary knows: raised by each change that an older one must not meet.
const SCHEMA_VERSION: i64 = 1;
/// Connections that an instance holds at the most.
const CONNECTIONS: u32 = 10;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a server that can be asked is looked for.
const SELECTION: Duration = Duration::from_millis(2500);
/// How long a majority of the servers may take to have a write on disk.
const MAJORITY: Duration = Duration::from_secs(4);
/// Deleted users that one purge removes at most.
const PURGED: i64 = 1000;
/// What a write needs to be found again whatever happens.
const DURABLE: fn() -> WriteConcern = || {
    let mut durable = WriteConcern::majority();
    durable.journal = Some(true);
    durable.w_timeout = Some(MAJORITY);
    durable
};

/// Users in a MongoDB database. Clones share its connections.
#[derive(Clone)]
pub struct MongoUsers {
    database: Database,
    users: Collection<Document>,
    failures: Collection<Document>,
    feed: Collection<Document>,
    deleted: Collection<Document>,
    wake: Arc<Notify>,
    pool: Arc<Watched>,
}

impl MongoUsers {
    /// Connects, and makes the indexes that are not there yet; several instances may do so at once.
    ///
    /// # Errors
    /// If no server that takes writes is found within seconds, or it does not let us in; [`StoreError::Incompatible`] if
    /// this binary is too old for the database.
    pub async fn open(url: &MongoUrl) -> Result<Self, StoreError> {
        let fault = |error: mongodb::error::Error| StoreError::Fault(error.into());
        let mut options = ClientOptions::parse((*url.connection).clone()).await.map_err(fault)?;
        options.app_name = Some(NAME.to_owned());
        options.max_pool_size = Some(CONNECTIONS);
        options.connect_timeout = Some(CONNECT);
        options.server_selection_timeout = Some(SELECTION);
        options.write_concern = Some(DURABLE());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let pool = Arc::<Watched>::default();
        options.cmap_event_handler = Some(Watched::handler(&pool));
        let database = Client::with_options(options).map_err(fault)?.database(&url.database);
        let (users, failures) = (database.collection("users"), database.collection("login_failures"));
        let (feed, deleted) = (database.collection("revocations"), database.collection("deleted_users"));
        let store = Self { database, users, failures, feed, deleted, wake: Arc::default(), pool };
        store.ping().await?;
        store.check_schema().await?;
        indexes::make(&store).await?;
        Ok(store)
    }

    /// Checks that this binary is not too old for the database: what a migration that contracts puts into the collection
    /// `schema_compatibility`, as `{_id: "store", least_version: 7}`.
    async fn check_schema(&self) -> Result<(), StoreError> {
        let compatibility: Collection<Document> = self.database.collection("schema_compatibility");
        let found = read(compatibility.find_one(doc! { "_id": schema::STORE }).max_time(SERVER_LIMIT)).await?;
        let least = found.and_then(|found| {
            let least = found.get("least_version")?;
            least.as_i64().or_else(|| least.as_i32().map(i64::from))
        });
        schema::check(least.map(|least| (schema::STORE, least)), &[(schema::STORE, SCHEMA_VERSION)])
    }

    /// Shows in `metrics` how the connections fare; what the ports do is measured by what this gives.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> Operations {
        Watched::observe(&self.pool, PoolMetrics::new(metrics, CONNECTIONS), metrics);
        Operations::new(NAME, "mongodb", metrics)
    }

    /// The events of these users that wait to be published.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(MongoOutbox(self.clone())), self.wake.clone())
    }

    async fn find_by(&self, filter: Document) -> Result<Option<Stored>, StoreError> {
        let found = self.users.find_one(filter).projection(user_alone()).max_time(SERVER_LIMIT);
        read(found).await?.map(stored).transpose()
    }

    /// What these effects add to a user's document, if it still has the version that was read.
    async fn added(&self, user: &Stored, effects: &Effects) -> Result<Option<Added>, StoreError> {
        if effects == &Effects::none() {
            return Beside::default().add(effects).map(Some);
        }
        let beside = self.users.find_one(this(user)).projection(doc! { "handled": 1, "sequences": 1 });
        let beside = read(beside.max_time(SERVER_LIMIT)).await?.map(Beside::read).transpose()?;
        beside.map(|beside| beside.add(effects)).transpose()
    }

    fn written(&self, effects: &Effects) -> Written {
        if !effects.events.is_empty() {
            self.wake.notify_one();
        }
        Written::Done
    }
}

/// All of a document that makes a [`Stored`].
fn user_alone() -> Document {
    doc! { "events": 0, "handled": 0, "sequences": 0, "revoked": 0 }
}

/// This user's document, while it has the version that was read.
fn this(user: &Stored) -> Document {
    doc! { "_id": user.user.id.to_string(), "version": user.version }
}

fn wanted(filter: &Filter) -> Document {
    let mut wanted = match &filter.email {
        Some(email) => doc! { "email": email },
        None => doc! { "email": { "$exists": true } },
    };
    if let Some(role) = filter.role {
        wanted.insert("role", role.as_str());
    }
    wanted
}

fn refused(error: StoreError) -> Result<Written, StoreError> {
    match error.unique() {
        Some(indexes::EMAIL) => Ok(Written::EmailTaken),
        Some(indexes::HANDLED) => Err(StoreError::AlreadyHandled),
        _ => Err(error),
    }
}

#[async_trait]
impl Users for MongoUsers {
    async fn insert(&self, user: &User, effects: &Effects) -> Result<Written, StoreError> {
        let added = Beside::default().add(effects)?;
        let mut document = document(user, 1)?;
        document.insert("events", added.events);
        document.insert("sequences", added.sequences);
        document.insert("revoked", added.revoked);
        let tombstone = self.deleted.find_one(doc! { "_id": user.id.to_string() });
        if read(tombstone.max_time(SERVER_LIMIT)).await?.is_some() {
            return Ok(Written::Outdated);
        }
        if let Some(message) = added.handled {
            document.insert("handled", vec![message]);
        }
        crash::point("before-commit", || crash::effects(NAME, effects));
        let inserted = write(self.users.insert_one(document)).await;
        crash::point("after-commit", || crash::effects(NAME, effects));
        match inserted {
            Ok(_) => Ok(self.written(effects)),
            Err(error) => refused(error),
        }
    }

    async fn find(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        self.find_by(doc! { "_id": id.to_string() }).await
    }

    async fn find_email(&self, email: &str) -> Result<Option<Stored>, StoreError> {
        self.find_by(doc! { "email": email }).await
    }

    async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        let found = self.users.find(doc! { "email": { "$regex": "[^ -~]" } }).projection(doc! { "email": 1 });
        let found: Vec<Document> = read(async { found.max_time(SERVER_LIMIT).await?.try_collect().await }).await?;
        let text = |user: &Document, field| user.get_str(field).map(str::to_owned).map_err(|error| unreadable(&error));
        let ids = found.iter().map(|user| {
            let id = text(user, "_id")?.parse().map_err(|error| unreadable(&error))?;
            Ok((id, text(user, "email")?))
        });
        ids.collect()
    }

    async fn save(&self, user: &Stored, effects: &Effects) -> Result<Written, StoreError> {
        let Some(added) = self.added(user, effects).await? else { return Ok(Written::Outdated) };
        let mut set = document(&user.user, user.version + 1)?;
        for fixed in ["_id", "created_at"] {
            set.remove(fixed);
        }
        for (of, count) in added.sequences {
            set.insert(format!("sequences.{of}"), count);
        }
        let mut update = doc! { "$set": set };
        if user.user.profile.is_none() {
            update.insert("$unset", doc! { "email": "" });
        }
        let mut push = Document::new();
        if !added.events.is_empty() {
            push.insert("events", doc! { "$each": added.events });
        }
        if !added.revoked.is_empty() {
            push.insert("revoked", doc! { "$each": added.revoked });
        }
        push.extend(added.handled.map(|message| ("handled".to_owned(), message.into())));
        if !push.is_empty() {
            update.insert("$push", push);
        }
        crash::point("before-commit", || crash::effects(NAME, effects));
        let updated = write(self.users.update_one(this(user), update)).await;
        crash::point("after-commit", || crash::effects(NAME, effects));
        match updated {
            Ok(updated) if updated.matched_count == 0 => Ok(Written::Outdated),
            Ok(_) => Ok(self.written(effects)),
            Err(error) => refused(error),
        }
    }

    async fn save_unless_last_admin(&self, user: &Stored, effects: &Effects) -> Result<Written, StoreError> {
        // Another admin stands for this one, and its version says so: whoever read that one before, to take it away,
        // has to read it again, and finds somebody else to stand for it then, or nobody.
        let another = doc! {
            "role": Role::Admin.as_str(),
            "email": { "$exists": true },
            "_id": { "$ne": user.user.id.to_string() },
        };
        let stands = self.users.update_one(another, doc! { "$inc": { "version": 1_i64 } });
        if write(stands).await?.matched_count == 0 {
            return Ok(Written::LastAdmin);
        }
        self.save(user, effects).await
    }

    async fn list(&self, filter: &Filter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError> {
        let total = read(self.users.count_documents(wanted(filter)).max_time(SERVER_LIMIT)).await?;
        if offset >= total {
            return Ok((Vec::new(), total));
        }
        let page = self
            .users
            .find(wanted(filter))
            .projection(user_alone())
            .sort(doc! { "created_at": -1, "_id": -1 })
            .skip(offset)
            .limit(i64::from(limit))
            .max_time(SERVER_LIMIT);
        let page: Vec<Document> = read(async { page.await?.try_collect().await }).await?;
        let users = page.into_iter().map(|document| Ok(stored(document)?.user)).collect::<Result<_, StoreError>>()?;
        Ok((users, total))
    }

    async fn failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError> {
        failures::failures(self, key, now).await
    }

    async fn count_failure(&self, key: &str, window: TimeDelta, now: DateTime<Utc>) -> Result<u32, StoreError> {
        failures::count_failure(self, key, window, now).await
    }

    async fn forget_failures(&self, key: &str) -> Result<(), StoreError> {
        write(self.failures.delete_one(doc! { "_id": key })).await?;
        Ok(())
    }

    async fn revocations(&self, after: i64, limit: u32, now: DateTime<Utc>) -> Result<Vec<Revocation>, StoreError> {
        revocations::list(self, after, limit, now).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        // Failures that count no more are the server's to remove, by an index.
        revocations::purge(self, now).await?;
        let forgotten = doc! {
            "deleted_at": { "$exists": true },
            "events.0": { "$exists": false },
            "handled.0": { "$exists": false },
            "revoked.0": { "$exists": false },
        };
        let found =
            self.users.find(forgotten.clone()).projection(doc! { "_id": 1 }).limit(PURGED).max_time(SERVER_LIMIT);
        let found: Vec<Document> = read(async { found.await?.try_collect().await }).await?;
        for id in found.iter().filter_map(|user| user.get("_id")) {
            let tombstone = doc! { "_id": id };
            write(self.deleted.replace_one(tombstone.clone(), tombstone.clone()).upsert(true)).await?;
            let mut user = forgotten.clone();
            user.extend(tombstone);
            write(self.users.delete_one(user)).await?;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        read(self.database.run_command(doc! { "ping": 1 })).await?;
        Ok(())
    }
}
