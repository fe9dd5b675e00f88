//! The composition root: the one file that names adapters.

use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::{Revocations, ServiceTokens, TokenVerifier};
use common::census::Census;
use common::client::ServiceClient;
use common::clock::SharedClock;
use common::config::DatabaseUrl;
use common::consumer::Consumer;
use common::faults::Faults;
use common::http::{self, OpenApiInfo, ops};
use common::outbox::Outbox;
use common::platform::Platform;
use common::postgres::Postgres;
use common::service::{Service, StartError};
use common::sqlite::Sqlite;
use common::store::Operations;
use contracts::topology::{PRODUCT_DELETED_USERS, PRODUCT_ORDERS, PRODUCT_REVOCATIONS, Queue};

use crate::config::{Config, PEERS};
use crate::events::{DeletedUserEvents, OrderEvents};
use crate::jobs::{Expiry, SearchIndexWorker};
use crate::orders::Orders;
use crate::routes::actuator::About;
use crate::shop::Shop;
use crate::store::{Stores, postgres, sqlite};
use crate::{NAME, routes, sample};

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) shop: Shop,
    pub(crate) about: Arc<About>,
    pub(crate) faults: Faults,
    verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

/// What it hears.
const HEARD: &[Queue] = &[PRODUCT_ORDERS, PRODUCT_DELETED_USERS, PRODUCT_REVOCATIONS];

/// Builds the service.
///
/// # Errors
/// If its store or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let refused = |source| StartError::store(&config.database, source);
    let (stores, outbox, revocations) = match &config.database {
        DatabaseUrl::Sqlite(path) => {
            let db = Sqlite::open(path, NAME, &sqlite::MIGRATIONS).await.map_err(refused)?;
            measured(sqlite::stores(&db), db.outbox(), db.revocations(clock.clone()), &db.observe(&platform.metrics))
        }
        DatabaseUrl::Postgres(url) => {
            let db = Postgres::open(url, NAME, &postgres::MIGRATIONS).await.map_err(refused)?;
            measured(postgres::stores(&db), db.outbox(), db.revocations(clock.clone()), &db.observe(&platform.metrics))
        }
    };
    let (cache, ttl) = (platform.cache.clone(), config.reservation_ttl);
    let shop = Shop::new(stores, cache, clock.clone(), ttl, &platform.metrics);
    if config.sample_data {
        let begun = shop.begin_with(&sample::products()).await;
        if begun.map_err(|source| StartError::other("the sample catalogue", source))? {
            tracing::info!("the catalogue begins with sample products");
        }
    }

    shop.index_all().await.map_err(|source| StartError::other("the search texts", source))?;
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
    let store = shop.clone();
    let database = move || {
        let shop = store.clone();
        async move { shop.ping().await }
    };
    let health = platform.health(database, PEERS);
    let about = About {
        service: NAME,
        version: platform.version.clone(),
        environment: platform.environment.clone(),
        currency: config.currency,
        health: health.clone(),
        metrics: platform.metrics.clone(),
    };
    let faults = platform.faults.clone();
    let state = AppState { shop: shop.clone(), about: Arc::new(about), faults, verifier: verifier.clone() };
    let docs = OpenApiInfo {
        title: "Product service",
        description: "The catalogue, its stock and reservations, and what people think of the products.",
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
    let search_index = SearchIndexWorker::new(shop.clone());
    let expiry = Expiry::new(shop.clone(), Orders::new(client, tokens.clone()));
    let dead_letters = platform.bus.dead_letter_count(HEARD);
    let census = shop.clone();
    let census = Census::worker(clock.clone(), move || {
        let shop = census.clone();
        async move { shop.count_sold_out().await }
    });
    let orders = Arc::new(OrderEvents::new(shop.clone()));
    let deleted_users = Arc::new(DeletedUserEvents::new(shop));
    Ok(Service {
        workers: vec![
            relay,
            Arc::new(expiry),
            Arc::new(search_index),
            tokens.renewer(),
            refresher,
            dead_letters,
            census,
            reader,
            poller,
        ],
        consumers: vec![
            Consumer::new(platform.bus.clone(), orders, clock.clone()),
            Consumer::new(platform.bus.clone(), deleted_users, clock.clone()),
            Consumer::new(platform.bus.clone(), revocations.handler(PRODUCT_REVOCATIONS), clock),
        ],
        platform,
        router,
    })
}

fn measured(
    stores: Stores,
    outbox: Outbox,
    revocations: Revocations,
    operations: &Operations,
) -> (Stores, Outbox, Revocations) {
    (stores.measured(operations), outbox.measured(operations), revocations.measured(operations))
}
