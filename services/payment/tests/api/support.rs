//! Payment service in this process, with stubs of its neighbours.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::config::Env;
use common::messaging::bus::Bus;
use common::runtime::Shutdown;
use common::runtime::{Next, Worker};
use common::telemetry::clock::{Clock, ManualClock, SystemClock};
use contracts::{Money, OrderId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use payment_service::app;
use payment_service::config::Config;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use stripe_sandbox::{RetrySchedule, Sandbox};
use testkit::eventually;
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

pub(crate) mod proxy;
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
    running: Option<Running>,
}

/// Running service on its own runtime, so that it can be killed.
struct Running {
    runtime: Runtime,
    workers: Vec<Arc<dyn Worker>>,
    bus: Bus,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// Returns the body of a reply with this status.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Returns the body of this error in the common form.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        if status == 503 || status == 502 && self.headers.contains_key("retry-after") {
            assert!(self.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        }
        self.body
    }
}

impl Fleet {
    /// Starts a service whose reconciler runs only on demand, with a manual clock.
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts a service with running workers and a manual clock.
    pub(crate) async fn start_automatic() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(automatic: bool) -> Self {
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
            running: None,
        };
        fleet.run(listener).await;
        fleet
    }

    async fn run(&mut self, listener: std::net::TcpListener) {
        let file = |name: &str| format!("sqlite://{}", self.directory.path().join(name).display());
        let env = Env::from_pairs([
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
        ]);
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
                Next::Again => {}
                Next::At(due) => return Some(due),
                Next::Idle => return None,
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

    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Reply {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        reply(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    /// Sends a `POST` with an idempotency key.
    pub(crate) async fn post_keyed(&self, path: &str, token: &str, key: &str, body: &Value) -> Reply {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(token);
        reply(request.header("idempotency-key", key).json(body).send().await.unwrap()).await
    }

    /// Returns the request body that pays an order of 100.00.
    pub(crate) fn body(order: OrderId, user: UserId) -> Value {
        json!({"order_id": order, "user_id": user, "amount": 100, "method": "card", "provider": "stripe"})
    }

    /// Places an order of 100.00 of a new user and starts its payment.
    pub(crate) async fn started(&self) -> (OrderId, UserId, Value) {
        let user = self.user();
        let order = self.order(user, 10_000);
        (order, user, self.pay(order, user).await.ok(201))
    }

    /// Starts the payment of an order of 100.00.
    pub(crate) async fn pay(&self, order: OrderId, user: UserId) -> Reply {
        self.post("/api/payments", &self.token(user), Self::body(order, user)).await
    }

    /// Places an order of 100.00 and pays it with this card; returns the payment's id too.
    pub(crate) async fn paid_by(&self, card: &str) -> (OrderId, UserId, String) {
        let (order, user, started) = self.started().await;
        self.pay_as_customer(&started, card).await.ok(200);
        let id = started["payment"]["id"].as_str().unwrap().to_owned();
        self.until_status(&id, "completed").await;
        (order, user, id)
    }

    pub(crate) async fn paid(&self) -> (OrderId, UserId, String) {
        self.paid_by("pm_card_visa").await
    }

    pub(crate) async fn confirm(&self, id: &str, transaction: &str) -> Reply {
        let body = json!({"provider_transaction_id": transaction});
        self.send(Method::PUT, &format!("/api/payments/{id}/confirm"), Some(&self.service()), Some(body)).await
    }

    pub(crate) async fn refund(&self, id: &str, body: Option<Value>) -> Reply {
        self.send(Method::POST, &format!("/api/payments/{id}/refund"), Some(&self.admin()), body).await
    }

    /// Fetches a payment as an admin.
    pub(crate) async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/api/payments/{id}"), &self.admin()).await.ok(200)
    }

    pub(crate) async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let holds = &holds;
        eventually(what, TIMEOUT, || async {
            self.reconcile_unless_automatic().await;
            Some(self.payment(id).await).filter(holds)
        })
        .await
    }

    pub(crate) async fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |payment| payment["status"] == status).await
    }

    /// Confirms the intent with the client secret, as the customer's browser does.
    pub(crate) async fn pay_as_customer(&self, started: &Value, card: &str) -> Reply {
        let intent = started["payment"]["provider_transaction_id"].as_str().unwrap();
        let secret = started["client_secret"].as_str().unwrap();
        let form = [("payment_method", card), ("client_secret", secret)];
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.sandbox_url);
        let request = self.client.post(url).bearer_auth("pk_test_browser").form(&form);
        reply(request.send().await.unwrap()).await
    }

    /// Calls the provider directly with the account's key.
    pub(crate) async fn stripe(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Value {
        let request =
            self.client.request(method.clone(), format!("{}{path}", self.sandbox_url)).bearer_auth(SECRET_KEY);
        let request = if method == Method::GET { request.query(form) } else { request.form(form) };
        reply(request.send().await.unwrap()).await.ok(200)
    }

    pub(crate) async fn intent(&self, id: &str) -> Value {
        self.stripe(Method::GET, &format!("/v1/payment_intents/{id}"), &[]).await
    }

    /// Sends a webhook signed like the provider's.
    pub(crate) async fn webhook(&self, kind: &str, object: Value) -> Reply {
        let body =
            json!({"id": "evt_made_up", "object": "event", "type": kind, "data": {"object": object}}).to_string();
        let signature = self.signature(WEBHOOK_SECRET, &body);
        self.raw_webhook(body, Some(&signature)).await
    }

    pub(crate) fn signature(&self, secret: &str, body: &str) -> String {
        let time = self.clock.now().timestamp();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={time},v1={hex}")
    }

    pub(crate) async fn raw_webhook(&self, body: String, signature: Option<&str>) -> Reply {
        let mut request = self.client.post(format!("http://{}/api/webhooks/stripe", self.address)).body(body);
        request = request.header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        reply(request.send().await.unwrap()).await
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

async fn start_sandbox(database: PathBuf, service: SocketAddr) -> (String, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = stripe_sandbox::Config {
        database,
        secret_key: SECRET_KEY.into(),
        webhook_secret: WEBHOOK_SECRET.into(),
        webhook_url: Some(format!("http://{service}/api/webhooks/stripe")),
        payment_method_types: vec!["card".to_owned()],
        public_url: url.clone(),
    };
    let shutdown = CancellationToken::new();
    let retries = RetrySchedule { first: Duration::from_millis(50), ..RetrySchedule::default() };
    let sandbox = Sandbox::new(config).retries(retries).settlement_delay(Duration::from_millis(50));
    let stop = shutdown.clone();
    tokio::spawn(async move { sandbox.serve(listener, stop).await.unwrap() });
    (url, shutdown.drop_guard())
}

async fn reply(response: reqwest::Response) -> Reply {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body =
        if status == StatusCode::NO_CONTENT { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() };
    Reply { status: status.as_u16(), headers, body }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }
}
