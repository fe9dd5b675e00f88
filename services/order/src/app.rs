//! Composition root, the only file that names adapters.

use std::sync::Arc;

use common::database::Database;
use common::http::OpenApiInfo;
use common::runtime::{Backend, Platform, Service, ServiceBuilder, StartError};
use common::telemetry::clock::SharedClock;
use contracts::topology::{ORDER_PAYMENTS, ORDER_REFUND_FAILURES, ORDER_REVOCATIONS};

use crate::clients::{PaymentClient, ProductClient, UserClient};
use crate::config::{CALLED_SERVICES, Config};
use crate::consumers::{CONSUMED_QUEUES, DeletedUserHandler, PaymentEventHandler, StockEventHandler};
use crate::repository::sql::{MIGRATIONS, SqlCartRepository, SqlOrderRepository};
use crate::repository::{InstrumentedCartRepository, InstrumentedOrderRepository};
use crate::service::{
    CartService, DeleteCustomer, OrderMailRenderer, OrderPaymentService, OrderService, PlaceOrder, PlacementTerms,
};
use crate::state::{AppState, UseCases};
use crate::workers::{CartExpiryWorker, PaymentDeadlineWorker, SearchIndexWorker, TimelinePollWorker};
use crate::{NAME, routes};

const API_INFO: OpenApiInfo = OpenApiInfo {
    title: "Order service",
    description: "Keeps carts, places orders, tracks their payments and moves them through fulfilment.",
};

/// Builds the service.
///
/// # Errors
/// If the database or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.backend.platform, clock.clone()).await?;
    let store_error = |source| StartError::store(&config.backend.database, source);
    let db = Database::open(&config.backend.database, NAME, &MIGRATIONS).await.map_err(store_error)?;
    let metrics = db.observe(&platform.metrics);
    let repository = InstrumentedOrderRepository::new(Arc::new(SqlOrderRepository::new(db.clone())), metrics.clone());
    let repository = Arc::new(repository);
    let orders = OrderService::new(repository, platform.cache.clone(), clock.clone(), &platform.metrics)
        .sending_mails(config.mail.is_some());

    let mut service = ServiceBuilder::new(platform, db.outbox().measured(&metrics), CONSUMED_QUEUES);
    let revocations = db.revocations(clock.clone()).measured(&metrics);
    let backend = service.backend(&config.backend, revocations, ORDER_REVOCATIONS).await;
    let Backend { client, tokens, verifier } = backend.map_err(store_error)?;

    let users = UserClient::new(client.clone(), tokens.clone(), service.platform().cache.clone());
    let products = ProductClient::new(client.clone(), tokens);
    let carts = InstrumentedCartRepository::new(Arc::new(SqlCartRepository::new(db.clone())), metrics.clone());
    let carts = CartService::new(Arc::new(carts), products.clone(), clock.clone());
    let service = service.mails(config.mail.as_ref(), db.mails().measured(&metrics), |public_url| {
        OrderMailRenderer { orders: orders.clone(), users: users.clone(), public_url }
    })?;
    let currency: Arc<str> = config.backend.currency.into();
    let terms = PlacementTerms { currency: currency.clone(), limits: config.unpaid_limits };
    let state = AppState::new(UseCases {
        orders: orders.clone(),
        place_order: PlaceOrder::new(orders.clone(), carts.clone(), users.clone(), products, terms),
        carts: carts.clone(),
        payments: OrderPaymentService::new(orders.clone(), PaymentClient::new(client)),
        currency,
        idempotency_keys: db.keys(clock).measured(&metrics),
        payment_deadline: config.payment_deadline,
        verifier: verifier.clone(),
        long_polls: service.platform().http.long_polls.clone(),
    });
    let ping = |orders: OrderService| async move { orders.repository().ping().await };
    let health = service.health(orders.clone(), ping, CALLED_SERVICES);
    let service = service
        .worker(PaymentDeadlineWorker::new(orders.clone(), config.payment_deadline))
        .worker(CartExpiryWorker::new(carts))
        .worker(SearchIndexWorker::new(orders.clone()))
        .worker(TimelinePollWorker::new(orders.clone()))
        .row_counts(orders.clone(), |orders| async move { orders.refresh_status_counts().await })
        .consumer(PaymentEventHandler::new(ORDER_PAYMENTS, orders.clone()))
        .consumer(PaymentEventHandler::new(ORDER_REFUND_FAILURES, orders.clone()))
        .consumer(StockEventHandler::new(orders.clone()))
        .consumer(DeletedUserHandler::new(DeleteCustomer::new(orders, users)));
    Ok(service.build(routes::router(state), API_INFO, verifier, health))
}
