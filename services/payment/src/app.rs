//! The composition root: the one file that names adapters.

use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::{ServiceTokens, TokenVerifier};
use common::census::Census;
use common::client::ServiceClient;
use common::clock::SharedClock;
use common::config::DatabaseUrl;
use common::consumer::Consumer;
use common::http::{self, OpenApiInfo, ops};
use common::idempotency::Keys;
use common::platform::Platform;
use common::postgres::Postgres;
use common::service::{Service, StartError};
use common::sqlite::Sqlite;
use contracts::topology::{PAYMENT_ORDERS, PAYMENT_REVOCATIONS, Queue};

use crate::config::{Config, PEERS};
use crate::events::OrderEvents;
use crate::jobs::Reconciler;
use crate::orders::Orders;
use crate::store::postgres::{self, PostgresPayments};
use crate::store::sqlite::{self, SqlitePayments};
use crate::store::{Ledger, ObservedPayments};
use crate::stripe::{Stripe, StripeSettings, WebhookSecrets};
use crate::till::Till;
use crate::{NAME, routes};

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) till: Till,
    pub(crate) orders: Orders,
    pub(crate) currency: Arc<str>,
    pub(crate) keys: Keys,
    pub(crate) webhook_secrets: WebhookSecrets,
    verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

/// What it hears.
const HEARD: &[Queue] = &[PAYMENT_ORDERS, PAYMENT_REVOCATIONS];

/// Builds the service.
///
/// # Errors
/// If its store or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let refused = |source| StartError::store(&config.database, source);
    let (store, outbox, keys, revocations) = match &config.database {
        DatabaseUrl::Sqlite(path) => {
            let db = Sqlite::open(path, NAME, &sqlite::MIGRATIONS).await.map_err(refused)?;
            let seen = db.observe(&platform.metrics);
            let store = ObservedPayments::over(Arc::new(SqlitePayments::new(db.clone())), seen.clone());
            (
                store,
                db.outbox().measured(&seen),
                db.keys(clock.clone()).measured(&seen),
                db.revocations(clock.clone()).measured(&seen),
            )
        }
        DatabaseUrl::Postgres(url) => {
            let db = Postgres::open(url, NAME, &postgres::MIGRATIONS).await.map_err(refused)?;
            let seen = db.observe(&platform.metrics);
            let store = ObservedPayments::over(Arc::new(PostgresPayments::new(db.clone())), seen.clone());
            (
                store,
                db.outbox().measured(&seen),
                db.keys(clock.clone()).measured(&seen),
                db.revocations(clock.clone()).measured(&seen),
            )
        }
    };
    let ledger = Ledger::new(store, clock.clone(), &platform.metrics);
    ledger.expect(&config.currency);

    let stripe = StripeSettings {
        url: config.stripe_url,
        key: config.stripe_key,
        metrics: platform.metrics.clone(),
        clock: clock.clone(),
        faults: platform.faults.clone(),
    };
    let stripe = Stripe::new(stripe).map_err(|source| StartError::other("the payment provider's client", source))?;
    let till = Till::new(ledger.clone(), stripe);

    let client = ServiceClient::new(NAME, platform.discovery.clone(), clock.clone(), &platform.metrics);
    let tokens = ServiceTokens::new(client.clone(), config.client_id, config.client_secret, clock.clone());
    let verifier =
        TokenVerifier::remote(platform.jwks(config.jwks_url), &config.platform.issuer, clock.clone(), client.clone());
    revocations.load().await.map_err(refused)?;
    let verifier = verifier.with_revocations(revocations.clone());
    tokens.observe(&platform.metrics);
    verifier.observe(&platform.metrics);
    let refresher = verifier.refresher();
    let [reader, poller] = revocations.workers(client.clone(), tokens.clone());
    let state = AppState {
        till: till.clone(),
        orders: Orders::new(client, tokens.clone()),
        currency: config.currency.into(),
        keys,
        webhook_secrets: config.webhook_secrets,
        verifier: verifier.clone(),
    };

    let store = ledger.clone();
    let database = move || {
        let store = store.clone();
        async move { store.ping().await }
    };
    let health = platform.health(database, PEERS);
    let docs = OpenApiInfo {
        title: "Payment service",
        description: "Takes an order's money through Stripe's API and gives it back.",
    };
    let router = routes::router(state).merge(ops::router(
        outbox.clone(),
        platform.bus.clone(),
        HEARD,
        verifier,
        clock.clone(),
        platform.faults.clone(),
    ));
    let router = http::finish(router, docs, &platform.http, health);

    let relay = outbox.relay(platform.bus.clone(), clock.clone(), &platform.metrics);
    let dead_letters = platform.bus.dead_letter_count(HEARD);
    let census = ledger.clone();
    let census = Census::worker(clock.clone(), move || {
        let ledger = census.clone();
        async move { ledger.count_open().await }
    });
    let orders = Arc::new(OrderEvents::new(ledger));
    Ok(Service {
        workers: vec![
            relay,
            Arc::new(Reconciler::new(till)),
            tokens.renewer(),
            refresher,
            dead_letters,
            census,
            reader,
            poller,
        ],
        consumers: vec![
            Consumer::new(platform.bus.clone(), orders, clock.clone()),
            Consumer::new(platform.bus.clone(), revocations.handler(PAYMENT_REVOCATIONS), clock),
        ],
        platform,
        router,
    })
}
