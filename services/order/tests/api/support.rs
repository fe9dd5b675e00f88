//! Order service in the process of the test, with stubs of the services that it calls.

use std::sync::Arc;
use std::time::Duration;
use testkit::ResponseExt as _;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use chrono::{DateTime, Utc};
use common::config::Environment;
use common::fault::failpoint;
use common::messaging::bus::Bus;
use common::runtime::{NextRun, Worker};
use common::telemetry::clock::{Clock, ManualClock, SystemClock};
use contracts::{OrderId, Scope, UserId};
use order_service::app;
use order_service::config::Config;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::spawn_service::RunningService;
use testkit::tokens::TestKeys;
use testkit::{ApiResponse, eventually};

pub(crate) mod carts;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod stub_services;

use database::Database;
use stub_services::StubServices;

/// Timeout for the effect of a message.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);
/// Header with the name of a failpoint.
pub(crate) const CRASH_AT: &str = "crash-at";
/// Id that does not exist.
pub(crate) const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

/// Running service. Its clock is set by the test, and its deadline worker runs on demand.
pub(crate) struct TestApp {
    _directory: TempDir,
    pub(crate) database: Database,
    pub(crate) clock: ManualClock,
    pub(crate) stub_services: StubServices,
    pub(crate) bus: Bus,
    keys: Arc<TestKeys>,
    client: Client,
    workers: Vec<Arc<dyn Worker>>,
    running: RunningService,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(&[("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "0")]).await
    }

    /// Starts the service with additional settings.
    pub(crate) async fn with(settings: &[(&'static str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::new(directory.path()).await;
        Self::on(directory, database, settings).await
    }

    /// Starts the service on a database with additional settings.
    pub(crate) async fn on(directory: TempDir, database: Database, settings: &[(&'static str, &str)]) -> Self {
        let keys = Arc::new(TestKeys::new());
        let clock = ManualClock::at(SystemClock.now());
        let stub_services = StubServices::start(keys.clone()).await;
        let mut env = vec![
            ("DATABASE_URL", database.url.clone()),
            ("REDIS_URL", "memory:".to_owned()),
            ("RABBITMQ_URL", format!("sqlite://{}", directory.path().join("bus.db").display())),
            ("JWKS_URL", format!("{}/.well-known/jwks.json", stub_services.url)),
            ("USER_SERVICE_URL", stub_services.url.clone()),
            ("PRODUCT_SERVICE_URL", stub_services.url.clone()),
            ("PAYMENT_SERVICE_URL", stub_services.url.clone()),
            ("CLIENT_ID", "order-service".to_owned()),
            ("CLIENT_SECRET", "secret".to_owned()),
            ("PAYMENT_DEADLINE", "60".to_owned()),
        ];
        env.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let env = Environment::from_pairs(env);
        let mut service = app::build(Config::from_env(&env).unwrap(), clock.shared()).await.unwrap();
        service.router = service.router.layer(from_fn(crash));
        let workers = std::mem::take(&mut service.workers);
        let bus = service.platform.bus.clone();
        let running = testkit::spawn_service::spawn_service(service).await;
        let client = running.client.clone();
        stub_services.state().orders = Some((client.clone(), running.url.clone()));
        Self { _directory: directory, database, clock, stub_services, bus, keys, client, workers, running }
    }

    /// Runs the deadline worker until it is idle. Returns the time of its next step.
    pub(crate) async fn run_deadline_worker(&self) -> Option<DateTime<Utc>> {
        self.run_worker("payment-deadline").await
    }

    /// Runs a worker until it is idle. Returns the time of its next step.
    pub(crate) async fn run_worker(&self, name: &str) -> Option<DateTime<Utc>> {
        let worker = self.workers.iter().find(|worker| worker.name() == name).unwrap();
        loop {
            match worker.step().await.unwrap() {
                NextRun::Now => {}
                NextRun::At(due) => return Some(due),
                NextRun::OnWake => return None,
            }
        }
    }

    /// Runs one step of a worker.
    pub(crate) async fn step(&self, worker: &str) -> NextRun {
        self.workers.iter().find(|known| known.name() == worker).unwrap().step().await.unwrap()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }

    /// Registers a user at the user service.
    pub(crate) fn user(&self) -> UserId {
        let user = UserId::generate(self.clock.now());
        self.stub_services.register(user);
        user
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

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn url(&self) -> &str {
        &self.running.url
    }

    /// Returns a service token with these scopes only.
    pub(crate) fn service_with(&self, scopes: &[Scope]) -> String {
        self.keys.service_token_with(scopes)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> ApiResponse {
        let mut request = self.client.request(method, format!("{}{path}", self.running.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        ApiResponse::of(request).await.unwrap()
    }

    /// Sends a body of any content type.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        token: &str,
        kind: &str,
        body: &'static str,
    ) -> ApiResponse {
        let request = self.client.request(method, format!("{}{path}", self.running.url)).bearer_auth(token);
        ApiResponse::of(request.header("content-type", kind).body(body)).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> ApiResponse {
        self.send(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> ApiResponse {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    /// Sends a `POST` with an idempotency key.
    pub(crate) async fn post_keyed(&self, path: &str, token: &str, key: &str, body: &Value) -> ApiResponse {
        let request = self.client.post(format!("{}{path}", self.running.url)).bearer_auth(token);
        ApiResponse::of(request.header("idempotency-key", key).json(body)).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> ApiResponse {
        self.send(Method::PUT, path, Some(token), Some(body)).await
    }

    /// Returns the request for two pieces of product 1: subtotal 59.98, total 74.77.
    pub(crate) fn form(user: UserId) -> Value {
        json!({
            "user_id": user,
            "items": [{"product_id": 1, "quantity": 2}],
            "shipping_address": {
                "street": "123 Main St", "city": "New York", "state": "NY", "postal_code": "10001", "country": "US",
            },
            "customer_info": {"first_name": "John", "last_name": "Doe", "email": "john@example.com"},
        })
    }

    /// Places an order of the standard request.
    pub(crate) async fn place(&self, user: UserId) -> Value {
        self.post("/api/orders", &self.token(user), Self::form(user)).await.json(201)
    }

    /// Places an order of a new user.
    pub(crate) async fn placed(&self) -> (UserId, Value) {
        let user = self.user();
        let order = self.place(user).await;
        (user, order)
    }

    /// Places an order and moves it to this status as an admin.
    pub(crate) async fn placed_in(&self, status: &str) -> (UserId, Value) {
        let (user, mut order) = self.placed().await;
        if status == "cancelled" {
            order = self.post(&format!("{}/cancel", path(&order)), &self.admin(), json!({})).await.json(200);
        }
        for next in ["confirmed", "processing", "shipped", "delivered"] {
            if order["status"] == status {
                break;
            }
            order = self.put(&path(&order), &self.admin(), json!({"status": next})).await.json(200);
        }
        assert_eq!(order["status"], status);
        (user, order)
    }

    /// Returns an order as an admin sees it.
    pub(crate) async fn order(&self, id: &str) -> Value {
        self.get(&format!("/api/orders/{id}"), &self.admin()).await.json(200)
    }

    pub(crate) async fn until(&self, order: &Value, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let (id, holds) = (order["id"].as_str().unwrap(), &holds);
        eventually(what, TIMEOUT, || async { Some(self.order(id).await).filter(holds) }).await
    }

    /// Returns type and data of the events that an order has published.
    pub(crate) async fn events(&self, order: &Value) -> Vec<(String, Value)> {
        let query = "SELECT event_type, data FROM outbox WHERE aggregate_id = $1 ORDER BY seq";
        let rows = self.database.texts(query, order).await;
        rows.into_iter().map(|(kind, data)| (kind, serde_json::from_str(&data).unwrap())).collect()
    }

    pub(crate) async fn event_kinds(&self, order: &Value) -> Vec<String> {
        self.events(order).await.into_iter().map(|(kind, _)| kind).collect()
    }
}

/// Ends a request at the failpoint that its header `crash-at` names, as in a crash of the service.
async fn crash(request: Request, next: Next) -> Response {
    match request.headers().get(CRASH_AT).map(|name| name.to_str().unwrap().to_owned()) {
        Some(name) => failpoint::crash_task_at(name, next.run(request)).await,
        None => next.run(request).await,
    }
}

/// Returns the path of an order.
pub(crate) fn path(order: &Value) -> String {
    format!("/api/orders/{}", order["id"].as_str().unwrap())
}

pub(crate) fn id(order: &Value) -> OrderId {
    order["id"].as_str().unwrap().parse().unwrap()
}
