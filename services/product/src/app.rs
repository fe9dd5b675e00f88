//! Composition root: the only file that names adapters.

use std::sync::Arc;

use common::database::Database;
use common::http::{OpenApiInfo, Uploads};
use common::runtime::{Backend, Platform, Service, ServiceBuilder, StartError};
use common::telemetry::clock::SharedClock;
use contracts::topology::PRODUCT_REVOCATIONS;

use crate::clients::OrderClient;
use crate::config::{CALLED_SERVICES, Config};
use crate::consumers::{CONSUMED_QUEUES, DeletedUserHandler, OrderEventHandler};
use crate::domain::MAX_PICTURE_BYTES;
use crate::media::MediaStore;
use crate::metrics::ProductMetrics;
use crate::repository::{Repositories, sql};
use crate::service::{CatalogService, InventoryService, PictureService, ProductCache};
use crate::state::{AppState, ServiceInfo, UseCases};
use crate::workers::{MediaCollectionWorker, ReservationExpiryWorker, SearchIndexWorker};
use crate::{NAME, routes, seed_data};

const DOCS: OpenApiInfo =
    OpenApiInfo { title: "Product service", description: "Product catalog, stock, reservations and reviews." };

/// Route of uploaded pictures. A body has the file, and texts of a few hundred bytes.
const UPLOADS: Uploads = Uploads { path: "/api/products/{id}/images", max_bytes: MAX_PICTURE_BYTES + 64 * 1024 };

/// Builds the service.
///
/// # Errors
/// Failure to open the database or the bus, or to create the sample products.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.backend.platform, clock.clone()).await?;
    let store_error = |source| StartError::store(&config.backend.database, source);
    let db = Database::open(&config.backend.database, NAME, &sql::MIGRATIONS).await.map_err(store_error)?;
    let store_metrics = db.observe(&platform.metrics);
    let Repositories { products, inventory, media, reviews } = sql::repositories(&db).instrumented(&store_metrics);
    let cache = ProductCache::new(platform.cache.clone());
    let catalog = CatalogService::new(products.clone(), reviews, cache.clone(), clock.clone());
    let files = MediaStore::open(&config.media).map_err(|source| StartError::other("the media store", source))?;
    let pictures = PictureService::new(media, files.clone(), cache.clone(), clock.clone());
    let metrics = ProductMetrics::new(&platform.metrics);
    let inventory = InventoryService::new(inventory, products, cache, clock.clone(), config.reservation_ttl, metrics);
    if config.sample_data {
        let samples = seed_data::samples().map_err(|source| StartError::other("the sample products", source))?;
        let seeded = catalog.seed(&samples, &files).await;
        if seeded.map_err(|source| StartError::other("the sample products", source))? {
            tracing::info!("sample products created");
        }
    }
    catalog.index_all().await.map_err(|source| StartError::other("the search texts", source))?;

    let mut service = ServiceBuilder::new(platform, db.outbox().measured(&store_metrics), CONSUMED_QUEUES);
    let revocations = db.revocations(clock.clone()).measured(&store_metrics);
    let Backend { client, tokens, verifier } =
        service.backend(&config.backend, revocations, PRODUCT_REVOCATIONS).await.map_err(store_error)?;
    let health = service.health(catalog.clone(), |catalog| async move { catalog.ping().await }, CALLED_SERVICES);
    let platform = service.platform();
    let info = ServiceInfo {
        service: NAME,
        version: platform.version.clone(),
        environment: platform.environment.clone(),
        currency: config.backend.currency,
        health: health.clone(),
        metrics: platform.metrics.clone(),
    };
    let state = AppState::new(UseCases {
        catalog: catalog.clone(),
        inventory: inventory.clone(),
        pictures: pictures.clone(),
        require_verified_email: config.require_verified_email,
        info: Arc::new(info),
        faults: platform.faults.clone(),
        verifier: verifier.clone(),
    });
    Ok(service
        .uploads(UPLOADS)
        .worker(MediaCollectionWorker::new(pictures, clock))
        .worker(ReservationExpiryWorker::new(inventory.clone(), OrderClient::new(client, tokens)))
        .worker(SearchIndexWorker::new(catalog.clone()))
        .row_counts(inventory.clone(), |inventory| async move { inventory.count_out_of_stock().await })
        .consumer(OrderEventHandler::new(inventory))
        .consumer(DeletedUserHandler::new(catalog))
        .build(routes::router(state), DOCS, verifier, health))
}
