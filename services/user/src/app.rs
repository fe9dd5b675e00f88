//! Composition root, the only file that names adapters.

use std::sync::Arc;

use common::auth::TokenVerifier;
#[cfg(feature = "sqlite")]
use common::database::Database;
use common::database::mail_queue::MailQueue;
use common::database::outbox::Outbox;
use common::database::store::StoreError;
use common::http::OpenApiInfo;
use common::runtime::{Platform, Service, ServiceBuilder, StartError};
use common::telemetry::clock::SharedClock;
use common::telemetry::metrics::Metrics;

#[cfg(feature = "sqlite")]
use crate::NAME;
use crate::config::{Config, DatabaseUrl};
#[cfg(feature = "mongodb")]
use crate::repository::mongodb::MongoUserRepository;
#[cfg(feature = "sqlite")]
use crate::repository::sqlite::{MIGRATIONS, SqliteUserRepository};
use crate::repository::{InstrumentedUserRepository, UserRepository};
use crate::service::{
    AccountMailRenderer, AccountService, ActiveSessionCheck, ClientCredentials, Passwords, SessionService, TokenIssuer,
};
use crate::state::{AppState, UseCases};
use crate::workers::PurgeWorker;
use crate::{routes, service};

/// Builds the service, and creates the first admin if none exists.
///
/// # Errors
/// If the store or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let opened = open(&config.database, &platform.metrics).await;
    let (repository, outbox, mails) = opened.map_err(|source| StartError::store(&config.database, source))?;
    let passwords = Passwords::new(&platform.metrics, platform.faults.clone())
        .map_err(|source| StartError::other("the password hasher", source))?;
    let accounts = AccountService::new(
        repository.clone(),
        platform.cache.clone(),
        clock.clone(),
        passwords,
        config.mail.is_some(),
    );
    if let Some(admin) = config.admin {
        let created = service::bootstrap_admin(&accounts, &admin.email, admin.password).await;
        created.map_err(|source| StartError::other("the first admin", source))?;
    }
    if let Err(error) = service::normalize_emails(&accounts).await {
        tracing::warn!(%error, "normalisation of stored e-mail addresses failed");
    }

    let builder = ServiceBuilder::new(platform, outbox, &[]).mails(config.mail.as_ref(), mails, |public_url| {
        let require_verified_email = config.require_verified_email;
        AccountMailRenderer { accounts: accounts.clone(), public_url, require_verified_email }
    })?;

    let other_keys = config.previous_keys.into_iter().chain(config.next_keys).collect();
    let issuer = TokenIssuer::new(config.signing_key, other_keys, &config.platform.issuer, clock.clone());
    let session_check = Arc::new(ActiveSessionCheck { repository: repository.clone(), clock: clock.clone() });
    let verifier = TokenVerifier::local(issuer.jwks(), &config.platform.issuer, clock.clone());
    let verifier = verifier.with_session_check(session_check);
    let sessions = SessionService::new(accounts.clone(), issuer.clone(), clock.clone());
    let purge = PurgeWorker { accounts: accounts.clone(), sessions: sessions.clone() };
    let state = AppState::new(UseCases {
        accounts,
        sessions,
        clients: ClientCredentials::new(config.clients, issuer.clone()),
        issuer,
        clock,
        verifier: verifier.clone(),
    });

    let health = builder.health(repository, |repository| async move { repository.ping().await }, &[]);
    let docs =
        OpenApiInfo { title: "User service", description: "Accounts, sessions, and the access tokens of the fleet." };
    Ok(builder.worker(purge).build(routes::router(state), docs, verifier, health))
}

/// Opens the store at an address with its outbox and its queue of mails.
async fn open(
    address: &DatabaseUrl,
    metrics: &Metrics,
) -> Result<(Arc<dyn UserRepository>, Outbox, MailQueue), StoreError> {
    match address {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => {
            let db = Database::open_sqlite(path, NAME, &MIGRATIONS).await?;
            let operations = db.observe(metrics);
            let (outbox, mails) = (db.outbox().measured(&operations), db.mails().measured(&operations));
            let repository = Arc::new(SqliteUserRepository::new(db));
            Ok((Arc::new(InstrumentedUserRepository::new(repository, operations)), outbox, mails))
        }
        #[cfg(feature = "mongodb")]
        DatabaseUrl::MongoDb(url) => {
            let repository = MongoUserRepository::open(url).await?;
            let operations = repository.observe(metrics);
            let (outbox, mails) = (repository.outbox().measured(&operations), repository.mails().measured(&operations));
            Ok((Arc::new(InstrumentedUserRepository::new(Arc::new(repository), operations)), outbox, mails))
        }
    }
}
