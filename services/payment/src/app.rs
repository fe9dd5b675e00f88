//! Composition root, the only file that names adapters.

use std::sync::Arc;

use common::database::Database;
use common::http::OpenApiInfo;
use common::runtime::{Backend, Platform, Service, ServiceBuilder, StartError};
use common::telemetry::clock::SharedClock;
use contracts::topology::PAYMENT_REVOCATIONS;

use crate::clients::orders::OrderClient;
use crate::clients::stripe::{StripeClient, StripeSettings};
use crate::config::{CALLED_SERVICES, Config};
use crate::consumers::CONSUMED_QUEUES;
use crate::consumers::order_events::OrderEventHandler;
use crate::repository::InstrumentedPaymentRepository;
use crate::repository::sql::{MIGRATIONS, SqlPaymentRepository};
use crate::service::{Dependencies, PaymentService, PaymentUnitOfWork};
use crate::state::{AppState, UseCases};
use crate::workers::reconciler::Reconciler;
use crate::{NAME, routes};

const API_INFO: OpenApiInfo = OpenApiInfo {
    title: "Payment service",
    description: "Captures and refunds payments of orders through Stripe's API.",
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
    let repository =
        InstrumentedPaymentRepository::new(Arc::new(SqlPaymentRepository::new(db.clone())), metrics.clone());
    let repository = Arc::new(repository);
    let unit_of_work = PaymentUnitOfWork::new(repository, clock.clone(), &platform.metrics);
    unit_of_work.preregister_currency(&config.backend.currency);
    let stripe = StripeClient::new(StripeSettings {
        url: config.stripe_url,
        key: config.stripe_key,
        metrics: platform.metrics.clone(),
        clock: clock.clone(),
        faults: platform.faults.clone(),
    });
    let stripe = stripe.map_err(|source| StartError::other("the payment provider's client", source))?;

    let mut service = ServiceBuilder::new(platform, db.outbox().measured(&metrics), CONSUMED_QUEUES);
    let revocations = db.revocations(clock.clone()).measured(&metrics);
    let backend = service.backend(&config.backend, revocations, PAYMENT_REVOCATIONS).await;
    let Backend { client, tokens, verifier } = backend.map_err(store_error)?;

    let orders = OrderClient::new(client, tokens);
    let checkout = Arc::new(config.checkout);
    let payments = PaymentService::new(Dependencies {
        unit_of_work: unit_of_work.clone(),
        stripe,
        orders,
        webhook_secrets: config.webhook_secrets,
        currency: config.backend.currency.into(),
        checkout: checkout.clone(),
    });
    let keys = db.keys(clock).measured(&metrics);
    let state = AppState::new(UseCases { payments: payments.clone(), checkout, keys, verifier: verifier.clone() });
    let ping = |unit_of_work: PaymentUnitOfWork| async move { unit_of_work.ping().await };
    let health = service.health(unit_of_work.clone(), ping, CALLED_SERVICES);
    let service = service
        .worker(Reconciler::new(payments.clone()))
        .row_counts(unit_of_work, |unit_of_work| async move { unit_of_work.refresh_gauges().await })
        .consumer(OrderEventHandler::new(payments));
    Ok(service.build(routes::router(state), API_INFO, verifier, health))
}
