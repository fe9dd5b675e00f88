//! Product service under test, with stubs of the services that it calls.

use std::sync::Arc;
use std::time::Duration;
use testkit::ResponseExt as _;

use chrono::TimeDelta;
use common::config::Environment;
use common::messaging::bus::{Bus, Message};
use common::runtime::{NextRun, Worker};
use common::telemetry::clock::{Clock, ManualClock, SystemClock};
use contracts::api::OrderStatus;
use contracts::event::{OrderCancelled, OrderUpdated, UserDeleted};
use contracts::{Event, OrderId, UserId};
use product_service::app;
use product_service::config::Config;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use testkit::bus::event_message;
use testkit::spawn_service::RunningService;
use testkit::tokens::TestKeys;
use testkit::{ApiResponse, eventually};

pub(crate) mod stub_services;

use stub_services::StubServices;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// Default lifetime of a reservation, in seconds.
pub(crate) const TTL: i64 = 900;

pub(crate) struct TestService {
    pub(crate) clock: ManualClock,
    pub(crate) keys: TestKeys,
    pub(crate) stubs: StubServices,
    pub(crate) running: RunningService,
    bus: Bus,
    expiry: Arc<dyn Worker>,
    collection: Arc<dyn Worker>,
    pub(crate) search_index: Arc<dyn Worker>,
    directory: tempfile::TempDir,
}

impl TestService {
    /// Starts a service with an empty catalog. Its workers run only when a test steps them, and its events stay in the
    /// outbox.
    pub(crate) async fn open() -> Self {
        Self::open_with(&[], false).await
    }

