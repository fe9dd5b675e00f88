//! Payment service in this process, with stubs of its neighbours.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::config::Environment;
use common::messaging::bus::Bus;
use common::runtime::Shutdown;
use common::runtime::{NextRun, Worker};
use common::telemetry::clock::{Clock, ManualClock, SystemClock};
use contracts::{Money, OrderId, UserId};
use payment_service::app;
use payment_service::config::Config;
use reqwest::Client;
use serde_json::Value;
use stripe_sandbox::{RetrySchedule, Sandbox};
use testkit::eventually;
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

pub(crate) mod proxy;
mod requests;
pub(crate) mod stub_services;

use proxy::Proxy;
use stub_services::StubServices;

const SECRET_KEY: &str = "sk_test_secret";
const WEBHOOK_SECRET: &str = "whsec_current";
/// Webhook secret before the rotation.
pub(crate) const OLD_WEBHOOK_SECRET: &str = "whsec_old";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Fleet {
    directory: tempfile::TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) stub_services: StubServices,
    pub(crate) proxy: Proxy,
    pub(crate) keys: Arc<TestKeys>,
    pub(crate) client: Client,
    sandbox_url: String,
    _sandbox: tokio_util::sync::DropGuard,
    address: SocketAddr,
    automatic: bool,
    /// Further settings of the service.
    settings: Vec<(&'static str, String)>,
    running: Option<Running>,
}

/// Running service on its own runtime, so that it can be killed.
struct Running {
    runtime: Runtime,
    workers: Vec<Arc<dyn Worker>>,
    bus: Bus,
}

impl Fleet {
    /// Starts a service whose reconciler runs only on demand, with a manual clock.
    pub(crate) async fn start() -> Self {
        Self::start_with(false, &[]).await
    }

    /// Starts a service with running workers and a manual clock.
    pub(crate) async fn start_automatic() -> Self {
        Self::start_with(true, &[]).await
    }

