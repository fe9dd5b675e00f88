//! Composition root, the only file that names adapters.

use std::sync::Arc;

use common::auth::{ServiceTokens, TokenVerifier};
use common::client::ServiceClient;
use common::database::Database;
use common::database::row_count_gauge::RowCountWorker;
use common::http::{self, OpenApiInfo, ops};
use common::messaging::consumer::Consumer;
use common::runtime::{Platform, Service, StartError};
use common::telemetry::clock::SharedClock;
use contracts::topology::{ORDER_PAYMENTS, ORDER_REFUND_FAILURES, ORDER_REVOCATIONS};

use crate::clients::{PaymentClient, ProductClient, UserClient};
use crate::config::{CALLED_SERVICES, Config};
use crate::consumers::{CONSUMED_QUEUES, DeletedUserHandler, PaymentEventHandler, StockEventHandler};
use crate::repository::InstrumentedOrderRepository;
use crate::repository::sql::{MIGRATIONS, SqlOrderRepository};
use crate::service::{DeleteCustomer, OrderPaymentService, OrderService, PlaceOrder, PlacementTerms};
use crate::state::AppState;
use crate::workers::PaymentDeadlineWorker;
use crate::{NAME, routes};

/// Builds the service.
///
/// # Errors
/// If the database or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let store_error = |source| StartError::store(&config.database, source);
    let db = Database::open(&config.database, NAME, &MIGRATIONS).await.map_err(store_error)?;
    let observed = db.observe(&platform.metrics);
    let repository = InstrumentedOrderRepository::new(Arc::new(SqlOrderRepository::new(db.clone())), observed.clone());
    let outbox = db.outbox().measured(&observed);
    let keys = db.keys(clock.clone()).measured(&observed);
    let revocations = db.revocations(clock.clone()).measured(&observed);
    let orders = OrderService::new(repository, platform.cache.clone(), clock.clone(), &platform.metrics);

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
    let users = UserClient::new(client.clone(), tokens.clone(), platform.cache.clone());
    let products = ProductClient::new(client.clone(), tokens.clone());
    let terms = PlacementTerms { currency: config.currency.into(), limits: config.unpaid_limits };
    let state = AppState {
        orders: orders.clone(),
        place_order: PlaceOrder::new(orders.clone(), users.clone(), products, terms),
        payments: OrderPaymentService::new(orders.clone(), PaymentClient::new(client)),
        idempotency_keys: keys,
        payment_deadline: config.payment_deadline,
        verifier: verifier.clone(),
    };
    let docs = OpenApiInfo {
        title: "Order service",
        description: "Places orders, tracks their payments and moves them through fulfilment.",
    };
    let database_orders = orders.clone();
    let database = move || {
        let orders = database_orders.clone();
        async move { orders.repository().ping().await }
    };
    let health = platform.health(database, CALLED_SERVICES);
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
    let deadline = Arc::new(PaymentDeadlineWorker::new(orders.clone(), config.payment_deadline));
    let dead_letters = platform.bus.dead_letter_gauge(CONSUMED_QUEUES);
    let counted_orders = orders.clone();
    let status_counts = RowCountWorker::worker(clock.clone(), move || {
        let orders = counted_orders.clone();
        async move { orders.refresh_status_counts().await }
    });
    let consumer = |handler| Consumer::new(platform.bus.clone(), handler, clock.clone());
    Ok(Service {
        workers: vec![relay, deadline, tokens.refresh_worker(), refresher, dead_letters, status_counts, reader, poller],
        consumers: vec![
            consumer(Arc::new(PaymentEventHandler::new(ORDER_PAYMENTS, orders.clone()))),
            consumer(Arc::new(PaymentEventHandler::new(ORDER_REFUND_FAILURES, orders.clone()))),
            consumer(Arc::new(StockEventHandler::new(orders.clone()))),
            consumer(Arc::new(DeletedUserHandler::new(DeleteCustomer::new(orders, users)))),
            consumer(revocations.handler(ORDER_REVOCATIONS)),
        ],
        platform,
        router,
    })
}
