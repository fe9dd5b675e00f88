//! Stubs of the user, product and payment services.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{FromRef, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use common::auth::{Caller, TokenVerifier};
use common::http::{ServiceWith, scope};
use common::telemetry::clock::system;
use contracts::api::ReservationRequest;
use contracts::{OrderId, ProductId, UserId};
use serde_json::{Value, json};
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct StubServices {
    pub(crate) url: String,
    keys: Arc<TestKeys>,
    state: Arc<Mutex<StubState>>,
}

/// State and injected failures of the stubs.
pub(crate) struct StubState {
    pub(crate) users: HashSet<UserId>,
    /// First name of every user.
    pub(crate) first_name: String,
    /// Users who want no notifications.
    pub(crate) silent_users: HashSet<UserId>,
    /// Number of user lookups.
    pub(crate) user_lookups: u32,
    /// Number of product lookups.
    pub(crate) product_lookups: u32,
    /// Price and stock by product id.
    pub(crate) products: BTreeMap<i64, (&'static str, i64)>,
    pub(crate) reservations: HashMap<OrderId, ReservationRequest>,
    pub(crate) released: Vec<OrderId>,
    /// Last request to the payment service, with the user of its token.
    pub(crate) payment_request: Option<(Value, Option<UserId>)>,
    /// Status and body of the payment service's error response.
    pub(crate) payment_error: Option<(u16, Value)>,
    pub(crate) users_unavailable: bool,
    pub(crate) products_unavailable: bool,
    /// Flag: responses to reservations are lost.
    pub(crate) responses_lost: bool,
    /// Flag: reservations expire before their order is committed.
    pub(crate) expires_immediately: bool,
    /// Client and URL of the order service.
    pub(crate) orders: Option<(reqwest::Client, String)>,
    /// Status and code of the product service's error response to a reservation.
    pub(crate) reservation_error: Option<(u16, &'static str)>,
    /// Path of a cart's item whose quantity becomes 7 while stock is being reserved.
    pub(crate) cart_item_changed: Option<String>,
    pub(crate) payments_unavailable: bool,
    /// Flag: the payment service replays a stored response.
    pub(crate) payment_replayed: bool,
}

impl FromRef<StubServices> for TokenVerifier {
    fn from_ref(stub_services: &StubServices) -> Self {
        stub_services.keys.verifier(system())
    }
}

impl StubServices {
    pub(crate) async fn start(keys: Arc<TestKeys>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let products =
            BTreeMap::from([(1, ("29.99", 100)), (2, ("100.00", 5)), (3, ("999.99", 5000)), (4, ("0.07", 9))]);
        let state = StubState {
            users: HashSet::new(),
            first_name: "John".to_owned(),
            silent_users: HashSet::new(),
            user_lookups: 0,
            product_lookups: 0,
            products,
            reservations: HashMap::new(),
            released: Vec::new(),
            payment_request: None,
            payment_error: None,
            users_unavailable: false,
            products_unavailable: false,
            responses_lost: false,
            expires_immediately: false,
            orders: None,
            reservation_error: None,
            cart_item_changed: None,
            payments_unavailable: false,
            payment_replayed: false,
        };
        let stub_services = Self { url, keys, state: Arc::new(Mutex::new(state)) };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/api/auth/token", post(token))
            .route("/api/users/{id}", get(user))
            .route("/api/products/batch", get(batch))
            .route("/api/products/reservations", post(reserve))
            .route("/api/products/reservations/{id}", delete(release))
            .route("/api/payments", post(pay))
            .route("/api/payments/order/{id}", get(payments))
            .with_state(stub_services.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stub_services
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, StubState> {
        self.state.lock().unwrap()
    }

    pub(crate) fn register(&self, user: UserId) {
        self.state().users.insert(user);
    }
}

async fn jwks(State(stub_services): State<StubServices>) -> Json<common::auth::Jwks> {
    Json(stub_services.keys.jwks())
}

async fn token(State(stub_services): State<StubServices>) -> Response {
    if stub_services.state().users_unavailable {
        return unavailable();
    }
    let token = stub_services.keys.service_token();
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600})).into_response()
}

async fn user(
    State(stub_services): State<StubServices>,
    _caller: ServiceWith<scope::UsersRead>,
    Path(id): Path<UserId>,
) -> Response {
    let mut state = stub_services.state();
    state.user_lookups += 1;
    if state.users_unavailable {
        return unavailable();
    }
    let preferences = json!({"notifications": !state.silent_users.contains(&id)});
    if state.users.contains(&id) {
        let (first_name, last_name, email) = (&state.first_name, "Doe", "john@example.com");
        let profile = json!({"id": id, "email": email, "firstName": first_name, "lastName": last_name,
            "preferences": preferences});
        Json(profile).into_response()
    } else {
        problem(404, "USER_NOT_FOUND")
    }
}

async fn batch(State(stub_services): State<StubServices>, Query(query): Query<HashMap<String, String>>) -> Response {
    let mut state = stub_services.state();
    state.product_lookups += 1;
    if state.products_unavailable {
        return unavailable();
    }
    let ids = query["ids"].split(',').map(|id| id.parse::<i64>().unwrap());
    let found = ids.filter_map(|id| Some((id, state.products.get(&id)?)));
    let found = found.map(|(id, (price, stock))| {
        json!({
            "id": id, "name": format!("Product {id}"), "description": "Nice", "price": price, "category": "Things",
            "stockQuantity": stock, "brand": null, "sku": format!("SKU-{id}"), "averageRating": 0, "reviewCount": 0,
            "active": true, "images": [
                {"id": 1, "url": "/media/side", "altText": null, "primary": false},
                {"id": 2, "url": format!("/media/{id}"), "altText": null, "primary": true},
            ],
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        })
    });
    Json(found.collect::<Vec<_>>()).into_response()
}

async fn reserve(
    State(stub_services): State<StubServices>,
    _caller: ServiceWith<scope::ProductsReserve>,
    Json(request): Json<ReservationRequest>,
) -> Response {
    let order_service = {
        let state = stub_services.state();
        state.orders.clone().filter(|_| state.expires_immediately)
    };
    if let Some((client, url)) = order_service {
        let abandon = client.post(format!("{url}/ops/orders/{}/abandon", request.order_id));
        let response = abandon.bearer_auth(stub_services.keys.service_token()).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), r#"{"exists":false}"#);
    }
    let changed = {
        let state = stub_services.state();
        state.cart_item_changed.clone().zip(state.orders.clone())
    };
    if let Some((path, (client, url))) = changed {
        let response = client.put(format!("{url}{path}")).json(&json!({"quantity": 7})).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let mut state = stub_services.state();
    if state.products_unavailable {
        return unavailable();
    }
    if let Some((status, code)) = state.reservation_error {
        return problem(status, code);
    }
    let stock = |id: ProductId| state.products.get(&id.get()).map_or(0, |(_, stock)| *stock);
    let short = request.items.iter().filter(|item| item.quantity > stock(item.product_id));
    let short: Vec<_> = short
        .map(|item| json!({"productId": item.product_id, "requested": item.quantity, "available": stock(item.product_id)}))
        .collect();
    if !short.is_empty() {
        let body = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "Insufficient stock",
            "error": "Insufficient stock", "code": "INSUFFICIENT_STOCK", "shortages": short,
        });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    state.reservations.insert(request.order_id, request.clone());
    if state.responses_lost {
        return unavailable();
    }
    let body = json!({"orderId": request.order_id, "status": "reserved", "expiresAt": null, "items": request.items});
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn release(
    State(stub_services): State<StubServices>,
    _caller: ServiceWith<scope::ProductsReserve>,
    Path(id): Path<OrderId>,
) -> Response {
    let mut state = stub_services.state();
    if state.products_unavailable {
        return unavailable();
    }
    state.reservations.remove(&id);
    state.released.push(id);
    StatusCode::NO_CONTENT.into_response()
}

async fn pay(State(stub_services): State<StubServices>, caller: Caller, Json(body): Json<Value>) -> Response {
    let mut state = stub_services.state();
    if state.payments_unavailable {
        return unavailable();
    }
    state.payment_request = Some((body.clone(), caller.user_id));
    match &state.payment_error {
        Some((status, body)) => error_response(*status, body),
        None => {
            let replayed = state.payment_replayed.then_some([("idempotency-replayed", "true")]);
            let payment = Json(json!({"payment": body, "client_secret": "s"}));
            match replayed {
                Some(headers) => (StatusCode::CREATED, headers, payment).into_response(),
                None => (StatusCode::CREATED, payment).into_response(),
            }
        }
    }
}

async fn payments(State(stub_services): State<StubServices>, caller: Caller, Path(id): Path<OrderId>) -> Response {
    let mut state = stub_services.state();
    if state.payments_unavailable {
        return unavailable();
    }
    state.payment_request = Some((json!(id), caller.user_id));
    match &state.payment_error {
        Some((status, body)) => error_response(*status, body),
        None => Json(json!([{"order_id": id, "amount": 74.77}])).into_response(),
    }
}

fn unavailable() -> Response {
    problem(503, "SERVICE_UNAVAILABLE")
}

fn problem(status: u16, code: &str) -> Response {
    error_response(
        status,
        &json!({"type": "about:blank", "title": code, "status": status, "detail": code, "error": code, "code": code}),
    )
}

fn error_response(status: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/problem+json"), ("retry-after", "7")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}
