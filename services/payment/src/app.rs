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
use contracts::topology::PAYMENT_REVOCATIONS;

use crate::clients::order::OrderClient;
use crate::clients::stripe::{StripeClient, StripeSettings};
use crate::config::{Config, UPSTREAM_SERVICES};
use crate::consumers::CONSUMED_QUEUES;
use crate::consumers::order_events::OrderEventHandler;
use crate::repository::InstrumentedPaymentRepository;
use crate::repository::sql::{MIGRATIONS, SqlPaymentRepository};
use crate::service::{PaymentService, PaymentStore};
use crate::state::AppState;
use crate::workers::reconciler::Reconciler;
use crate::{NAME, routes};

/// Builds the service.
///
/// # Errors
/// If the database or the bus cannot be opened.
pub async fn build(config: Config, clock: SharedClock) -> Result<Service, StartError> {
    let platform = Platform::start(&config.platform, clock.clone()).await?;
    let store_error = |source| StartError::store(&config.database, source);
    let db = Database::open(&config.database, NAME, &MIGRATIONS).await.map_err(store_error)?;
    let metrics = db.observe(&platform.metrics);
    let repository =
        InstrumentedPaymentRepository::new(Arc::new(SqlPaymentRepository::new(db.clone())), metrics.clone());
    let outbox = db.outbox().measured(&metrics);
    let keys = db.keys(clock.clone()).measured(&metrics);
    let revocations = db.revocations(clock.clone()).measured(&metrics);
    let store = PaymentStore::new(repository, clock.clone(), &platform.metrics);
    store.preregister_currency(&config.currency);

    let client = ServiceClient::new(NAME, platform.discovery.clone(), clock.clone(), &platform.metrics);
    let tokens = ServiceTokens::new(client.clone(), config.client_id, config.client_secret, clock.clone());
    tokens.observe(&platform.metrics);
    revocations.load().await.map_err(store_error)?;
    let verifier =
        TokenVerifier::remote(platform.jwks(config.jwks_url), &config.platform.issuer, clock.clone(), client.clone())
            .with_revocations(revocations.clone());
    verifier.observe(&platform.metrics);

    let stripe = StripeClient::new(StripeSettings {
        url: config.stripe_url,
        key: config.stripe_key,
        metrics: platform.metrics.clone(),
        clock: clock.clone(),
        faults: platform.faults.clone(),
    });
    let stripe = stripe.map_err(|source| StartError::other("the payment provider's client", source))?;
    let orders = OrderClient::new(client.clone(), tokens.clone());
    let payments = PaymentService::new(store.clone(), stripe, orders, config.webhook_secrets, config.currency.into());

    let ping = {
        let store = store.clone();
        move || {
            let store = store.clone();
            async move { store.ping().await }
        }
    };
    let health = platform.health(ping, UPSTREAM_SERVICES);
    let info = OpenApiInfo {
        title: "Payment service",
        description: "Captures and refunds payments of orders through Stripe's API.",
    };
    let state = AppState { payments: payments.clone(), keys, verifier: verifier.clone() };
    let router = routes::router(state).merge(ops::router(
        outbox.clone(),
        platform.bus.clone(),
        CONSUMED_QUEUES,
        verifier.clone(),
        clock.clone(),
        platform.faults.clone(),
    ));
    let router = http::with_platform_layers(router, info, &platform.http, health);

    let gauges = RowCountWorker::worker(clock.clone(), move || {
        let store = store.clone();
        async move { store.refresh_gauges().await }
    });
    let [revocation_reader, revocation_poller] = revocations.workers(client, tokens.clone());
    Ok(Service {
        workers: vec![
            outbox.relay(platform.bus.clone(), clock.clone(), &platform.metrics),
            Arc::new(Reconciler::new(payments.clone())),
            tokens.refresh_worker(),
            verifier.refresh_worker(),
            platform.bus.dead_letter_gauge(CONSUMED_QUEUES),
            gauges,
            revocation_reader,
            revocation_poller,
        ],
        consumers: vec![
            Consumer::new(platform.bus.clone(), Arc::new(OrderEventHandler::new(payments)), clock.clone()),
            Consumer::new(platform.bus.clone(), revocations.handler(PAYMENT_REVOCATIONS), clock),
        ],
        platform,
        router,
    })
}
