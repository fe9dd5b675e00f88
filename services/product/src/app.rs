//! Composition root: the only file that names adapters.

use std::sync::Arc;

use common::auth::{ServiceTokens, TokenVerifier};
use common::client::ServiceClient;
use common::database::Database;
use common::database::row_count_gauge::RowCountWorker;
use common::http::{self, OpenApiInfo, ops};
use common::messaging::consumer::Consumer;
use common::runtime::Platform;
use common::runtime::{Service, StartError};
use common::telemetry::clock::SharedClock;
use contracts::topology::PRODUCT_REVOCATIONS;

use crate::clients::OrderClient;
use crate::config::{CALLED_SERVICES, Config};
use crate::consumers::{CONSUMED_QUEUES, DeletedUserHandler, OrderEventHandler};
use crate::metrics::ProductMetrics;
use crate::repository::{Repositories, sql};
use crate::service::{CatalogService, InventoryService, ProductCache};
use crate::state::{AppState, ServiceInfo};
use crate::workers::{ReservationExpiryWorker, SearchIndexWorker};
use crate::{NAME, routes, seed_data};

/// Builds the service.
///
/// # Errors
/// Failure to open the database or the bus, or to create the sample products.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let store_error = |source| StartError::store(&config.database, source);
    let db = Database::open(&config.database, NAME, &sql::MIGRATIONS).await.map_err(store_error)?;
    let operations = db.observe(&platform.metrics);
    let outbox = db.outbox().measured(&operations);
    let revocations = db.revocations(clock.clone()).measured(&operations);
    let Repositories { products, inventory, reviews } = sql::repositories(&db).instrumented(&operations);
    let cache = ProductCache::new(platform.cache.clone());
    let catalog = CatalogService::new(products.clone(), reviews, cache.clone(), clock.clone());
    let metrics = ProductMetrics::new(&platform.metrics);
    let inventory = InventoryService::new(inventory, products, cache, clock.clone(), config.reservation_ttl, metrics);
    if config.sample_data {
        let seeded = catalog.seed(&seed_data::products()).await;
        if seeded.map_err(|source| StartError::other("the sample products", source))? {
            tracing::info!("sample products created");
        }
    }

    catalog.index_all().await.map_err(|source| StartError::other("the search texts", source))?;
    let client = ServiceClient::new(NAME, platform.discovery.clone(), clock.clone(), &platform.metrics);
    let tokens = ServiceTokens::new(client.clone(), config.client_id, config.client_secret, clock.clone());
    let verifier =
        TokenVerifier::remote(platform.jwks(config.jwks_url), &config.platform.issuer, clock.clone(), client.clone());
    revocations.load().await.map_err(store_error)?;
    let verifier = verifier.with_revocations(revocations.clone());
    tokens.observe(&platform.metrics);
    verifier.observe(&platform.metrics);
    let refresher = verifier.refresh_worker();
    let [reader, poller] = revocations.workers(client.clone(), tokens.clone());
    let pinged = catalog.clone();
    let database = move || {
        let catalog = pinged.clone();
        async move { catalog.ping().await }
    };
    let health = platform.health(database, CALLED_SERVICES);
    let info = ServiceInfo {
        service: NAME,
        version: platform.version.clone(),
        environment: platform.environment.clone(),
        currency: config.currency,
        health: health.clone(),
        metrics: platform.metrics.clone(),
    };
    let state = AppState {
        catalog: catalog.clone(),
        inventory: inventory.clone(),
        info: Arc::new(info),
        faults: platform.faults.clone(),
        verifier: verifier.clone(),
    };
    let docs =
        OpenApiInfo { title: "Product service", description: "Product catalog, stock, reservations and reviews." };
    let router = routes::router(state).merge(ops::router(
        outbox.clone(),
        platform.bus.clone(),
        CONSUMED_QUEUES,
        verifier,
        clock.clone(),
        platform.faults.clone(),
    ));
    let router = http::with_platform_layers(router, docs, &platform.http, health);

    let relay = outbox.relay(platform.bus.clone(), clock.clone(), &platform.metrics);
    let search_index = SearchIndexWorker::new(catalog.clone());
    let expiry = ReservationExpiryWorker::new(inventory.clone(), OrderClient::new(client, tokens.clone()));
    let dead_letters = platform.bus.dead_letter_gauge(CONSUMED_QUEUES);
    let counted = inventory.clone();
    let row_counts = RowCountWorker::worker(clock.clone(), move || {
        let inventory = counted.clone();
        async move { inventory.count_out_of_stock().await }
    });
    let consumer = |handler| Consumer::new(platform.bus.clone(), handler, clock.clone());
    Ok(Service {
        workers: vec![
            relay,
            Arc::new(expiry),
            Arc::new(search_index),
            tokens.refresh_worker(),
            refresher,
            dead_letters,
            row_counts,
            reader,
            poller,
        ],
        consumers: vec![
            consumer(Arc::new(OrderEventHandler::new(inventory))),
            consumer(Arc::new(DeletedUserHandler::new(catalog))),
            consumer(revocations.handler(PRODUCT_REVOCATIONS)),
        ],
        platform,
        router,
    })
}
