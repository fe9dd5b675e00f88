//! The composition root: the one file that names adapters.

use std::sync::Arc;

use axum::extract::FromRef;
use chrono::TimeDelta;
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
use contracts::topology::{
    ORDER_DELETED_USERS, ORDER_PAYMENTS, ORDER_PRODUCTS, ORDER_REFUND_FAILURES, ORDER_REVOCATIONS, Queue,
};

use crate::config::{Config, PEERS};
use crate::events::{DeletedUsers, PaymentEvents, StockEvents};
use crate::jobs::PaymentDeadline;
use crate::peers::{Payments, Products, Users};
use crate::placing::{Placing, Terms};
use crate::store::postgres::{self, PostgresOrders};
use crate::store::sqlite::{self, SqliteOrders};
use crate::store::{ObservedOrders, OrderBook};
use crate::{NAME, routes};

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) book: OrderBook,
    pub(crate) placing: Placing,
    pub(crate) payments: Payments,
    pub(crate) keys: Keys,
    pub(crate) payment_deadline: TimeDelta,
    verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

/// What it hears.
const HEARD: &[Queue] =
    &[ORDER_PRODUCTS, ORDER_PAYMENTS, ORDER_REFUND_FAILURES, ORDER_DELETED_USERS, ORDER_REVOCATIONS];

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
            let store = ObservedOrders::over(Arc::new(SqliteOrders::new(db.clone())), seen.clone());
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
            let store = ObservedOrders::over(Arc::new(PostgresOrders::new(db.clone())), seen.clone());
            (
                store,
                db.outbox().measured(&seen),
                db.keys(clock.clone()).measured(&seen),
                db.revocations(clock.clone()).measured(&seen),
            )
        }
    };
    let book = OrderBook::new(store, platform.cache.clone(), clock.clone(), &platform.metrics);

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
    let users = Users::new(client.clone(), tokens.clone(), platform.cache.clone());
    let products = Products::new(client.clone(), tokens.clone());
    let terms = Terms {
        currency: config.currency.into(),
        payment_deadline: config.payment_deadline,
        limits: config.unpaid_limits,
    };
    let state = AppState {
        book: book.clone(),
        placing: Placing::new(book.clone(), users.clone(), products, terms, routes::placed),
        payments: Payments::new(client),
        keys,
        payment_deadline: config.payment_deadline,
        verifier: verifier.clone(),
    };
    let docs = OpenApiInfo {
        title: "Order service",
        description: "Places orders, follows their payments, and takes them through to the customer's door.",
    };
    let store = book.clone();
    let database = move || {
        let book = store.clone();
        async move { book.store().ping().await }
    };
    let health = platform.health(database, PEERS);
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
    let deadline = Arc::new(PaymentDeadline::new(book.clone(), config.payment_deadline));
    let dead_letters = platform.bus.dead_letter_count(HEARD);
    let census = book.clone();
    let census = Census::worker(clock.clone(), move || {
        let book = census.clone();
        async move { book.count().await }
    });
    let consumer = |handler| Consumer::new(platform.bus.clone(), handler, clock.clone());
    Ok(Service {
        workers: vec![relay, deadline, tokens.renewer(), refresher, dead_letters, census, reader, poller],
        consumers: vec![
            consumer(Arc::new(PaymentEvents::new(ORDER_PAYMENTS, book.clone()))),
            consumer(Arc::new(PaymentEvents::new(ORDER_REFUND_FAILURES, book.clone()))),
            consumer(Arc::new(StockEvents::new(book.clone()))),
            consumer(Arc::new(DeletedUsers::new(book, users))),
            consumer(revocations.handler(ORDER_REVOCATIONS)),
        ],
        platform,
        router,
    })
}
