//! Connection to MongoDB and the collections of the service.

use std::sync::Arc;
use std::time::Duration;

use common::database::schema;
use common::database::store::StoreError;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database};
use tokio::sync::Notify;

use super::errors::{SERVER_TIMEOUT, run_read};
use super::pool::PoolObserver;
use crate::NAME;
use crate::config::MongoUrl;

/// Version of the documents known to this binary, raised by each change that an older binary must not meet.
const SCHEMA_VERSION: i64 = 1;
/// Maximum number of connections of an instance.
pub(super) const MAX_CONNECTIONS: u32 = 10;
/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of the selection of an available server.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_millis(2500);
/// Timeout of the write concern: the time in which a majority of the servers must have a write on disk.
const WRITE_CONCERN_TIMEOUT: Duration = Duration::from_secs(4);

/// Database and collections of the service. Clones share the connections.
#[derive(Clone)]
pub(super) struct MongoClient {
    pub(super) database: Database,
    pub(super) users: Collection<Document>,
    pub(super) login_failures: Collection<Document>,
    pub(super) revocations: Collection<Document>,
    pub(super) deleted_users: Collection<Document>,
    /// Notification of the outbox relay.
    pub(super) wake: Arc<Notify>,
    pub(super) pool: Arc<PoolObserver>,
}

impl MongoClient {
    /// Connects to the database and checks its schema.
    pub(super) async fn connect(url: &MongoUrl) -> Result<Self, StoreError> {
        let internal = |error: mongodb::error::Error| StoreError::Internal(error.into());
        let mut options = ClientOptions::parse((*url.connection).clone()).await.map_err(internal)?;
        options.app_name = Some(NAME.to_owned());
        options.max_pool_size = Some(MAX_CONNECTIONS);
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(SERVER_SELECTION_TIMEOUT);
        options.write_concern = Some(write_concern());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let pool = Arc::<PoolObserver>::default();
        options.cmap_event_handler = Some(PoolObserver::handler(&pool));
        let database = Client::with_options(options).map_err(internal)?.database(&url.database);
        let client = Self {
            users: database.collection("users"),
            login_failures: database.collection("login_failures"),
            revocations: database.collection("revocations"),
            deleted_users: database.collection("deleted_users"),
            database,
            wake: Arc::default(),
            pool,
        };
        client.ping().await?;
        client.check_schema().await?;
        Ok(client)
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        run_read(self.database.run_command(doc! { "ping": 1 })).await?;
        Ok(())
    }

    /// Checks that this binary is not too old for the database. A contracting migration writes the least version into the
    /// collection `schema_compatibility`, as `{_id: "store", least_version: 7}`.
    async fn check_schema(&self) -> Result<(), StoreError> {
        let compatibility: Collection<Document> = self.database.collection("schema_compatibility");
        let found = run_read(compatibility.find_one(doc! { "_id": schema::STORE }).max_time(SERVER_TIMEOUT)).await?;
        let least = found.and_then(|found| super::conversions::integer(&found, "least_version"));
        schema::check(least.map(|least| (schema::STORE, least)), &[(schema::STORE, SCHEMA_VERSION)])
    }
}

/// Returns the write concern under which a write survives the loss of a server.
fn write_concern() -> WriteConcern {
    let mut concern = WriteConcern::majority();
    concern.journal = Some(true);
    concern.w_timeout = Some(WRITE_CONCERN_TIMEOUT);
    concern
}
