//! The order service and the user service, as far as the product service asks them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use common::auth::{Jwks, ServiceWith, TokenVerifier, scope};
use common::clock::system;
use contracts::OrderId;
use contracts::calls::{Abandoned, OrderStatus};
use serde_json::{Value, json};
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Neighbours {
    pub(crate) url: String,
    keys: TestKeys,
    orders: Arc<Mutex<Orders>>,
}

#[derive(Default)]
struct Orders {
    statuses: HashMap<OrderId, OrderStatus>,
    /// Those that it fails to answer about.
    silent: HashSet<OrderId>,
    asked: Vec<OrderId>,
}

impl FromRef<Neighbours> for TokenVerifier {
    fn from_ref(neighbours: &Neighbours) -> Self {
        neighbours.keys.verifier(system())
    }
}

impl Neighbours {
    pub(crate) async fn start(keys: TestKeys) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let neighbours = Self { url, keys, orders: Arc::default() };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/api/auth/token", post(token))
            .route("/ops/orders/{id}/abandon", post(abandon))
            .with_state(neighbours.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        neighbours
    }

    /// There is such an order.
    pub(crate) fn place(&self, order: OrderId, status: OrderStatus) {
        self.orders.lock().unwrap().statuses.insert(order, status);
    }

    /// It cannot answer about this order, or can again.
    pub(crate) fn be_silent(&self, order: OrderId, silent: bool) {
        let mut orders = self.orders.lock().unwrap();
        if silent {
            orders.silent.insert(order)
        } else {
            orders.silent.remove(&order)
        };
    }

    /// How often it was asked to abandon this order.
    pub(crate) fn asked(&self, order: OrderId) -> usize {
        self.orders.lock().unwrap().asked.iter().filter(|asked| **asked == order).count()
    }
}

async fn jwks(State(neighbours): State<Neighbours>) -> Json<Jwks> {
    Json(neighbours.keys.jwks())
}

async fn token(State(neighbours): State<Neighbours>) -> Json<Value> {
    let token = neighbours.keys.service_token();
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

async fn abandon(
    State(neighbours): State<Neighbours>,
    _service: ServiceWith<scope::OrdersAbandon>,
    Path(id): Path<OrderId>,
) -> Response {
    let mut orders = neighbours.orders.lock().unwrap();
    orders.asked.push(id);
    if orders.silent.contains(&id) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let status = orders.statuses.get(&id).copied();
    Json(Abandoned { exists: status.is_some(), status }).into_response()
}
