//! Stubs of the order service and the user service.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use common::auth::{Jwks, TokenVerifier};
use common::http::{ServiceWith, scope};
use common::telemetry::clock::system;
use contracts::OrderId;
use contracts::api::{AbandonResponse, OrderStatus};
use serde_json::{Value, json};
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct StubServices {
    pub(crate) url: String,
    keys: TestKeys,
    orders: Arc<Mutex<Orders>>,
}

#[derive(Default)]
struct Orders {
    statuses: HashMap<OrderId, OrderStatus>,
    /// Orders for which calls fail.
    failing: HashSet<OrderId>,
    abandon_calls: Vec<OrderId>,
}

impl FromRef<StubServices> for TokenVerifier {
    fn from_ref(stubs: &StubServices) -> Self {
        stubs.keys.verifier(system())
    }
}

impl StubServices {
    pub(crate) async fn start(keys: TestKeys) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stubs = Self { url, keys, orders: Arc::default() };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/api/auth/token", post(token))
            .route("/ops/orders/{id}/abandon", post(abandon))
            .with_state(stubs.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stubs
    }

    /// Creates an order.
    pub(crate) fn place(&self, order: OrderId, status: OrderStatus) {
        self.orders.lock().unwrap().statuses.insert(order, status);
    }

    /// Lets calls for this order fail, or succeed again.
    pub(crate) fn fail_for(&self, order: OrderId, failing: bool) {
        let mut orders = self.orders.lock().unwrap();
        if failing {
            orders.failing.insert(order)
        } else {
            orders.failing.remove(&order)
        };
    }

    /// Returns the number of calls to abandon this order.
    pub(crate) fn abandon_calls(&self, order: OrderId) -> usize {
        self.orders.lock().unwrap().abandon_calls.iter().filter(|called| **called == order).count()
    }
}

async fn jwks(State(stubs): State<StubServices>) -> Json<Jwks> {
    Json(stubs.keys.jwks())
}

async fn token(State(stubs): State<StubServices>) -> Json<Value> {
    let token = stubs.keys.service_token();
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

async fn abandon(
    State(stubs): State<StubServices>,
    _service: ServiceWith<scope::OrdersAbandon>,
    Path(id): Path<OrderId>,
) -> Response {
    let mut orders = stubs.orders.lock().unwrap();
    orders.abandon_calls.push(id);
    if orders.failing.contains(&id) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let status = orders.statuses.get(&id).copied();
    Json(AbandonResponse { exists: status.is_some(), status }).into_response()
}