    /// Starts a service with further settings, whose reconciler runs only on demand.
    pub(crate) async fn start_configured(settings: &[(&'static str, &str)]) -> Self {
        Self::start_with(false, settings).await
    }

    async fn start_with(automatic: bool, settings: &[(&'static str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(TestKeys::new());
        let clock = ManualClock::at(SystemClock.now());
        let client = common::client::http_client(|builder| builder.no_proxy()).unwrap();
        let stub_services = StubServices::start(keys.clone(), directory.path().join("payment.db")).await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sandbox_url, sandbox) = start_sandbox(directory.path().join("stripe.db"), address).await;
        let proxy = Proxy::start(sandbox_url.clone(), client.clone()).await;
        let mut fleet = Self {
            directory,
            clock,
            stub_services,
            proxy,
            keys,
            client,
            sandbox_url,
            _sandbox: sandbox,
            address,
            automatic,
            settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            running: None,
        };
        fleet.run(listener).await;
        fleet
    }

    async fn run(&mut self, listener: std::net::TcpListener) {
        let file = |name: &str| format!("sqlite://{}", self.directory.path().join(name).display());
        let own = [
            ("DATABASE_URL", file("payment.db")),
            ("REDIS_URL", "memory:".to_owned()),
            ("RABBITMQ_URL", file("bus.db")),
            ("STRIPE_API_URL", self.proxy.url.clone()),
            ("STRIPE_SECRET_KEY", SECRET_KEY.to_owned()),
            ("STRIPE_WEBHOOK_SECRET", format!("{WEBHOOK_SECRET},{OLD_WEBHOOK_SECRET}")),
            ("JWKS_URL", format!("{}/.well-known/jwks.json", self.stub_services.url)),
            ("USER_SERVICE_URL", self.stub_services.url.clone()),
            ("ORDER_SERVICE_URL", self.stub_services.url.clone()),
            ("CLIENT_ID", "payment-service".to_owned()),
            ("CLIENT_SECRET", "secret".to_owned()),
        ];
        let env = Environment::from_pairs(own.into_iter().chain(self.settings.clone()));
        let config = Config::from_env(&env).unwrap();
        let (clock, automatic) = (self.clock.shared(), self.automatic);
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let start = async move {
            let mut service = app::build(config, clock).await.unwrap();
            let workers = if automatic { Vec::new() } else { std::mem::take(&mut service.workers) };
            let bus = service.platform.bus.clone();
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            tokio::spawn(async move { service.serve(listener, Shutdown::new()).await.unwrap() });
            (workers, bus)
        };
        let (workers, bus) = runtime.spawn(start).await.unwrap();
        self.running = Some(Running { runtime, workers, bus });
    }

    /// Kills the service and restarts it on the same data at the same address.
    pub(crate) async fn kill_and_restart(&mut self) {
        let running = self.running.take().unwrap();
        drop(running.workers);
        running.runtime.shutdown_background();
        let listener = eventually("the address is free again", TIMEOUT, || async {
            std::net::TcpListener::bind(self.address).ok()
        })
        .await;
        self.run(listener).await;
    }

    /// Runs all due tasks, and returns the time at which the next one falls due.
    pub(crate) async fn reconcile(&self) -> Option<DateTime<Utc>> {
        let running = self.running.as_ref().unwrap();
        let reconciler = running.workers.iter().find(|worker| worker.name() == "payment-reconciler").unwrap();
        loop {
            let reconciler = reconciler.clone();
            match running.runtime.spawn(async move { reconciler.step().await }).await.unwrap().unwrap() {
                NextRun::Now => {}
                NextRun::At(due) => return Some(due),
                NextRun::OnWake => return None,
            }
        }
    }

    /// Runs all due tasks, unless the workers run.
    pub(crate) async fn reconcile_unless_automatic(&self) {
        if !self.automatic {
            self.reconcile().await;
        }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }

    /// Places an order of this user in the stub of the order service.
    pub(crate) fn order(&self, user: UserId, cents: i64) -> OrderId {
        self.stub_services.place_order(user, Money::from_cents(cents))
    }

    pub(crate) fn user(&self) -> UserId {
        UserId::generate(self.clock.now())
    }

    pub(crate) fn token(&self, user: UserId) -> String {
        self.keys.user_token(user, "ada@example.com")
    }

    pub(crate) fn admin(&self) -> String {
        self.keys.admin_token()
    }

    pub(crate) fn service(&self) -> String {
        self.keys.service_token()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cancels an order, and waits until the payment service has consumed the event.
    pub(crate) async fn cancel_order(&self, order: OrderId) {
        self.stub_services.cancel(order);
        stub_services::publish_cancelled(&self.running.as_ref().unwrap().bus, order, self.clock.now()).await;
        let consumed = "SELECT 1 FROM orders WHERE order_id = ? AND cancelled_at IS NOT NULL";
        eventually("the cancellation is consumed", TIMEOUT, || async {
            let db = self.database().await;
            sqlx::query(consumed).bind(order.to_string()).fetch_optional(&db).await.unwrap()
        })
        .await;
    }

    async fn database(&self) -> sqlx::SqlitePool {
        stub_services::database(&self.directory.path().join("payment.db")).await
    }

    /// Returns the events of an order's payments so far: kind and data.
    pub(crate) async fn events(&self, order: OrderId) -> Vec<(String, Value)> {
        // Stored and not yet published, or published and, since no order service runs here, not yet consumed.
        let written = "SELECT id, event_type, data FROM outbox ORDER BY seq";
        let published = "SELECT event_id, event_type, json_extract(CAST(body AS TEXT), '$.data') FROM messages
             WHERE exchange = 'payment.events' ORDER BY seq";
        let rows = |db: sqlx::SqlitePool, select: &'static str| async move {
            sqlx::query_as::<_, (String, String, String)>(select).fetch_all(&db).await.unwrap()
        };
        // In this order, an event published in between is in both lists, never in none.
        let written = rows(self.database().await, written).await;
        let bus = stub_services::database(&self.directory.path().join("bus.db")).await;
        let mut all = rows(bus, published).await;
        all.extend(
            written.into_iter().filter(|(id, ..)| !all.iter().any(|(known, ..)| known == id)).collect::<Vec<_>>(),
        );
        let read = all.into_iter().map(|(_, kind, data)| (kind, serde_json::from_str::<Value>(&data).unwrap()));
        read.filter(|(_, data)| data["order_id"] == order.to_string()).collect()
    }

    pub(crate) async fn event_kinds(&self, order: OrderId) -> Vec<String> {
        self.events(order).await.into_iter().map(|(kind, _)| kind).collect()
    }
}

/// Returns the payment's id from the response that started it.
pub(crate) fn payment_id(started: &Value) -> &str {
    started["payment"]["id"].as_str().unwrap()
}

/// Returns the intent's id from the response that started the payment.
pub(crate) fn intent_id(started: &Value) -> &str {
    started["payment"]["provider_transaction_id"].as_str().unwrap()
}

async fn start_sandbox(database: PathBuf, service: SocketAddr) -> (String, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = stripe_sandbox::Config {
        database,
        secret_key: SECRET_KEY.into(),
        webhook_secret: WEBHOOK_SECRET.into(),
        webhook_url: Some(format!("http://{service}/api/webhooks/stripe")),
        payment_method_types: vec!["card".to_owned()],
        hosted_url: url.clone(),
        shop_urls: Vec::new(),
    };
    let shutdown = CancellationToken::new();
    let retries = RetrySchedule { first: Duration::from_millis(50), ..RetrySchedule::default() };
    let sandbox = Sandbox::new(config).retries(retries).settlement_delay(Duration::from_millis(50));
    let stop = shutdown.clone();
    tokio::spawn(async move { sandbox.serve(listener, stop).await.unwrap() });
    (url, shutdown.drop_guard())
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }
}
