//! The composition root: the one file that names adapters.

use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::clock::SharedClock;
use common::http::{self, OpenApiInfo, ops};
use common::metrics::Metrics;
use common::outbox::Outbox;
use common::platform::Platform;
use common::service::{Service, StartError};
use common::sqlite::Sqlite;
use common::store::StoreError;

use crate::config::{Client, Config, DatabaseUrl};
use crate::jobs::Purge;
use crate::passwords::Passwords;
use crate::people::{People, Refreshes, turns};
use crate::store::mongodb::MongoUsers;
use crate::store::sqlite::{MIGRATIONS, SqliteUsers};
use crate::store::{ObservedUsers, Users};
use crate::tokens::{Sessions, Tokens};
use crate::{NAME, routes};

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) people: People,
    pub(crate) tokens: Tokens,
    pub(crate) clients: Arc<[Client]>,
    verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

/// Builds the service, and makes the first admin if there is none.
///
/// # Errors
/// If its store or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let opened = open(&config.database, &platform.metrics).await;
    let (users, outbox) = opened.map_err(|source| StartError::store(&config.database, source))?;
    let passwords = Passwords::new(&platform.metrics, platform.faults.clone())
        .map_err(|source| StartError::other("the password hasher", source))?;
    let people = People {
        users: users.clone(),
        cache: platform.cache.clone(),
        clock: clock.clone(),
        passwords,
        turns: turns(),
        refreshed: Refreshes::default(),
    };
    if let Some(admin) = config.admin {
        let made = people.first_admin(&admin.email, admin.password).await;
        made.map_err(|source| StartError::other("the first admin", source))?;
    }

    if let Err(error) = people.normalize_emails().await {
        tracing::warn!(%error, "e-mail addresses of the version before could not be normalised");
    }
    for client in config.clients.iter().filter(|client| client.scopes.is_none()) {
        tracing::warn!(client.id, "CLIENT_CREDENTIALS names no scopes for this client: its tokens hold every scope");
    }
    let tokens = Tokens::new(config.signing_key, config.previous_keys, &config.platform.issuer, clock.clone());
    let sessions = Arc::new(Sessions { users: users.clone(), clock: clock.clone() });
    let verifier = TokenVerifier::local(tokens.jwks(), &config.platform.issuer, clock.clone());
    let verifier = verifier.with_session_check(sessions);
    let state = AppState { people: people.clone(), tokens, clients: config.clients.into(), verifier: verifier.clone() };

    let store = people.clone();
    let database = move || {
        let store = store.clone();
        async move { store.users.ping().await }
    };
    let health = platform.health(database, &[]);
    let docs = OpenApiInfo {
        title: "User service",
        description: "Accounts, sessions, and the tokens that the whole fleet trusts.",
    };
    let router = routes::router(state).merge(ops::router(
        outbox.clone(),
        platform.bus.clone(),
        &[],
        verifier,
        clock.clone(),
        platform.faults.clone(),
    ));
    let router = http::finish(router, docs, &platform.http, health);
    let relay = outbox.relay(platform.bus.clone(), clock, &platform.metrics);
    Ok(Service { workers: vec![relay, Arc::new(Purge(people))], consumers: Vec::new(), platform, router })
}

/// The store at this address, and the events that wait in it.
async fn open(address: &DatabaseUrl, metrics: &Metrics) -> Result<(Arc<dyn Users>, Outbox), StoreError> {
    match address {
        DatabaseUrl::Sqlite(path) => {
            let db = Sqlite::open(path, NAME, &MIGRATIONS).await?;
            let (seen, outbox) = (db.observe(metrics), db.outbox());
            Ok((ObservedUsers::over(Arc::new(SqliteUsers::new(db)), seen.clone()), outbox.measured(&seen)))
        }
        DatabaseUrl::MongoDb(url) => {
            let users = MongoUsers::open(url).await?;
            let (seen, outbox) = (users.observe(metrics), users.outbox());
            Ok((ObservedUsers::over(Arc::new(users), seen.clone()), outbox.measured(&seen)))
        }
    }
}