    pub(crate) async fn open_with(settings: &[(&str, &str)], expires: bool) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), settings, expires).await
    }

    async fn open_in(directory: tempfile::TempDir, settings: &[(&str, &str)], expires: bool) -> Self {
        let keys = TestKeys::new();
        let clock = ManualClock::at(SystemClock.now());
        let stubs = StubServices::start(keys.clone()).await;
        let file = |name: &str| format!("sqlite://{}", directory.path().join(name).display());
        let mut pairs = vec![
            ("DATABASE_URL", file("product.db")),
            ("REDIS_URL", "memory:".to_owned()),
            ("RABBITMQ_URL", file("bus.db")),
            ("JWKS_URL", format!("{}/.well-known/jwks.json", stubs.url)),
            ("USER_SERVICE_URL", stubs.url.clone()),
            ("ORDER_SERVICE_URL", stubs.url.clone()),
            ("CLIENT_ID", "product-service".to_owned()),
            ("CLIENT_SECRET", "secret".to_owned()),
            ("MEDIA_URL", format!("file://{}", directory.path().join("media").display())),
        ];
        pairs.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let config = Config::from_env(&Environment::from_pairs(pairs)).unwrap();
        let mut service = app::build(config, clock.shared()).await.unwrap();
        let bus = service.platform.bus.clone();
        let worker = |name: &str| service.workers.iter().find(|worker| worker.name() == name).unwrap().clone();
        let (expiry, search_index) = (worker("reservation-expiry"), worker("search-index"));
        let collection = worker("media-collection");
        service.workers = if expires { vec![expiry.clone()] } else { Vec::new() };
        let running = testkit::spawn_service::spawn_service(service).await;
        Self { clock, keys, stubs, running, bus, expiry, collection, search_index, directory }
    }

    /// Restarts the service with the same data.
    pub(crate) async fn reopen(self, settings: &[(&str, &str)]) -> Self {
        self.running.stop().await;
        Self::open_in(self.directory, settings, false).await
    }

    pub(crate) fn user(&self) -> UserId {
        UserId::generate(SystemClock.now())
    }

    pub(crate) fn token(&self, user: UserId) -> String {
        self.keys.user_token(user, "ada@example.com")
    }

    pub(crate) fn admin(&self) -> String {
        self.keys.admin_token()
    }

    pub(crate) fn service_token(&self) -> String {
        self.keys.service_token()
    }

    pub(crate) fn order(&self) -> OrderId {
        OrderId::generate(SystemClock.now())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.running.client.request(method, format!("{}{path}", self.running.url))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> ApiResponse {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        ApiResponse::of(request).await.unwrap()
    }

    /// Sends an unauthenticated GET.
    pub(crate) async fn get(&self, path: &str) -> ApiResponse {
        self.send(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> ApiResponse {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> ApiResponse {
        self.send(Method::PATCH, path, Some(token), Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> ApiResponse {
        self.send(Method::DELETE, path, Some(token), None).await
    }

    /// Asserts that a call without a token, with an invalid one, and with each of these tokens is rejected.
    pub(crate) async fn assert_forbidden(&self, method: Method, path: &str, body: Option<Value>, rejected: &[String]) {
        self.send(method.clone(), path, None, body.clone()).await.problem(401, "UNAUTHENTICATED");
        self.send(method.clone(), path, Some("nonsense"), body.clone()).await.problem(401, "UNAUTHENTICATED");
        for token in rejected {
            self.send(method.clone(), path, Some(token), body.clone()).await.problem(403, "FORBIDDEN");
        }
    }

    /// Returns a valid body of a creation.
    pub(crate) fn body(name: &str) -> Value {
        json!({"name": name, "description": format!("{name}, and a good one"), "price": 9.99, "category": "Kitchen"})
    }

    /// Creates a product with these fields beside the default ones.
    pub(crate) async fn add(&self, name: &str, fields: Value) -> Value {
        let mut body = Self::body(name);
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/api/products", &self.admin(), body).await.json(201)
    }

    /// Creates a product with this stock; returns its id.
    pub(crate) async fn product_with_stock(&self, stock: i64) -> i64 {
        let product = self.add("Mug", json!({"stockQuantity": stock})).await;
        product["id"].as_i64().unwrap()
    }

    pub(crate) async fn product(&self, id: i64) -> Value {
        self.get(&format!("/api/products/{id}")).await.json(200)
    }

    pub(crate) async fn available(&self, id: i64) -> i64 {
        self.product(id).await["stockQuantity"].as_i64().unwrap()
    }

    pub(crate) async fn reserve(&self, order: OrderId, lines: &[(i64, i64)]) -> ApiResponse {
        let items: Vec<_> = lines.iter().map(|(id, n)| json!({"productId": id, "quantity": n})).collect();
        let body = json!({"orderId": order, "items": items});
        self.post("/api/products/reservations", &self.service_token(), body).await
    }

    pub(crate) async fn release(&self, order: OrderId) -> ApiResponse {
        self.delete(&format!("/api/products/reservations/{order}"), &self.service_token()).await
    }

    pub(crate) async fn reservation(&self, order: OrderId) -> ApiResponse {
        let path = format!("/api/products/reservations/{order}");
        self.send(Method::GET, &path, Some(&self.service_token()), None).await
    }

    pub(crate) async fn status(&self, order: OrderId) -> String {
        self.reservation(order).await.json(200)["status"].as_str().unwrap().to_owned()
    }

    /// Returns the time after these seconds, as a response contains it.
    pub(crate) fn time_after(&self, seconds: i64) -> Value {
        json!(self.clock.now() + TimeDelta::seconds(seconds))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Resolves all due reservations; returns the seconds until the next one is due.
    pub(crate) async fn expire(&self) -> Option<i64> {
        loop {
            match self.expiry.step().await.unwrap() {
                NextRun::Now => {}
                NextRun::At(due) => return Some((due - self.clock.now()).num_seconds()),
                NextRun::OnWake => return None,
            }
        }
    }

    /// Returns the names of the stored files.
    pub(crate) fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path().join("media")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Removes the directory of the files, so that none can be stored.
    pub(crate) fn remove_files(&self) {
        let media = self.directory.path().join("media");
        std::fs::remove_dir_all(&media).unwrap();
        std::fs::write(&media, "").unwrap();
    }

    /// Deletes the files that are due, and marks those without a reference.
    pub(crate) async fn collect_files(&self) {
        while self.collection.step().await.unwrap() == NextRun::Now {}
    }

    pub(crate) async fn database(&self) -> SqlitePool {
        open(&self.directory, "product.db").await
    }

    /// Executes a statement as an instance of another version would.
    pub(crate) async fn execute(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.directory.path().join("product.db"));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Returns the stored stock of a product: initial, adjustments, available, reserved, sold.
    pub(crate) async fn stock_balance(&self, id: i64) -> [i64; 5] {
        let query = "SELECT initial, adjustments, stock_quantity, reserved, sold FROM products WHERE id = ?";
        let row: (i64, i64, i64, i64, i64) =
            sqlx::query_as(query).bind(id).fetch_one(&self.database().await).await.unwrap();
        assert_eq!(row.0 + row.1, row.2 + row.3 + row.4, "{row:?}");
        row.into()
    }

    /// Returns type and data of all events.
    pub(crate) async fn events(&self) -> Vec<(String, Value)> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT event_type, data FROM outbox ORDER BY seq")
            .fetch_all(&self.database().await)
            .await
            .unwrap();
        rows.into_iter().map(|(kind, data)| (kind, serde_json::from_str(&data).unwrap())).collect()
    }

    /// Returns the types of an order's events, without `product.`.
    pub(crate) async fn events_of(&self, order: OrderId) -> Vec<String> {
        let about = |(kind, data): (String, Value)| {
            (data["order_id"] == json!(order)).then(|| kind.trim_start_matches("product.").to_owned())
        };
        self.events().await.into_iter().filter_map(about).collect()
    }

    /// Delivers an order's change of status.
    pub(crate) async fn order_updated(&self, order: OrderId, status: OrderStatus) {
        let timestamp = self.clock.now();
        self.publish_event(Event::OrderUpdated(OrderUpdated { order_id: order, status, timestamp })).await;
    }

    /// Delivers the cancellation of an order.
    pub(crate) async fn order_cancelled(&self, order: OrderId) {
        let timestamp = self.clock.now();
        let cancelled = OrderCancelled { order_id: order, reason: None, items: Vec::new(), timestamp };
        self.publish_event(Event::OrderCancelled(cancelled)).await;
    }

    /// Delivers the deletion of an account.
    pub(crate) async fn user_deleted(&self, user: UserId) {
        let event = Event::UserDeleted(UserDeleted { user_id: user });
        self.publish(&event_message(&event, "user-service", SystemClock.now())).await;
    }

    async fn publish_event(&self, event: Event) {
        self.publish(&self.message(&event)).await;
    }

    /// Returns an event as the order service publishes it.
    pub(crate) fn message(&self, event: &Event) -> Message {
        event_message(event, "order-service", SystemClock.now())
    }

    /// Publishes a message and waits until all messages are handled.
    pub(crate) async fn publish(&self, message: &Message) {
        for published in self.bus.publish(std::slice::from_ref(message)).await.unwrap() {
            published.unwrap();
        }
        let bus = open(&self.directory, "bus.db").await;
        eventually("all messages are handled", TIMEOUT, || async {
            let query = "SELECT (SELECT count(*) FROM messages WHERE queue LIKE 'product-service.%'),
                (SELECT count(*) FROM dead_letters)";
            let (waiting, dead): (i64, i64) = sqlx::query_as(query).fetch_one(&bus).await.unwrap();
            assert_eq!(dead, 0, "a message was dead-lettered");
            (waiting == 0).then_some(())
        })
        .await;
    }
}

async fn open(directory: &tempfile::TempDir, name: &str) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(directory.path().join(name)).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// Returns the ids of a list of products.
pub(crate) fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|product| product["id"].as_i64().unwrap()).collect()
}
