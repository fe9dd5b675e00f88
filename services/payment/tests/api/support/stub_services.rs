//! Stubs of the order service and the user service.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{FromRef, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use common::auth::{Caller, TokenVerifier};
use common::messaging::bus::Bus;
use common::telemetry::clock::{Clock, SystemClock, system};
use contracts::event::OrderCancelled;
use contracts::{Event, Money, OrderId, UserId};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use testkit::bus::event_message;
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct StubServices {
    pub(crate) url: String,
    orders: Arc<Mutex<HashMap<OrderId, Order>>>,
    unavailable: Arc<AtomicBool>,
    payments_hidden: Arc<AtomicBool>,
    keys: Arc<TestKeys>,
    payments: PathBuf,
}

#[derive(Clone)]
struct Order {
    user: UserId,
    total: Money,
    status: &'static str,
    currency: &'static str,
}

impl FromRef<StubServices> for TokenVerifier {
    fn from_ref(stub_services: &StubServices) -> Self {
        stub_services.keys.verifier(system())
    }
}

impl StubServices {
    pub(crate) async fn start(keys: Arc<TestKeys>, payments: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (orders, unavailable, payments_hidden) = (Arc::default(), Arc::default(), Arc::default());
        let stub_services = Self { url, orders, unavailable, payments_hidden, keys, payments };
        let router = Router::new()
            .route("/api/orders/{id}", get(order))
            .route("/.well-known/jwks.json", get(jwks))
            .route("/api/auth/token", post(token))
            .with_state(stub_services.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stub_services
    }

    pub(crate) fn place_order(&self, user: UserId, total: Money) -> OrderId {
        let id = OrderId::generate(SystemClock.now());
        self.orders.lock().unwrap().insert(id, Order { user, total, status: "pending", currency: "USD" });
        id
    }

    pub(crate) fn cancel(&self, order: OrderId) {
        self.orders.lock().unwrap().get_mut(&order).unwrap().status = "cancelled";
    }

    /// Returns the order to pending, as an outdated order service would.
    pub(crate) fn set_pending(&self, order: OrderId) {
        self.orders.lock().unwrap().get_mut(&order).unwrap().status = "pending";
    }

    pub(crate) fn set_currency(&self, order: OrderId, currency: &'static str) {
        self.orders.lock().unwrap().get_mut(&order).unwrap().currency = currency;
    }

    /// Makes the order service unavailable.
    pub(crate) fn set_unavailable(&self, unavailable: bool) {
        self.unavailable.store(unavailable, Ordering::SeqCst);
    }

    /// Makes the order service omit payments from orders.
    pub(crate) fn hide_payments(&self) {
        self.payments_hidden.store(true, Ordering::SeqCst);
    }
}

async fn order(State(stub_services): State<StubServices>, caller: Caller, UrlPath(id): UrlPath<OrderId>) -> Response {
    if stub_services.unavailable.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let order = stub_services.orders.lock().unwrap().get(&id).cloned();
    let Some(order) = order.filter(|order| caller.can_act_for(order.user)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut payments = Vec::new();
    if !stub_services.payments_hidden.load(Ordering::SeqCst) {
        let db = database(&stub_services.payments).await;
        let ids = sqlx::query_scalar("SELECT id FROM payments WHERE order_id = ? AND state = 'completed'");
        payments = ids.bind(id.to_string()).fetch_all(&db).await.unwrap();
    }
    let payments: Vec<Value> =
        payments.into_iter().map(|id: String| json!({"id": id, "status": "completed"})).collect();
    Json(json!({
        "id": id, "user_id": order.user, "status": order.status, "payment_status": "pending",
        "total_amount": order.total, "currency": order.currency, "payments": payments,
    }))
    .into_response()
}

async fn jwks(State(stub_services): State<StubServices>) -> Json<common::auth::Jwks> {
    Json(stub_services.keys.jwks())
}

async fn token(State(stub_services): State<StubServices>) -> Json<Value> {
    let token = stub_services.keys.service_token();
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

/// Opens the payment service's database file read-only.
pub(crate) async fn database(path: &Path) -> sqlx::SqlitePool {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// Publishes the event of a cancelled order.
pub(crate) async fn publish_cancelled(bus: &Bus, order: OrderId, now: DateTime<Utc>) {
    let cancelled = OrderCancelled { order_id: order, reason: None, items: Vec::new(), timestamp: now };
    let event = Event::OrderCancelled(cancelled);
    let message = event_message(&event, "order-service", now);
    for published in bus.publish(&[message]).await.unwrap() {
        published.unwrap();
    }
}
